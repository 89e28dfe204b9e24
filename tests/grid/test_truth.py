"""The truth card: figures a trader can check on paper, and refusals that say what is accepted."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.grid.cells import build
from bots.grid.levels import GridSpec, InvalidGrid, Sizing, Spacing
from bots.grid.rates import Fees, net_rate
from bots.grid.trailing import Trailing
from bots.grid.truth import card, minimum_investment
from tests.grid.examples import BTC, PUBLISHED, D

FEES = Fees(D("0.001"), D("0.001"))
MISSION = GridSpec(D(95500), D(99000), 12, D(25000))


def test_the_missions_btc_grid() -> None:
    """Step 291.67: 0.998001 x 95,791.67 / 95,500 - 1 = 0.1049 % net at the bottom."""
    truth = card(MISSION, replace(BTC, lot=D("0.000001")), D(97000), FEES, stop_loss=D(94800))
    assert truth.net_rates == (D("0.000950"), D("0.001049"))
    assert truth.loss_at_stop < 0
    assert truth.fee_share > D("0.6"), "fees take most of so fine a grid"
    assert truth.cheaper is not None
    assert truth.cheaper.grids == 6
    assert abs(truth.cheaper.kept - D("0.66")) < D("0.01")
    assert any("Fees take" in warning for warning in truth.warnings)


def test_the_published_example() -> None:
    truth = card(PUBLISHED, BTC, D(54000), FEES, stop_loss=D(40000))
    assert truth.capital_used == D("22429.4991")  # 0.08795882 x 255,000
    assert truth.holdings[0].base == D("0.4393543059")  # five cells after the fee in base
    assert truth.holdings[-1].base == 0
    assert truth.holdings[-1].worth == PUBLISHED.capital
    # 0.4393543059 x 40,000 x 0.999 - 22,429.4991
    assert truth.loss_at_stop == D("-4872.901036236")
    assert not truth.warnings


def test_what_a_day_of_fills_would_earn() -> None:
    truth = card(PUBLISHED, BTC, D(54000), FEES)
    mean = sum((cell.net for cell in truth.cells), D(0)) / 5
    assert truth.daily_profit == {8: 4 * mean, 15: D("7.5") * mean}
    assert truth.fills_needed["apr 0.8"] == (
        PUBLISHED.capital * D("0.8") / 365 / mean * 2
    ).quantize(D("0.1"))


@pytest.mark.parametrize(
    ("change", "stop", "field", "says"),
    [
        ({"grids": 40}, None, "grids", "at most 17 grids are accepted"),
        ({"capital": D(60)}, None, "capital", "64.55 or more"),
        ({}, D(95600), "stop_loss", "between 0 and 95500"),
        ({"upper": D(95600), "grids": 1}, None, "grids", "widen the range"),
    ],
)
def test_refusals_name_the_field_and_what_is_accepted(change, stop, field, says) -> None:
    with pytest.raises(InvalidGrid, match=says) as refusal:
        card(replace(MISSION, **change), BTC, D(97000), FEES, stop_loss=stop)
    assert refusal.value.field == field


WIDE = GridSpec(D(95500), D(98500), 6, D(25000))  # steps of 500, of which fees leave 62 %


def warning(price: int, trailing: Trailing | None = None) -> str:
    (found,) = card(WIDE, BTC, D(price), FEES, trailing=trailing).warnings
    return found


def test_a_start_below_the_range_buys_everything_at_once() -> None:
    assert warning(95000) == (
        "The price 95000 is below the range: all 6 cells are bought at the market at the start, "
        "and nothing sells below 96000."
    )


def test_a_start_above_the_range_waits() -> None:
    assert "nothing trades before it returns" in warning(99400)


@pytest.mark.parametrize(
    ("price", "rule", "says"),
    [
        (98700, Trailing(), "nothing trades before it returns, or reaches 99000"),
        (99400, Trailing(), ("trails up 1 step, 4 an hour at the most, to 96000 – 99000. "
         "Nothing trades before the price falls back to 98500")),
        (102000, Trailing(), ("trails up 7 steps, 4 an hour at the most, to 99000 – 102000. "
         "Nothing trades before the price falls back to 101500")),
        (102000, Trailing(D(100500), 2), ("trails up 4 steps, 2 an hour at the most, to 97500 – "
         "100500; further it does not go, as the next level 101000 is above the cap 100500. "
         "Nothing trades before the price falls back to 100000")),
        (99400, Trailing(D(98700)), "does not trail up, as the next level 99000 is above the cap"),
    ],
)  # fmt: skip
def test_a_start_above_the_range_of_a_grid_that_trails_up(
    price: int, rule: Trailing, says: str
) -> None:
    assert says in warning(price, rule)


def test_a_grid_that_trails_is_not_advised_to_have_fewer_cells_than_trail() -> None:
    """Over 1,200 USDT only two cells or so keep two thirds: five are the fewest that trail."""
    narrow = replace(MISSION, lower=D(97800), grids=4)
    free = card(narrow, BTC, D(98000), FEES).cheaper
    assert free is not None
    assert free.grids == 2
    assert card(narrow, BTC, D(98000), FEES, trailing=Trailing()).cheaper is None


def test_net_rate_of_the_contract() -> None:
    assert net_rate(D(100), D(101), D("0.001")) == D("0.007981")  # 0.998001 x 1.01 - 1


@given(
    price=st.decimals(D(90000), D(105000), places=2),
    grids=st.integers(1, 18),
    spacing=st.sampled_from(Spacing),
    sizing=st.sampled_from(Sizing),
)
def test_the_minimum_is_enough_and_a_little_less_is_not(
    price: Decimal, grids: int, spacing: Spacing, sizing: Sizing
) -> None:
    coarse = replace(BTC, lot=D("0.000001"))
    spec = replace(MISSION, grids=grids, spacing=spacing, sizing=sizing)
    least = minimum_investment(spec, coarse, price)
    build("g1", replace(spec, capital=least), coarse, price)
    with pytest.raises(InvalidGrid):
        build("g1", replace(spec, capital=least * D("0.97")), coarse, price)
