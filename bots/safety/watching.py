"""What the watchdog measures in the database: volatility, calls, equity, BTC, silence."""

import logging
import time
from collections import defaultdict
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

from django.utils import timezone

from bots.books import highs, identity, ledger, worth
from bots.models import Bot, CapitalMove
from bots.safety import guarding
from bots.safety.guarding import standing, tier_of
from bots.safety.stoploss import STOP_LOSS, TRAILING_STOP, StopLosses
from bots.terms import references_of
from market import series
from market.models import Price
from market.types import ZERO
from market.volatility import MINUTE_MS, StabilityRule, stability
from risk import calls, guards, halts, policy, pulse
from risk.guards import Level, Reading
from risk.models import Guard, Policy

log = logging.getLogger(__name__)

DAY_BARS, LATELY_BARS, HOURS_BARS = 24 * 60, 30, 4 * 60
PRICE_AGE = timedelta(seconds=5)  # an older price stops nothing
EXIT_WITHIN_S = Decimal(30)  # a sale at the market that takes longer is an alarm
NO_STOP_LOSS = "none is set; the guard of equity bounds the loss"
SELL = Bot.Exit.SELL
EQUITY_EVERY_S = 5.0
USUAL_FOR_S = 60.0  # a median of 24 hours is good for that long
ALIVE = (Bot.State.DEPLOYING, Bot.State.RUNNING, Bot.State.PAUSED, Bot.State.STOPPING)


class Watch:
    """The guards that the database alone can judge."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._summed = 0.0
        self._stops = StopLosses()
        self._usual: dict[str, tuple[float, Decimal | None]] = {}
        self._off: Mapping[str, identity.Residual] = {}

    def judge(self) -> None:
        """Look at everything once. Raises DatabaseError while the database is away."""
        thresholds = policy.current()
        bots = list(Bot.objects.filter(state__in=ALIVE).select_related("config"))
        prices = {row.symbol: row for row in Price.objects.all()}
        symbols = sorted({bot.symbol for bot in bots} & prices.keys())
        pairs = [self._breaker(symbol, prices[symbol], thresholds) for symbol in symbols]
        for reading in pairs:
            guarding.note(reading)
        guarding.note(guards.breakers(pairs, thresholds.breakers_to_kill))
        counted = calls.rate()
        guarding.note(
            guards.api_errors(
                counted.calls,
                counted.failures,
                most=thresholds.api_errors,
                least_calls=thresholds.api_calls,
                before=standing("API errors", "all"),
            )
        )
        if time.monotonic() - self._summed > EQUITY_EVERY_S:
            self._summed = time.monotonic()
            _judge_equity(thresholds)
            self._judge_identity()
        looked_at = {pair for bot in bots if bot.config for pair in references_of(bot.config)}
        for pair in sorted(looked_at):
            guarding.note(_gate(pair, prices.get(pair), bots, thresholds))
        self._judge_kill()
        self._judge_silence(bots, thresholds)
        self._judge_stops(prices)

    def _breaker(self, symbol: str, price: Price, thresholds: Policy) -> Reading:
        now = price.to_domain().time
        bars = series.read(symbol, "1", now, LATELY_BARS)
        return guards.breaker(
            symbol, bars, self._usual_range(symbol, now), now,
            most=thresholds.breaker_return, ratio=thresholds.breaker_range,
            minutes=thresholds.breaker_minutes,
        )  # fmt: skip

    def _usual_range(self, symbol: str, now: int) -> Decimal | None:
        at, usual = self._usual.get(symbol, (0.0, None))
        if not at or time.monotonic() - at > USUAL_FOR_S:
            usual = guards.usual_range(series.read(symbol, "1", now, DAY_BARS))
            self._usual[symbol] = time.monotonic(), usual
        return usual

    def _judge_stops(self, prices: Mapping[str, Price]) -> None:
        """Stop-losses on the prices that are kept: the stream may be away while ticks ask REST."""
        fresh = timezone.now() - PRICE_AGE
        _note_stop_levels(prices)
        for row in prices.values():
            tick = row.to_domain()
            if row.received_at > fresh and self._stops.believes(tick):
                self._stops.see(tick)
        _judge_exits()

    def _judge_kill(self) -> None:
        halt = halts.killed()
        guarding.note(
            guards.unfinished(
                halt.trouble if halt else "",
                halt.open_orders if halt else None,
                incomplete=halt is not None and halt.state == halts.State.INCOMPLETE,
            )
        )

    def _judge_identity(self) -> None:
        """Total PnL by the ledger against its parts, at two looks: fills are booked in a moment."""
        found = {bot.subject: identity.residual(bot) for bot in Bot.objects.exclude(config=None)}
        for subject, rest in found.items():
            lasts = not rest.is_zero and self._off.get(subject) == rest
            guarding.note(guards.residual(subject, str(rest) if lasts else ""))
        self._off = found

    def _judge_silence(self, bots: list[Bot], thresholds: Policy) -> None:
        """The dead-man rules: bots that nobody ticks, feeds that say nothing."""
        if halts.killed() is not None:
            return  # ticks stand back while a kill is at work
        lived = Decimal(round(time.monotonic() - self._began))
        now = timezone.now()
        for bot in bots:
            seen = bot.looked_at or bot.state_since
            quiet = Decimal(round((now - seen).total_seconds())) if seen else ZERO
            _note_silence("ticks", bot.subject, min(quiet, lived), thresholds.tick_silence)
        for symbol in sorted({bot.symbol for bot in bots}):
            silence = pulse.silence(f"{pulse.STREAM}:{symbol}")
            quiet = lived if silence is None else Decimal(round(silence.total_seconds()))
            _note_silence("feed", f"pair:{symbol}", min(quiet, lived), thresholds.stream_silence)


def _note_stop_levels(prices: Mapping[str, Price]) -> None:
    """How far each bot is from its stop-loss; one without shows that it has none.

    A guard that is tripped is left alone: the stream's process may have tripped it just now.
    """
    now = timezone.now()
    for bot in Bot.objects.filter(state__in=ALIVE).select_related("config"):
        price, level = prices.get(bot.symbol), bot.config.stop_loss if bot.config else None
        facts = {
            "value": price.last if price else None,
            "limit": level,
            "did": "" if level is not None else NO_STOP_LOSS,
            "checked_at": now,
        }
        known = Guard.objects.filter(name="stop-loss", subject=bot.subject)
        if not known.filter(state=Guard.State.CLEAR).update(**facts):
            Guard.objects.get_or_create(
                name="stop-loss", subject=bot.subject,
                defaults={**facts, "unit": "quote", "since": now},
            )  # fmt: skip


def _judge_exits() -> None:
    """Bots that should have left the market by now; and stop-losses of bots that run again."""
    now = timezone.now()
    bots = {bot.subject: bot for bot in Bot.objects.exclude(config=None)}
    leaving = [b for b in bots.values() if b.state == Bot.State.STOPPING and b.exit == SELL]
    noted = Guard.objects.filter(name="exit", state=Guard.State.TRIPPED)
    late = set(noted.values_list("subject", flat=True)) | {bot.subject for bot in leaving}
    for subject in sorted(late & bots.keys()):
        bot = bots[subject]
        begun = bot.state_since if bot in leaving else None
        seconds = Decimal(round((now - begun).total_seconds())) if begun else ZERO
        guarding.note(guards.overdue("exit", subject, seconds, limit=EXIT_WITHIN_S))
    stops = (STOP_LOSS, TRAILING_STOP)
    for guard in Guard.objects.filter(name__in=stops, state=Guard.State.TRIPPED):
        runs = guard.subject in bots and bots[guard.subject].state == Bot.State.RUNNING
        if runs:
            guarding.note(
                Reading(guard.name, guard.subject, None, guard.limit, "quote", Level.CLEAR)
            )


def _note_silence(name: str, subject: str, seconds: Decimal, limit: int) -> None:
    before = standing(name, subject)
    guarding.note(
        guards.silence(name, subject, max(seconds, ZERO), limit=Decimal(limit), before=before)
    )


def _judge_equity(thresholds: Policy) -> None:
    worth, deposits = ledger.equity(), net_deposits()
    if worth is None or deposits is None or deposits <= 0:
        return
    alerts = [thresholds.equity_alert, thresholds.equity_alert_2, thresholds.equity_alert_3]
    guarding.note(
        guards.equity(
            worth,
            deposits,
            alerts=alerts,
            kill=thresholds.equity_kill,
            before=standing("equity", "all"),
            tier=tier_of("equity", "all"),
        )
    )
    mark = highs.of()
    net = worth if mark is None else worth - (ledger.given() - mark.first)
    high = net if mark is None else max(net, mark.high)
    tier = tier_of("drawdown", "all")
    guarding.note(guards.drawdown(net, high, alerts=alerts, tier=tier))


def net_deposits() -> Decimal | None:
    """What came into the account less what left it, in quote; coins at their last prices.

    None while a price is not known. With coins of its own the account's loss is then what trading
    lost, not what holding them did.
    """
    moves: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for coin, amount in CapitalMove.objects.values_list("coin", "amount"):
        moves[coin] += amount
    return worth.of_all(moves)


def _gate(pair: str, price: Price | None, bots: list[Bot], thresholds: Policy) -> Reading:
    """Whether bots that look at this pair may buy: only while it is stable."""
    coin = pair.removesuffix("USDT")
    fresh = price is not None and timezone.now() - price.received_at < timedelta(
        seconds=thresholds.stream_silence
    )
    stops = [b.config.stop_loss for b in bots if b.symbol == pair and b.config]
    stop_loss = max((stop for stop in stops if stop is not None), default=None)
    rule = StabilityRule(
        closes_at=thresholds.btc_closes,
        opens_below=thresholds.btc_opens,
        calm_ms=thresholds.btc_calm_minutes * MINUTE_MS,
        name=coin,
    )
    if price is None:
        reason, moved = f"{coin}'s price is not known", None
    else:
        tick = price.to_domain()
        bars = series.read(pair, "1", tick.time, HOURS_BARS)
        found = stability(bars, tick.time, tick.last, stop_loss=stop_loss, fresh=fresh, rule=rule)
        reason = found.reason
        hour = [bar for bar in bars if tick.time - bar.time <= 61 * MINUTE_MS]
        moved = abs(tick.last / hour[0].open - 1) if hour else None
    level = Level.TRIPPED if reason else Level.CLEAR
    return Reading(
        f"{coin} gate", guarding.gate_of(pair), moved, thresholds.btc_closes, "share an hour",
        level, f"buys withheld: {reason}" if reason else "", no_buys=True,
    )  # fmt: skip
