"""What each guard concludes from what it measures: pure rules, no clock, no rows.

A guard is CLEAR, WARNING or TRIPPED. Where a limit could flap, clearing needs more than falling
back below it: a lower threshold (hysteresis), or time (cooldown).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from market.exchange import KeyTerms
from market.types import ZERO, Candle
from market.volatility import MINUTE_MS, change, median, spread, spreads

RANGE_MS = 5 * MINUTE_MS
KEY_DAYS = Decimal(14)  # a key that ends sooner is worth an alert
SHOWN = 3  # of many things in one sentence
MARGIN = Decimal("0.95")  # of a limit of loss: what is lost has to fall below that to clear
LEAST_STRETCHES = 12  # five-minute ranges, an hour of them, before their median means anything


class Level(StrEnum):
    """How a guard stands; the same words as risk.models.Guard.State."""

    CLEAR = "clear"
    WARNING = "warning"
    TRIPPED = "tripped"


@dataclass(frozen=True, slots=True)
class Reading:
    """One look of a guard at one subject."""

    name: str
    subject: str
    value: Decimal | None
    limit: Decimal | None
    unit: str
    level: Level
    did: str = ""  # what follows from it, in words
    no_buys: bool = False  # buys are withheld while it is TRIPPED
    kills: bool = False  # tripping is a kill
    until: int | None = None  # not clear before, ms on the market's clock
    tier: Decimal | None = None  # the highest alert that it stands above; another one is news


def above(
    value: Decimal, *, warn: Decimal | None, trip: Decimal, clear: Decimal, before: Level
) -> Level:
    """TRIPPED above `trip`, and until not above `clear`; WARNING above `warn`."""
    if value > trip or (before is Level.TRIPPED and value > clear):
        return Level.TRIPPED
    if warn is not None and value > warn:
        return Level.WARNING
    return Level.CLEAR


@dataclass(frozen=True, slots=True)
class Burst:
    """A bar at which a pair moved too fast."""

    time: int
    what: str


def usual_range(bars: Sequence[Candle]) -> Decimal | None:
    """The median five-minute range of these bars, as a share; None with too few of them."""
    found = spreads(bars, RANGE_MS)
    return median(found) if len(found) >= LEAST_STRETCHES else None


def bursts(
    bars: Sequence[Candle], usual: Decimal | None, *, most: Decimal, ratio: Decimal
) -> Sequence[Burst]:
    """Every bar that moved more than `most` in its minute, or that ends five wild minutes.

    Wild is a range of more than `ratio` times the `usual` one. Bars are of one minute, oldest
    first; across a gap no minute's return is known.
    """
    found = []
    for i, bar in enumerate(bars):
        before = bars[i - 1] if i and bar.time - bars[i - 1].time == MINUTE_MS else None
        moved = abs(change(before.close if before else bar.open, bar.close))
        last = [each for each in bars[max(0, i - 4) : i + 1] if bar.time - each.time < RANGE_MS]
        span = spread(last)
        if moved > most:
            found.append(Burst(bar.time, f"{moved * 100:.2f} % in one minute"))
        elif usual and span > ratio * usual:
            found.append(Burst(bar.time, f"range {span / usual:.1f} times the usual"))
    return found


def breaker(
    symbol: str, bars: Sequence[Candle], usual: Decimal | None, now: int,
    *, most: Decimal, ratio: Decimal, minutes: int,
) -> Reading:  # fmt: skip
    """The volatility breaker of a pair: tripped until so many minutes after the last burst.

    `now` is the market's clock, ms; the cooldown runs on it.
    """
    moved = abs(change(bars[-2].close, bars[-1].close)) if len(bars) > 1 else ZERO
    wild = [
        burst
        for burst in bursts(bars, usual, most=most, ratio=ratio)
        if now - burst.time < (minutes + 1) * MINUTE_MS
    ]
    return Reading(
        "volatility", f"pair:{symbol}", moved, most, "share a minute",
        Level.TRIPPED if wild else Level.CLEAR,
        f"buys withheld for {minutes} min after {wild[-1].what}" if wild else "",
        no_buys=True, until=wild[-1].time + (minutes + 1) * MINUTE_MS if wild else None,
    )  # fmt: skip


def breakers(readings: Sequence[Reading], to_kill: int) -> Reading:
    """How many pairs are wild at once; so many are a kill."""
    tripped = [reading.subject for reading in readings if reading.level is Level.TRIPPED]
    level = Level.TRIPPED if len(tripped) >= to_kill else Level.CLEAR
    names = ", ".join(subject.removeprefix("pair:") for subject in tripped)
    did = f"killed: {names} are wild at once" if level is Level.TRIPPED else ""
    count = Decimal(len(tripped))
    return Reading("breakers", "all", count, Decimal(to_kill), "pairs", level, did, kills=True)


def api_errors(
    calls: int, failures: int, *, most: Decimal, least_calls: int, before: Level
) -> Reading:
    """The share of calls of the exchange that failed; from `least_calls` on, too many are a kill.

    It clears below half of the limit, or when too few calls are left in the window to judge.
    """
    share = Decimal(failures) / calls if calls else ZERO
    level = Level.CLEAR
    if calls >= least_calls:
        level = above(share, warn=most / 2, trip=most, clear=most / 2, before=before)
    did = f"killed: {failures} of {calls} calls failed" if level is Level.TRIPPED else ""
    return Reading("API errors", "all", share, most, "share of calls", level, did, kills=True)


def tier_of(value: Decimal, alerts: Sequence[Decimal], before: Decimal | None) -> Decimal | None:
    """The highest alert that a value has reached; one that was reached holds until 95 % of it."""
    held = [each for each in alerts if before is not None and each <= before]
    return max(
        (each for each in alerts if value >= (each * MARGIN if each in held else each)),
        default=None,
    )


def equity(
    worth: Decimal, deposits: Decimal,
    *, alerts: Sequence[Decimal], kill: Decimal, before: Level, tier: Decimal | None,
) -> Reading:  # fmt: skip
    """What is lost of net deposits: alerts at some shares, a kill beyond the last.

    `tier` is the alert that it stood above before.
    """
    lost = max(ZERO, 1 - worth / deposits) if deposits > 0 else ZERO
    level = above(lost, warn=None, trip=kill, clear=kill * MARGIN, before=before)
    tier = tier_of(lost, alerts, tier)
    did = ""
    if level is Level.TRIPPED:
        did = f"killed: {lost * 100:.1f} % of net deposits are lost"
    elif tier is not None:
        level, did = Level.WARNING, f"alert: {percent(tier)} of net deposits are lost"
    return Reading("equity", "all", lost, kill, "share lost", level, did, kills=True, tier=tier)


def drawdown(
    worth: Decimal, highest: Decimal, *, alerts: Sequence[Decimal], tier: Decimal | None
) -> Reading:
    """How far equity is below its highest: alerts only, the kill stands on net deposits."""
    fallen = max(ZERO, 1 - worth / highest) if highest > 0 else ZERO
    tier = tier_of(fallen, alerts, tier)
    did = "" if tier is None else f"alert: {percent(tier)} below the highest"
    level = Level.CLEAR if tier is None else Level.WARNING
    limit = min(alerts)
    return Reading(
        "drawdown", "all", fallen, limit, "share of highest", level, did, tier=tier
    )  # fmt: skip


def silence(name: str, subject: str, seconds: Decimal, *, limit: Decimal, before: Level) -> Reading:
    """For how long nothing was heard; buys are withheld until it speaks again."""
    level = above(seconds, warn=None, trip=limit, clear=limit / 3, before=before)
    did = f"buys withheld after {limit:f} s of silence" if level is Level.TRIPPED else ""
    return Reading(name, subject, seconds, limit, "s", level, did, no_buys=True)


def overdue(name: str, subject: str, seconds: Decimal, *, limit: Decimal) -> Reading:
    """Something that should have been done by now."""
    level = Level.TRIPPED if seconds > limit else Level.CLEAR
    did = f"alert: not done after {limit:f} s, tried on" if level is Level.TRIPPED else ""
    return Reading(name, subject, seconds, limit, "s", level, did)


def unfinished(trouble: str, open_orders: int | None, *, incomplete: bool) -> Reading:
    """A kill that takes too long; it goes on all the while."""
    level = Level.TRIPPED if incomplete else Level.CLEAR
    did = f"alert: INCOMPLETE and goes on: {trouble}"[:200] if incomplete else ""
    count = None if open_orders is None else Decimal(open_orders)
    return Reading("kill", "all", count, ZERO, "orders open", level, did)


def clock(offset_ms: Decimal, *, warn: Decimal, stop: Decimal, before: Level) -> Reading:
    """How far our clock is from the exchange's, either way; clears below the warning."""
    off = abs(offset_ms)
    level = above(off, warn=warn, trip=stop, clear=warn, before=before)
    did = f"buys withheld: the clock is off by {off:.0f} ms" if level is Level.TRIPPED else ""
    if level is Level.WARNING:
        did = f"alert: the clock is off by {off:.0f} ms"
    return Reading("clock", "all", off, stop, "ms", level, did, no_buys=True)


def differences(name: str, found: Sequence[str], unit: str) -> Reading:
    """Things that we and the exchange see differently, and that last; buys are withheld."""
    level = Level.TRIPPED if found else Level.CLEAR
    did = f"buys withheld: {'; '.join(found[:SHOWN])}" if found else ""
    return Reading(name, "all", Decimal(len(found)), ZERO, unit, level, did[:200], no_buys=True)


def residual(subject: str, told: str) -> Reading:
    """What a bot's total PnL has beyond its parts, and that lasts; its buys are withheld."""
    level = Level.TRIPPED if told else Level.CLEAR
    did = f"buys withheld: the ledger is beyond its parts by {told}" if told else ""
    return Reading("identity", subject, None, ZERO, "quote", level, did[:200], no_buys=True)


def listing(symbol: str, trouble: str) -> Reading:
    """Whether the exchange trades a pair; buys are withheld while it does not."""
    level = Level.TRIPPED if trouble else Level.CLEAR
    did = f"buys withheld: {trouble}" if trouble else ""
    return Reading("listing", f"pair:{symbol}", None, None, "", level, did[:200], no_buys=True)


def fees(subject: str, worst: Decimal, maker: Decimal) -> Reading:
    """Whether a bot's poorest round trip still earns at the rates of today (share of its cost)."""
    loses = worst <= 0
    level = Level.TRIPPED if loses else Level.CLEAR
    did = f"buys withheld: at {percent(maker)} a side a round trip earns nothing" if loses else ""
    return Reading("fees", subject, worst, ZERO, "share", level, did, no_buys=True)


def access(trouble: str) -> Reading:
    """Whether the exchange lets this account trade; a person has to mend what is wrong."""
    level = Level.TRIPPED if trouble else Level.CLEAR
    did = f"buys withheld: {trouble}" if trouble else ""
    return Reading("access", "all", None, None, "", level, did[:200], no_buys=True)


def api_key(key: KeyTerms, now: datetime) -> Reading:
    """What a key may do: one that could take coins away, or cannot trade, stops buys."""
    left = None if key.expires is None else Decimal((key.expires - now) // timedelta(days=1))
    ends = "" if key.expires is None else f"it ends on {key.expires:%Y-%m-%d}"
    level, did = Level.CLEAR, ""
    if trouble := _no_key_for_us(key, left):
        level, did = Level.TRIPPED, f"buys withheld: {trouble}"
    elif not key.is_known:
        level, did = Level.WARNING, "alert: what the key may do cannot be read"
    elif not key.bound_to_addresses:
        level, did = Level.WARNING, f"alert: the key works from any address; {ends or 'bind it'}"
    elif left is not None and left < KEY_DAYS:
        level, did = Level.WARNING, f"alert: the key is about to end; {ends}"
    return Reading("API key", "all", left, KEY_DAYS, "days left", level, did, no_buys=True)


def _no_key_for_us(key: KeyTerms, days_left: Decimal | None) -> str:
    """Why a key is refused; "" for one that is accepted."""
    if key.may_withdraw:
        return "the key may withdraw coins; one that may trade spot and no more is accepted"
    if key.read_only or not key.may_trade_spot:
        return "the key may not trade spot; one that may is accepted"
    if days_left is not None and days_left < 0:
        return "the key has ended; a new one is accepted"
    return ""


def foreign(orders: Sequence[str]) -> Reading:
    """Orders on the account that are not of our making: shown, never touched."""
    level = Level.WARNING if orders else Level.CLEAR
    shown = "; ".join(orders[:SHOWN])
    did = f"alert: {len(orders)} foreign on the account, left alone: {shown}" if orders else ""
    return Reading("foreign orders", "all", Decimal(len(orders)), ZERO, "orders", level, did[:200])


def percent(share: Decimal) -> str:
    """0.025 as "2.5 %"."""
    return f"{(share * 100).normalize():f} %"


def is_below(level: Decimal, last: Decimal, bid: Decimal) -> bool:
    """The two-source rule of a stop-loss: the last trade and the best bid are both below it."""
    return last < level and bid < level


def is_far(price: Decimal, reference: Decimal, share: Decimal) -> bool:
    """Whether a price is further from the reference than this share of it, either way."""
    return abs(change(reference, price)) > share
