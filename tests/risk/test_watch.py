"""The guards on real rows: what trips them, what they do, and that they clear."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from bots import runner
from bots.books import samples
from bots.models import Bot, CapitalMove, Order
from bots.reports import guards as reports
from bots.safety import guarding, rearming
from bots.safety.agreement import Books
from bots.safety.guarding import standing
from bots.safety.watching import Watch
from integrations.bybit.gateway import Gateway
from market import ingest
from market.models import Candle, Price
from market.types import milliseconds
from risk import audit, halts, policy, pulse
from risk.calls import Tally
from risk.guard import limits_for
from risk.guards import Level, Reading
from risk.models import AuditRow, Guard, GuardEvent
from risk.rules import Limits
from tests.factories import NOON, BotFactory, FillFactory, InstrumentFactory, PriceFactory
from tests.risk.conftest import open_ours, rest
from tests.simulator.client import http, limit
from tests.simulator.fixture import RunningSimulator

D = Decimal
pytestmark = pytest.mark.django_db(transaction=True)


def minutes(symbol: str, *closes: str) -> None:
    """Closed bars up to noon, the last price's time."""
    before = D(closes[0])
    for i, text in enumerate(closes):
        time, close = NOON - timedelta(minutes=len(closes) - i), D(text)
        Candle.objects.create(
            symbol=symbol, interval="1", time=time, open=before, high=max(before, close),
            low=min(before, close), close=close, volume=1, turnover=1, closed=True,
        )  # fmt: skip
        before = close


@pytest.fixture
def pairs() -> list[Bot]:
    """A calm BTC and a calm DOGE, each with a bot."""
    for symbol, price in (("BTCUSDT", "97000"), ("DOGEUSDT", "0.137")):
        InstrumentFactory(symbol=symbol)
        PriceFactory(symbol=symbol, last=D(price), bid=D(price), ask=D(price), time=NOON)
        minutes(symbol, *[price] * 90)
    pulse.beat("stream:BTCUSDT", "stream:DOGEUSDT")
    return [
        BotFactory(symbol="BTCUSDT", looked_at=timezone.now()),
        BotFactory(symbol="DOGEUSDT", looked_at=timezone.now(), config__stop_loss=None),
    ]


def crash(symbol: str, share: str = "0.9") -> None:
    bar = Candle.objects.get(symbol=symbol, time=NOON - timedelta(minutes=1))
    Candle.objects.filter(symbol=symbol, time=bar.time).update(
        close=bar.close * D(share), low=bar.low * D(share)
    )


def test_a_calm_market_trips_nothing(pairs: list[Bot]) -> None:
    Watch().judge()
    assert not Guard.objects.exclude(state="clear").exists()
    assert not GuardEvent.objects.exists()
    assert halts.killed() is None


def test_one_wild_pair_withholds_its_buys_alone(pairs: list[Bot]) -> None:
    crash("DOGEUSDT")
    Watch().judge()
    assert standing("volatility", "pair:DOGEUSDT") is Level.TRIPPED
    assert standing("volatility", "pair:BTCUSDT") is Level.CLEAR
    btc, doge = pairs
    assert "volatility" in limits(doge).no_buys
    assert limits(doge).no_sells == ""
    assert limits(btc).no_buys == ""
    assert halts.killed() is None
    event = GuardEvent.objects.get()
    assert (event.name, event.state) == ("volatility", "tripped")
    assert AuditRow.objects.get(what="guard").subject == "pair:DOGEUSDT"
    doge.refresh_from_db()
    assert doge.news > 0, "its ticks look again"


def test_two_wild_pairs_are_a_kill_and_only_one(pairs: list[Bot]) -> None:
    crash("DOGEUSDT")
    crash("BTCUSDT")
    watch = Watch()
    watch.judge()
    halt = halts.killed()
    assert halt is not None
    assert halt.opened_by == "guard breakers"
    halts.Halt.objects.update(state="DONE")
    halts.lift(halt, by="ann", reason="seen")
    watch.judge()
    assert halts.killed() is None, "who re-arms while it still stands does so knowingly"


def test_api_errors_of_all_processes_kill(pairs: list[Bot]) -> None:
    one, other = Tally(), Tally()
    for i in range(100):
        (one if i % 2 else other).note(failed=i % 33 == 0)
    one.write()
    other.write()
    Watch().judge()
    assert standing("API errors", "all") is Level.TRIPPED
    assert halts.killed() is not None


def test_an_outage_of_three_seconds_is_an_alert_and_one_of_minutes_a_kill(
    pairs: list[Bot],
) -> None:
    """A quiet house: 126 calls in five minutes, of two processes that count."""
    now = 0.0
    worker, watchdog = Tally(lambda: now), Tally(lambda: now)

    def judged() -> Level:
        for tally in (worker, watchdog):
            tally._written = float("-inf")
            tally.write()
        Watch().judge()
        return standing("API errors", "all")

    for tally, calls in ((worker, 106), (watchdog, 20)):
        for _ in range(calls):
            tally.note(failed=False)
    for _ in range(30):  # every loop tries on for three seconds
        now += 0.1
        worker.note(failed=True, unreached=True)
        watchdog.note(failed=True, unreached=True)
    assert judged() is Level.WARNING
    assert halts.killed() is None
    worker.note(failed=False)  # it is back
    watchdog.note(failed=False)
    for _ in range(45):  # and gone for a minute and a half
        now += 2
        worker.note(failed=True, unreached=True)
        watchdog.note(failed=True, unreached=True)
    assert judged() is Level.TRIPPED
    assert halts.killed() is not None


def test_failures_that_are_no_outage_count_each(pairs: list[Bot]) -> None:
    """Three calls of a hundred that could not connect, between calls that were answered."""
    tally = Tally()
    for i in range(100):
        away = i in {20, 40, 60}
        tally.note(failed=away, unreached=away)
    tally.write()
    Watch().judge()
    assert halts.killed() is not None


def test_errors_of_20_calls_do_not(pairs: list[Bot]) -> None:
    tally = Tally()
    for _ in range(20):
        tally.note(failed=True)
    tally.write()
    Watch().judge()
    assert halts.killed() is None


def test_equity_30_percent_down_is_a_kill(pairs: list[Bot]) -> None:
    CapitalMove.objects.create(coin="USDT", amount=34_000, reason="opening", opening=True)
    CapitalMove.objects.create(coin="BTC", amount=D("0.1"), reason="opening", opening=True)
    Watch().judge()
    assert standing("equity", "all") is Level.CLEAR
    CapitalMove.objects.create(coin="BTC", amount=D("-0.1"), reason="withdrawn")
    FillFactory(bot=pairs[0], order__bot=pairs[0], price=D(1_000_000), quantity=D("0.0102"), fee=0)
    Watch().judge()
    assert standing("equity", "all") is Level.WARNING
    FillFactory(bot=pairs[0], order__bot=pairs[0], price=D(1_000_000), quantity=D("0.002"), fee=0)
    Watch().judge()
    assert standing("equity", "all") is Level.TRIPPED
    assert halts.killed() is not None


def test_every_alert_of_a_loss_is_told_once(pairs: list[Bot]) -> None:
    """Within one state too: at 5 %, at 10 %, and not again while nothing changes."""
    CapitalMove.objects.create(coin="USDT", amount=100_000, reason="opening", opening=True)

    def lose(share: str) -> None:
        # bought for a million each, worth 97,000 each
        quantity = D(share) * 100_000 / (1_000_000 - 97_000)
        FillFactory(bot=pairs[0], order__bot=pairs[0], price=D(1_000_000), quantity=quantity, fee=0)
        Watch().judge()
        Watch().judge()

    def told(name: str) -> list[str]:
        return list(
            GuardEvent.objects.filter(name=name).order_by("id").values_list("did", flat=True)
        )

    lose("0.06")
    lose("0.01")
    lose("0.05")
    assert told("equity") == [
        "alert: 5 % of net deposits are lost",
        "alert: 10 % of net deposits are lost",
    ]
    assert Guard.objects.get(name="equity").tier == D("0.1")
    assert halts.killed() is None


def test_what_is_taken_out_of_the_account_is_no_fall_from_its_highest(pairs: list[Bot]) -> None:
    def judged() -> Guard:
        Watch().judge()
        return Guard.objects.get(name="drawdown")

    CapitalMove.objects.create(coin="USDT", amount=100_000, reason="opening", opening=True)
    samples.record_equity()
    CapitalMove.objects.create(coin="USDT", amount=-40_000, reason="withdrawn")
    assert (judged().value, judged().tier) == (0, None)
    quantity = D(7_000) / (1_000_000 - 97_000)  # bought for a million each, worth 97,000 each
    FillFactory(bot=pairs[0], order__bot=pairs[0], price=D(1_000_000), quantity=quantity, fee=0)
    assert round(judged().value, 6) == D("0.07")
    assert judged().tier == D("0.05")


def test_a_kill_that_takes_too_long_is_a_guard_with_history_and_clears(pairs: list[Bot]) -> None:
    watch = Watch()
    halt = halts.arm(reason="smoke", by="ann")
    watch.judge()
    assert standing("kill", "all") is Level.CLEAR
    halts.progress(halt, state="INCOMPLETE", open_orders=4, trouble="4 orders were still open")
    watch.judge()
    row = Guard.objects.get(name="kill")
    assert (row.state, row.value) == ("tripped", 4)
    assert "4 orders were still open" in GuardEvent.objects.get(name="kill").did
    halts.progress(halt, state="VERIFYING", open_orders=0, trouble="")
    watch.judge()
    assert standing("kill", "all") is Level.CLEAR
    assert GuardEvent.objects.filter(name="kill").count() == 2


def test_while_the_watchdog_is_silent_nothing_is_bought(pairs: list[Bot]) -> None:
    bot = pairs[0]
    assert limits(bot).no_buys == "", "one that was never started"
    pulse.beat(pulse.WATCHDOG)
    assert limits(bot).no_buys == ""
    pulse.Pulse.objects.filter(name=pulse.WATCHDOG).update(
        at=timezone.now() - timedelta(seconds=31)
    )
    assert "the watchdog has been silent for 31 s" in limits(bot).no_buys
    assert limits(bot).no_sells == ""
    pulse.beat(pulse.WATCHDOG)
    assert limits(bot).no_buys == ""


def test_a_guard_that_kills_does_so_during_a_drill_too(pairs: list[Bot]) -> None:
    halts.arm(reason="a drill", by="ann", drill=True)
    crash("DOGEUSDT")
    crash("BTCUSDT")
    Watch().judge()
    halt = halts.killed()
    assert halt is not None
    assert (halt.drill, halt.opened_by) == (False, "guard breakers")


def test_a_frozen_feed_withholds_buys_until_it_speaks(pairs: list[Bot]) -> None:
    watch = Watch()
    watch._began -= 100
    watch.judge()
    assert standing("feed", "pair:BTCUSDT") is Level.CLEAR
    pulse.Pulse.objects.update(at=timezone.now() - timedelta(seconds=31))
    watch.judge()
    assert standing("feed", "pair:BTCUSDT") is Level.TRIPPED
    assert "feed" in limits(pairs[0]).no_buys
    pulse.beat("stream:BTCUSDT")
    watch.judge()
    assert standing("feed", "pair:BTCUSDT") is Level.CLEAR
    assert limits(pairs[0]).no_buys == ""


def test_no_tick_for_30_s_withholds_buys_until_one_runs(pairs: list[Bot]) -> None:
    watch = Watch()
    watch._began -= 100
    Bot.objects.update(looked_at=timezone.now() - timedelta(seconds=31))
    watch.judge()
    assert standing("ticks", pairs[0].subject) is Level.TRIPPED
    Bot.objects.update(looked_at=timezone.now())
    watch.judge()
    assert standing("ticks", pairs[0].subject) is Level.CLEAR


def test_a_watchdog_that_has_just_started_waits_its_30_s(pairs: list[Bot]) -> None:
    pulse.Pulse.objects.all().delete()
    Bot.objects.update(looked_at=timezone.now() - timedelta(hours=1))
    Watch().judge()
    assert not Guard.objects.filter(state="tripped").exists()


def test_the_btc_gate_closes_and_opens(pairs: list[Bot]) -> None:
    filtered = BotFactory(
        symbol="DOGEUSDT", config__btc_filter=True, config__stop_loss=None, looked_at=timezone.now()
    )
    Watch().judge()
    assert standing("BTC gate", "btc-filtered") is Level.CLEAR
    crash("BTCUSDT", "0.98")
    PriceFactory(symbol="BTCUSDT").delete()
    PriceFactory(symbol="BTCUSDT", last=D("95060"), time=NOON)
    Watch().judge()
    assert standing("BTC gate", "btc-filtered") is Level.TRIPPED
    assert "BTC gate" in limits(filtered).no_buys
    assert limits(pairs[1]).no_buys == "", "only bots with the filter"
    Candle.objects.filter(symbol="BTCUSDT").delete()
    minutes("BTCUSDT", *["95060"] * 90)
    Watch().judge()
    assert standing("BTC gate", "btc-filtered") is Level.CLEAR


def test_any_pair_can_be_the_reference(pairs: list[Bot]) -> None:
    """A bot that names ETH buys while ETH is stable, whatever BTC does; both can be asked for."""
    minutes("ETHUSDT", *["3000"] * 90)
    PriceFactory(symbol="ETHUSDT", last=D(3000), time=NOON)
    one = BotFactory(symbol="MNTUSDT", config__reference="ETHUSDT", config__stop_loss=None)
    both = BotFactory(
        symbol="DOGEUSDT", config__reference="ETHUSDT", config__btc_filter=True,
        config__stop_loss=None,
    )  # fmt: skip
    Watch().judge()
    assert standing("ETH gate", "stable:ETHUSDT") is Level.CLEAR
    Price.objects.filter(symbol="ETHUSDT").update(last=D(2930))
    Watch().judge()
    assert standing("ETH gate", "stable:ETHUSDT") is Level.TRIPPED
    assert "ETH moved 2.33 %" in limits(one).no_buys
    assert "ETH gate" in limits(both).no_buys
    assert limits(both).no_sells == ""
    assert limits(pairs[1]).no_buys == ""
    Price.objects.filter(symbol="ETHUSDT").update(last=D(3000))
    crash("BTCUSDT", "0.98")
    Price.objects.filter(symbol="BTCUSDT").update(last=D("95060"))
    Candle.objects.filter(symbol="ETHUSDT").delete()
    minutes("ETHUSDT", *["3000"] * 90)
    Watch().judge()
    assert limits(one).no_buys == ""
    assert "BTC gate" in limits(both).no_buys


def test_a_stale_btc_price_closes_the_gate(pairs: list[Bot]) -> None:
    BotFactory(symbol="DOGEUSDT", config__btc_filter=True, looked_at=timezone.now())
    Price.objects.filter(symbol="BTCUSDT").update(
        received_at=timezone.now() - timedelta(seconds=31)
    )
    Watch().judge()
    assert "stale" in Guard.objects.get(name="BTC gate").did


def test_a_withdrawal_is_booked_and_told_and_a_manual_order_left_alone(
    one: Bot, simulator: RunningSimulator, exchange: Gateway
) -> None:
    http(simulator).place_order(**limit(price="90000", orderLinkId="by-hand"))
    books = Books(exchange)
    books.check()
    assert standing("foreign orders", "all") is Level.WARNING
    assert standing("accounting", "all") is Level.CLEAR
    CapitalMove.objects.create(coin="USDT", amount=100, reason="not there any more")
    books.check()
    assert standing("accounting", "all") is Level.CLEAR, "once may be a message on its way"
    books.check()
    assert standing("accounting", "all") is Level.TRIPPED
    booked = CapitalMove.objects.latest("id")
    assert (booked.coin, booked.amount) == ("USDT", D(-100))
    assert AuditRow.objects.get(what="capital", subject="USDT").after == {"amount": "-100"}
    books.check()
    assert standing("accounting", "all") is Level.CLEAR
    rest(exchange)
    assert "by-hand" in [order.client_id for order in exchange.open_orders()]
    assert standing("clock", "all") is Level.CLEAR
    assert audit.verify().faults == ()


def test_orders_that_one_side_alone_knows_withhold_buys(
    one: Bot, simulator: RunningSimulator, exchange: Gateway
) -> None:
    books = Books(exchange)
    name = open_ours(simulator)[0]
    http(simulator).cancel_order(category="spot", symbol=symbol_of(name), orderLinkId=name)
    books.check()
    assert standing("reconcile", "all") is Level.CLEAR
    books.check()
    assert standing("reconcile", "all") is Level.TRIPPED
    rearming.agreed(exchange, 5.0)
    books.check()
    assert standing("reconcile", "all") is Level.CLEAR


def limits(bot: Bot) -> Limits:
    return limits_for(*guarding.subjects_of(bot))


def symbol_of(name: str) -> str:
    return str(Order.objects.get(client_id=name).symbol)


def test_an_outlier_price_is_not_acted_on(
    one: Bot, simulator: RunningSimulator, exchange: Gateway
) -> None:
    true = exchange.tick("BTCUSDT")
    bar = {"open": true.last, "high": true.last, "low": true.last, "close": true.last}
    Candle.objects.filter(symbol="BTCUSDT").delete()
    at = NOON.fromtimestamp(true.time / 1000, NOON.tzinfo) - timedelta(minutes=2)
    Candle.objects.create(
        symbol="BTCUSDT", interval="1", time=at, volume=1, turnover=1, closed=True, **bar
    )
    before = set(open_ours(simulator))
    for share in ("0.7", "1.3"):
        Price.objects.filter(symbol="BTCUSDT").update(
            last=true.last * D(share), bid=true.bid * D(share), ask=true.ask * D(share),
            received_at=timezone.now(),
        )  # fmt: skip
        runner.run_once(one.pk, exchange, lambda _: None)
        assert Price.objects.get(symbol="BTCUSDT").last == true.last, "asked again, and corrected"
    assert set(open_ours(simulator)) == before
    assert ingest.fresh_price(exchange, "BTCUSDT", timedelta(seconds=5)).last == true.last
    assert milliseconds(at) < true.time


def test_a_looser_limit_needs_its_right_and_every_change_a_reason() -> None:
    policy.change({"collar": D("0.05")}, by="ann", may_loosen=False, reason="calm")
    with pytest.raises(policy.NotAllowed, match="collar would be looser"):
        policy.change({"collar": D("0.20")}, by="ann", may_loosen=False, reason="hurry")
    with pytest.raises(policy.NotAllowed, match="reason"):
        policy.change({"collar": D("0.04")}, by="ann", may_loosen=True, reason=" ")
    with pytest.raises(policy.NotAllowed, match="breaker_minutes would be looser"):
        policy.change({"breaker_minutes": 5}, by="ann", may_loosen=False, reason="x")
    policy.change({"collar": D("0.20")}, by="bob", may_loosen=True, reason="wide market")
    assert policy.current().collar == D("0.20")
    rows = list(AuditRow.objects.filter(what="policy").order_by("number"))
    assert [(row.who, row.before, row.after, row.reason) for row in rows] == [
        ("ann", {"collar": "0.1"}, {"collar": "0.05"}, "calm"),
        ("bob", {"collar": "0.05"}, {"collar": "0.2"}, "wide market"),
    ]


def test_a_guard_row_keeps_value_limit_and_since_when() -> None:
    first = Reading("clock", "all", D(400), D(1000), "ms", Level.CLEAR)
    assert not guarding.note(first)
    since = Guard.objects.get().since
    assert not guarding.note(Reading("clock", "all", D(450), D(1000), "ms", Level.CLEAR))
    row = Guard.objects.get()
    assert (row.value, row.limit, row.since) == (D(450), D(1000), since)
    assert guarding.note(Reading("clock", "all", D(2000), D(1000), "ms", Level.TRIPPED, "x"))
    assert Guard.objects.get().since > since


def test_what_was_never_measured_is_not_shown_as_clear() -> None:
    guarding.note(Reading("clock", "all", None, D(1000), "ms", Level.CLEAR))
    row = reports.guard_row(Guard.objects.get(name="clock"), {})
    assert (row["state_text"], row["tone"], row["filled"]) == ("Nothing measured", "", None)
    guarding.note(Reading("clock", "all", D(0), D(1000), "ms", Level.CLEAR))
    row = reports.guard_row(Guard.objects.get(name="clock"), {})
    assert (row["state_text"], row["tone"], row["filled"]) == ("Clear", "ok", "0")
    guarding.note(Reading("access", "all", None, None, "", Level.CLEAR))
    row = reports.guard_row(Guard.objects.get(name="access"), {})
    assert row["state_text"] == "Clear", "it knows only yes and no"
