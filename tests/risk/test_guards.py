"""Every guard: that it fires, that it does not, and that it clears as documented."""

from decimal import Decimal

import pytest

from market.types import Candle, Tick
from market.volatility import MINUTE_MS
from risk import guards
from risk.belief import Belief
from risk.guards import Level, Reading

D = Decimal
CLEAR, WARNING, TRIPPED = Level.CLEAR, Level.WARNING, Level.TRIPPED


def bars(*closes: str, start: int = 0, span: str = "0") -> list[Candle]:
    """Minutes that open where the one before closed, and reach `span` above."""
    found, before = [], D(closes[0])
    for i, text in enumerate(closes):
        close = D(text)
        high, low = max(before, close) + D(span), min(before, close)
        time = (start + i) * MINUTE_MS
        found.append(Candle("XUSDT", "1", time, before, high, low, close, D(1), D(1)))
        before = close
    return found


def breaker(found: list[Candle], now_min: int, usual: Decimal | None = None) -> Reading:
    return guards.breaker(
        "XUSDT", found, usual, now_min * MINUTE_MS, most=D("0.03"), ratio=D(4), minutes=15
    )


def test_a_minute_of_more_than_3_percent_trips_for_15_minutes() -> None:
    found = bars("100", "100", "96.9", *["97"] * 20)
    assert breaker(found[:3], 3).level is TRIPPED
    assert breaker(found[:3], 3).no_buys
    assert breaker(found[:17], 17).level is TRIPPED, "14 minutes after the bar's end"
    assert breaker(found[:18], 18).level is CLEAR, "15 minutes after the bar's end"


@pytest.mark.parametrize("close", ["97", "103"])
def test_exactly_3_percent_is_not_more(close: str) -> None:
    assert breaker(bars("100", "100", close), 3).level is CLEAR


def test_a_range_of_more_than_four_times_the_usual_trips() -> None:
    calm = bars(*["100"] * 10, span="0.1")
    wild = bars(*["100"] * 5, start=10, span="0.5")
    usual = guards.usual_range(bars(*["100"] * 60, span="0.1"))
    assert usual == D("0.001")
    assert breaker(calm, 10, usual).level is CLEAR
    assert breaker(calm + wild, 15, usual).level is TRIPPED
    assert breaker(calm + wild, 15, None).level is CLEAR, "without a median there is no range rule"


def test_no_median_from_less_than_an_hour() -> None:
    assert guards.usual_range(bars(*["100"] * 55)) is None


def test_no_return_is_known_across_a_gap() -> None:
    found = bars("100", "100") + bars("90", "90", start=60)
    assert breaker(found, 62).level is CLEAR


def test_two_breakers_at_once_kill_and_one_does_not() -> None:
    calm, wild = breaker(bars("100", "100"), 2), breaker(bars("100", "90"), 2)
    assert guards.breakers([calm, wild], 2).level is CLEAR
    found = guards.breakers([wild, wild], 2)
    assert (found.level, found.kills) == (TRIPPED, True)


@pytest.mark.parametrize(
    ("calls", "failures", "level"),
    [
        (100, 3, TRIPPED),
        (20, 1, CLEAR),  # 5 %, of too few calls
        (20, 20, CLEAR),
        (50, 1, WARNING),  # 2 % is not more than 2 %
        (50, 2, TRIPPED),
        (1000, 10, CLEAR),
        (0, 0, CLEAR),
    ],
)
def test_more_than_2_percent_of_50_calls_failed(calls: int, failures: int, level: Level) -> None:
    found = guards.api_errors(calls, failures, most=D("0.02"), least_calls=50, before=CLEAR)
    assert (found.level, found.kills) == (level, True)


def test_api_errors_clear_below_half_of_the_limit() -> None:
    def after(failures: int) -> Level:
        return guards.api_errors(
            1000, failures, most=D("0.02"), least_calls=50, before=TRIPPED
        ).level

    assert after(15) is TRIPPED
    assert after(10) is CLEAR


ALERTS = (D("0.05"), D("0.10"), D("0.20"))


@pytest.mark.parametrize(
    ("worth", "level", "words"),
    [
        (34_000, CLEAR, ""),
        (40_000, CLEAR, ""),
        (32_301, CLEAR, ""),
        (32_300, WARNING, "5 %"),
        (30_600, WARNING, "10 %"),
        (27_200, WARNING, "20 %"),
        (23_800, WARNING, "20 %"),  # 70 % is not below 70 %
        (23_799, TRIPPED, "30.0 %"),
    ],
)
def test_equity_alerts_and_kills_below_70_percent(worth: int, level: Level, words: str) -> None:
    found = equity(worth)
    assert found.level is level
    assert words in found.did
    assert found.kills


def equity(
    worth: int, before: Level = CLEAR, tier: Decimal | None = None, deposits: int = 34_000
) -> Reading:
    return guards.equity(
        D(worth), D(deposits), alerts=ALERTS, kill=D("0.30"), before=before, tier=tier
    )


def test_equity_clears_with_a_margin() -> None:
    assert equity(24_000, TRIPPED).level is TRIPPED
    assert equity(24_400, TRIPPED).level is WARNING


def test_each_alert_holds_until_95_percent_of_it() -> None:
    assert equity(30_600).tier == D("0.10")
    assert equity(30_700, WARNING, D("0.10")).tier == D("0.10"), "9.7 % lost, and it was 10"
    assert equity(30_700, WARNING, D("0.05")).tier == D("0.05"), "9.7 % lost, and it never was 10"
    assert equity(30_800, WARNING, D("0.10")).tier == D("0.05"), "9.4 % lost"
    assert equity(32_350, WARNING, D("0.05")).level is WARNING, "4.9 % lost"
    assert equity(32_400, WARNING, D("0.05")).level is CLEAR, "4.7 % lost"


def test_a_withdrawal_is_no_loss() -> None:
    assert equity(10_000, deposits=10_000).level is CLEAR


def test_drawdown_alerts_from_the_highest_and_clears_with_a_margin() -> None:
    def after(worth: str, tier: str = "0") -> Reading:
        before = D(tier) or None
        return guards.drawdown(D(worth), D(100), alerts=ALERTS, tier=before)

    assert (after("95").level, after("95").tier) == (WARNING, D("0.05"))
    assert after("96").level is CLEAR
    assert after("50").tier == D("0.20")
    assert not after("50").kills
    assert after("95.2", "0.05").level is WARNING
    assert after("95.3", "0.05").level is CLEAR


def test_a_kill_that_is_not_over_in_time_is_an_alarm_until_it_is() -> None:
    late = guards.unfinished("3 orders were still open", 3, incomplete=True)
    assert (late.level, late.value, late.kills) == (TRIPPED, D(3), False)
    assert "3 orders were still open" in late.did
    assert guards.unfinished("", 3, incomplete=False).level is CLEAR
    assert guards.unfinished("", None, incomplete=False).level is CLEAR


def test_silence_trips_after_30_s_and_clears_below_10() -> None:
    def after(seconds: int, before: Level) -> Reading:
        return guards.silence("ticks", "bot:1", D(seconds), limit=D(30), before=before)

    assert after(30, CLEAR).level is CLEAR
    assert after(31, CLEAR).level is TRIPPED
    assert after(31, CLEAR).no_buys
    assert after(11, TRIPPED).level is TRIPPED
    assert after(10, TRIPPED).level is CLEAR


@pytest.mark.parametrize("sign", [1, -1])
def test_clock_warns_stops_and_clears_below_the_warning(sign: int) -> None:
    def after(offset: int, before: Level) -> Level:
        return guards.clock(D(offset * sign), warn=D(500), stop=D(1000), before=before).level

    assert after(500, CLEAR) is CLEAR
    assert after(501, CLEAR) is WARNING
    assert after(1001, CLEAR) is TRIPPED
    assert after(900, TRIPPED) is TRIPPED
    assert after(400, TRIPPED) is CLEAR


def test_differences_withhold_buys_and_foreign_orders_only_warn() -> None:
    assert guards.differences("reconcile", ["a"], "orders").level is TRIPPED
    assert guards.differences("reconcile", ["a"], "orders").no_buys
    assert guards.differences("reconcile", [], "orders").level is CLEAR
    assert guards.foreign(["Buy 1 BTCUSDT at 9"]).level is WARNING
    assert not guards.foreign(["Buy 1 BTCUSDT at 9"]).no_buys
    assert guards.foreign([]).level is CLEAR


@pytest.mark.parametrize(
    ("last", "bid", "fires"),
    [("94799", "94798", True), ("94799", "94800", False), ("94800", "94798", False)],
)
def test_a_stop_loss_needs_two_sources(last: str, bid: str, fires: bool) -> None:
    assert guards.is_below(D(94_800), D(last), D(bid)) == fires


def tick(last: str, time: int, middle: str = "") -> Tick:
    near = D(middle or last)
    return Tick("XUSDT", D(last), near, near, time)


def test_an_outlier_of_one_message_is_not_believed() -> None:
    belief = Belief(D("0.2"))
    assert belief.believes(tick("100", 1))
    assert not belief.believes(tick("70", 2)), "trade and book 30 % off, once"
    assert belief.believes(tick("100", 3))
    assert not belief.believes(tick("130", 4, middle="100")), "the book says otherwise"
    assert not belief.believes(tick("130", 5, middle="100")), "and goes on saying so"
    assert belief.believes(tick("85", 6)), "a crash of 15 % is believed at once"


def test_a_second_message_that_says_the_same_is_believed() -> None:
    belief = Belief(D("0.2"))
    assert belief.believes(tick("100", 1))
    assert not belief.believes(tick("70", 2))
    assert belief.believes(tick("69", 3))
    assert belief.believes(tick("70", 4))


def test_two_trades_of_one_message_do_not_confirm_each_other() -> None:
    belief = Belief(D("0.2"))
    assert belief.believes(tick("100", 1))
    assert not belief.believes(tick("70", 2))
    assert not belief.believes(tick("70", 2))
    assert belief.believes(tick("70", 3))


def test_old_messages_and_late_confirmations_are_not_believed() -> None:
    belief = Belief(D("0.2"))
    assert belief.believes(tick("100", 10))
    assert not belief.believes(tick("99", 9))
    assert not belief.believes(tick("70", 11))
    assert not belief.believes(tick("70", 70_000)), "an hour-old doubt confirms nothing"


@pytest.mark.parametrize("price", ["NaN", "0", "-1", "Infinity"])
def test_what_is_no_price_is_not_believed(price: str) -> None:
    assert not Belief(D("0.2")).believes(Tick("XUSDT", D(price), D(1), D(1), 1))
    assert not Belief(D("0.2")).believes(Tick("XUSDT", D(1), D(price), D(1), 1))
