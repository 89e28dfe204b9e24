"""The backtest against its oracle: real candles in every combination, and random ones."""

from decimal import Decimal
from fractions import Fraction
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.backtest.replay import replay
from bots.grid.levels import GridSpec, InvalidGrid, Sizing, Spacing
from bots.grid.outcome import Plan
from market.types import Candle, Instrument
from tests.backtest.cases import CASES, WAYS, agree, plan_of
from tests.backtest.oracle import ladder, sizes
from tests.thorough import examples

MINUTE = 60_000
START = 1_700_000_000_000


@cache
def candles_of(case):
    return case.candles()


@pytest.mark.parametrize("way", WAYS, ids="-".join)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.file)
def test_real_candles(case, way):
    outcome = agree(plan_of(case, *way), candles_of(case))
    assert len(outcome.fills) >= case.least_fills


def test_ways_differ_where_they_should():
    """The comparison would prove little if every combination traded the same."""
    case = CASES[6]
    told = {tuple(replay(plan_of(case, *way), candles_of(case)).fills) for way in WAYS}
    assert len(told) == len(WAYS)


@st.composite
def markets(draw):
    """Few, close, whole prices: flat bars, equal highs, prices on levels, jumps over the grid."""
    prices = st.integers(1, 40)
    bars, time = [], START
    last = draw(prices)
    for _ in range(draw(st.integers(1, 30))):
        opened = draw(st.sampled_from([last, last]) | prices)
        last = draw(st.just(opened) | prices)
        top, bottom = max(opened, last), min(opened, last)
        high = top + draw(st.sampled_from([0, 0, 1, 5]))
        low = max(1, bottom - draw(st.sampled_from([0, 0, 1, 5])))
        values = (Decimal(number) / 10 for number in (opened, high, low, last))
        bars.append(Candle("XUSDT", "", time, *values, Decimal(1), Decimal(1)))
        time += MINUTE * draw(st.sampled_from([1, 1, 1, 7, 2000]))
    return bars


fees = st.decimals("-0.002", "0.01", places=5)


@st.composite
def plans(draw):
    """Ticks and lots from fine to coarser than the prices; any small range."""
    tick = draw(st.sampled_from(["0.1", "0.05", "0.001", "0.3"]))
    lot = draw(st.sampled_from(["1", "0.5", "0.001", "0.07", "13"]))
    lower = draw(st.integers(1, 30))
    upper = lower + draw(st.integers(1, 30))
    spec = GridSpec(
        Decimal(lower) / 10,
        Decimal(upper) / 10,
        draw(st.integers(1, 9)),
        draw(st.decimals(200, 5000, places=2)),
        draw(st.sampled_from(Spacing)),
        draw(st.sampled_from(Sizing)),
        draw(st.decimals("0", "0.5", places=3)),
    )
    instrument = Instrument(
        "XUSDT", "X", "USDT", Decimal(tick), Decimal(lot), Decimal(1), Decimal(9**9)
    )
    ways = draw(st.sampled_from(["nearest", "color"])), draw(st.sampled_from(["through", "touch"]))
    return Plan(spec, instrument, draw(fees), draw(fees.map(abs)), *ways)


@examples(400)
@given(plans(), markets())
def test_random_candles(plan, candles):
    """About a third of these grids cannot be built; the others make a dozen round trips each."""
    if fault := refusal(plan, candles[0].open):
        with pytest.raises(InvalidGrid) as refused:
            replay(plan, candles)
        assert refused.value.field == fault
    else:
        agree(plan, candles)


def refusal(plan, price):
    """The field for which the contract refuses a grid: prices, steps, the least order."""
    spec, tick = plan.spec, Fraction(plan.instrument.tick)
    prices = ladder(Fraction(spec.lower), Fraction(spec.upper), spec.grids, str(spec.spacing), tick)
    if prices[0] == 0:
        return "lower"
    if any(high - low < 2 * tick for low, high in pairwise(prices)):
        return "grids"
    costs = [min(level, Fraction(price)) for level in prices[:-1]]
    usable = Fraction(spec.capital) * (1 - Fraction(spec.reserve))
    lot = Fraction(plan.instrument.lot)
    bought = sizes(prices, Fraction(price), usable, str(spec.sizing), lot)
    sold = [quantity * Fraction(99, 100) // lot * lot for quantity in bought]  # fees are up to 1 %
    least = plan.instrument.min_notional
    small = any(q < lot or q * cost < least for q, cost in zip(sold, costs, strict=True))
    return "capital" if small else ""
