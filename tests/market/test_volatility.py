"""Volatility by hand-worked examples, and BTC's stability with its two thresholds."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market import volatility
from market.types import Candle
from market.volatility import MINUTE_MS, UNKNOWN, Stability, observe, stability
from tests.market.bars import NOON

D = Decimal
HOUR = 60


def flat(number: int, close: Decimal) -> Candle:
    """A bar that opens where it closes."""
    return Candle("BTCUSDT", "1", NOON + number * MINUTE_MS, *[close] * 4, D(1), close)


def walk(*closes: str | int | Decimal) -> list[Candle]:
    return [flat(number, D(close)) for number, close in enumerate(closes)]


def after(minutes: int) -> int:
    return NOON + minutes * MINUTE_MS


def test_returns_ranges_and_median() -> None:
    bars = walk(100, 101, 99, "99.99")
    assert volatility.returns(bars)[0] == D("0.01")
    assert volatility.returns(bars)[2] == D("0.01")
    assert volatility.spread(bars) == D("0.02")
    assert volatility.spreads(bars, 2 * MINUTE_MS) == [D("0.01"), D("0.99") / 99]
    assert volatility.median([D(3), D(1), D(2)]) == 2
    assert volatility.median([D(4), D(1), D(2), D(3)]) == D("2.5")
    for empty in (volatility.median, volatility.spread):
        with pytest.raises(ValueError, match="no"):
            empty([])


def test_average_true_range_counts_the_gap_between_bars() -> None:
    bars = [
        Candle("X", "1", n, D(o), D(h), D(low), D(c), D(1), D(1))
        for n, (o, h, low, c) in enumerate(
            [(10, 11, 9, 10), (12, 13, 12, 13), (13, 14, 11, 12), (12, 12, 8, 9)]
        )
    ]
    assert volatility.true_ranges(bars) == [3, 3, 4]
    assert volatility.atr(bars, 2) == D("3.5")  # (3 + 3) / 2, then (3 x 1 + 4) / 2
    assert volatility.atr(bars, 4) is None


def test_realised_volatility_of_one_percent_a_day_is_nineteen_percent_a_year() -> None:
    day = 24 * 60
    closes = ["100", D("100") * D("0.01").exp(), "100"]
    bars = [flat(number * day, D(close)) for number, close in enumerate(closes)]
    found = volatility.realised(bars)
    assert found is not None
    assert abs(found - D("0.01") * D(365).sqrt()) < D("1e-12")
    assert volatility.realised(bars[:1]) is None


def test_missing_minutes_do_not_inflate_realised_volatility() -> None:
    """A price that walks on steadily is as volatile, seen every minute or every tenth."""
    bars = walk(*(D(100) * (D("0.0001") * (n // 2 - n % 2)).exp() for n in range(101)))
    whole, holed = volatility.realised(bars), volatility.realised(bars[:40] + bars[60:])
    assert whole is not None
    assert holed is not None
    assert D("0.75") < holed / whole < D("1.25")


def test_an_hour_of_calm_and_a_quarter_more_is_stable() -> None:
    calm = walk(*[97_000] * (HOUR + 17))
    early = stability(calm, after(HOUR + 15), D(97_000))
    assert not early.stable
    assert early.calm_since == after(HOUR + 1)
    assert stability(calm, after(HOUR + 16), D(97_000)) == Stability(True, "", after(HOUR + 16))


def test_two_percent_closes_and_less_than_one_percent_for_a_quarter_opens() -> None:
    prices = [*[100_000] * 90, *[98_000] * 90]
    bars = walk(*prices)
    assert stability(bars, after(90), D(100_000)).stable
    fallen = stability(bars, after(91), D(98_000))
    assert (fallen.stable, fallen.reason) == (False, "BTC moved 2.00 % in 60 minutes")
    # The fall leaves the window 60 minutes later, and calm is counted from there.
    assert not stability(bars, after(91 + HOUR + 14), D(98_000)).stable
    assert stability(bars, after(91 + HOUR + 15), D(98_000)).stable


def test_between_the_thresholds_the_state_stays_as_it_was() -> None:
    stable = Stability(True, "", NOON)
    closed = Stability(False, "BTC moved 3.00 % in 60 minutes", NOON, calm_since=NOON - 1)
    for state in (stable, closed):
        found = observe(state, NOON + 1, D("98500"), D(100_000))
        assert (found.stable, found.reason) == (state.stable, state.reason)
    assert observe(closed, NOON + 1, D("98500"), D(100_000)).calm_since is None


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"fresh": False}, "stale"),
        ({"stop_loss": D(97_001)}, "below its stop-loss of 97001"),
        ({"past": None}, "not known"),
        ({"past": D(99_000)}, "moved 2.02 %"),
        ({"past": D(95_000)}, "moved 2.11 %"),
    ],
)
def test_what_closes(more: dict[str, object], reason: str) -> None:
    given = {"past": D(97_000)} | more
    past = given.pop("past")
    found = observe(Stability(True, "", NOON), NOON + 1, D(97_000), past, **given)
    assert not found.stable
    assert reason in found.reason


def test_at_the_stop_loss_is_not_below_it() -> None:
    state = Stability(True, "", NOON)
    assert observe(state, NOON + 1, D(94_800), D(94_800), stop_loss=D(94_800)).stable


def test_calm_that_nobody_saw_does_not_count() -> None:
    waiting = Stability(False, "x", NOON, calm_since=NOON)
    later = after(20)
    assert observe(waiting, later, D(1), D(1)).calm_since == later


def test_nothing_known_is_not_stable() -> None:
    found = stability([], NOON, D(97_000))
    assert (found.stable, "not known" in found.reason) == (False, True)
    assert not UNKNOWN.stable


def test_a_hole_an_hour_ago_closes() -> None:
    bars = [bar for bar in walk(*[97_000] * 200) if not 100 <= (bar.time - NOON) / MINUTE_MS < 130]
    assert stability(bars, after(99), D(97_000)).stable
    assert "not known" in stability(bars, after(180), D(97_000)).reason


@given(st.lists(st.integers(95_000, 100_000), min_size=80, max_size=200), st.integers(80, 300))
def test_living_through_history_is_the_same_as_having_been_there(
    closes: list[int], minute: int
) -> None:
    """A process that watched minute by minute and one that restarts now agree."""
    bars = walk(*closes)
    state = UNKNOWN
    for number in range(HOUR + 1, min(minute, len(closes)) + 1):
        past = D(closes[number - HOUR - 1])
        state = observe(state, after(number), D(closes[number - 1]), past)
    now, price = after(min(minute, len(closes))), D(closes[min(minute, len(closes)) - 1])
    assert stability(bars, now, price) == state


@given(st.lists(st.integers(97_000, 97_900), min_size=80, max_size=120))
def test_moves_below_one_percent_are_always_calm(closes: list[int]) -> None:
    assert stability(walk(*closes), after(len(closes)), D(closes[-1])).stable
