"""Levels: hand-worked ladders, and what is refused."""

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.grid.levels import GridSpec, InvalidGrid, Spacing, levels
from tests.grid.examples import BTC, PEPE, PUBLISHED, D


def test_arithmetic_levels_of_the_published_example() -> None:
    assert levels(PUBLISHED, BTC) == tuple(map(D, (45000, 49000, 53000, 57000, 61000, 65000)))


def test_levels_are_rounded_half_to_even_on_the_tick() -> None:
    spec = GridSpec(lower=D(100), upper=D("100.10"), grids=4, capital=D(1000))  # steps of 0.025
    assert levels(spec, BTC) == tuple(map(D, ("100", "100.02", "100.05", "100.08", "100.10")))


def test_geometric_levels_have_equal_ratios_and_exact_powers() -> None:
    spec = GridSpec(D(1000), D(16000), 4, D(1000), Spacing.GEOMETRIC)
    assert levels(spec, BTC) == tuple(map(D, (1000, 2000, 4000, 8000, 16000)))


def test_geometric_ties_round_half_to_even() -> None:
    spec = GridSpec(D("0.01"), D("6.25"), 4, D(1000), Spacing.GEOMETRIC)  # ratio 5: .05 .25 1.25
    assert levels(spec, BTC)[1:4] == (D("0.05"), D("0.25"), D("1.25"))


def test_tiny_prices_keep_their_digits() -> None:
    spec = GridSpec(D("0.00000416"), D("0.00000479"), 24, D(1500))
    ladder = levels(spec, PEPE)
    assert ladder[1] == D("0.000004186")
    assert ladder[-1] == D("0.00000479")


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (GridSpec(D(2), D(1), 4, D(100)), "upper"),
        (GridSpec(D(0), D(1), 4, D(100)), "upper"),
        (GridSpec(D(1), D(2), 0, D(100)), "grids"),
        (GridSpec(D(1), D("1.05"), 4, D(100)), "grids"),
        (GridSpec(D("0.004"), D(1), 4, D(100)), "lower"),  # rounds to a price of nothing
    ],
)
def test_impossible_grids_are_refused_by_field(spec: GridSpec, field: str) -> None:
    with pytest.raises(InvalidGrid) as refusal:
        levels(spec, BTC)
    assert refusal.value.field == field


@given(
    lower=st.decimals(D("0.5"), D(90000), places=2),
    ratio=st.decimals(D("1.01"), D(5), places=4),
    grids=st.integers(1, 200),
    spacing=st.sampled_from(Spacing),
)
def test_every_ladder_is_on_the_tick_rising_and_within_its_range(
    lower: Decimal, ratio: Decimal, grids: int, spacing: Spacing
) -> None:
    spec = GridSpec(lower, BTC.price(lower * ratio), grids, D(1000), spacing)
    try:
        ladder = levels(spec, BTC)
    except InvalidGrid:
        return
    assert len(ladder) == grids + 1
    assert (ladder[0], ladder[-1]) == (spec.lower, spec.upper)
    assert all(price % BTC.tick == 0 for price in ladder)
    assert all(high - low >= 2 * BTC.tick for low, high in pairwise(ladder))
