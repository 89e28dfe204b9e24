"""How much prices move, and whether BTC is calm enough for others to buy: pure, from candles.

Shares are plain numbers (0.02 is 2 %); times are the exchange's clock in ms since 1970.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise

from market.types import ONE, ZERO, Candle, plain

MINUTE_MS = 60_000
YEAR_MS = 365 * 24 * 60 * MINUTE_MS
SLACK_MS = 5 * MINUTE_MS  # how far from the wanted minute a recorded one may be


def change(before: Decimal, after: Decimal) -> Decimal:
    """The simple return from one price to another."""
    return after / before - ONE


def returns(candles: Sequence[Candle]) -> list[Decimal]:
    """Returns from close to close: one fewer than there are bars."""
    return [change(before.close, after.close) for before, after in pairwise(candles)]


def spread(candles: Sequence[Candle]) -> Decimal:
    """From lowest low to highest high, as a share of the first open. Raises ValueError if empty."""
    if not candles:
        raise ValueError("no bars, so no range")
    low, high = min(bar.low for bar in candles), max(bar.high for bar in candles)
    return (high - low) / candles[0].open


def spreads(candles: Sequence[Candle], length_ms: int) -> list[Decimal]:
    """The ranges of all stretches of that length that begin at a multiple of it, oldest first."""
    stretches: dict[int, list[Candle]] = {}
    for bar in candles:
        stretches.setdefault(bar.time // length_ms, []).append(bar)
    return [spread(stretches[number]) for number in sorted(stretches)]


def median(values: Iterable[Decimal]) -> Decimal:
    """The middle value, or the mean of the two in the middle. ValueError if empty."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no values, so no median")
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2


def true_ranges(candles: Sequence[Candle]) -> list[Decimal]:
    """Range of each bar but the first, in quote, from the close before on (Wilder 1978)."""
    return [
        max(bar.high, before.close) - min(bar.low, before.close)
        for before, bar in pairwise(candles)
    ]


def atr(candles: Sequence[Candle], period: int = 14) -> Decimal | None:
    """Average true range in quote, smoothed as Wilder does; None with too few bars for it."""
    ranges = true_ranges(candles)
    if period < 1 or len(ranges) < period:
        return None
    average = sum(ranges[:period], ZERO) / period
    for each in ranges[period:]:
        average = (average * (period - 1) + each) / period
    return average


def realised(candles: Sequence[Candle]) -> Decimal | None:
    """Realised volatility as a share a year: root of the squared log returns over the time taken.

    Bars that are missing lengthen the time between two closes and so inflate nothing. None with
    fewer than two bars.
    """
    if len(candles) < 2:  # noqa: PLR2004 - one close is no return
        return None
    steps = [(after.close / before.close).ln() for before, after in pairwise(candles)]
    squares = sum((step * step for step in steps), ZERO)
    return (squares * YEAR_MS / (candles[-1].time - candles[0].time)).sqrt()


@dataclass(frozen=True, slots=True)
class StabilityRule:
    """When a coin counts as unstable, and when as stable again: two thresholds, so no flapping."""

    closes_at: Decimal = Decimal("0.02")  # |return over the window| from here on closes
    opens_below: Decimal = Decimal("0.01")  # and less than this, for `calm_ms`, opens
    window_ms: int = 60 * MINUTE_MS
    calm_ms: int = 15 * MINUTE_MS
    name: str = "BTC"  # whose prices these are, for the reasons


BTC_STABLE = StabilityRule()


@dataclass(frozen=True, slots=True)
class Stability:
    """Whether buys may go on. `reason` says why not; `calm_since` when the wait for calm began."""

    stable: bool
    reason: str
    time: int  # of the last observation
    calm_since: int | None = None


UNKNOWN = Stability(stable=False, reason="nothing is known of it yet", time=0)


def observe(
    before: Stability,
    time: int,
    price: Decimal,
    past: Decimal | None,
    *,
    stop_loss: Decimal | None = None,
    fresh: bool = True,
    rule: StabilityRule = BTC_STABLE,
) -> Stability:
    """The state after one more look. `past` is the price one window ago, None when not known.

    `fresh` says whether the price is recent by the machine's clock. After a silence longer than
    five minutes calm is counted anew: nobody saw what happened.
    """
    moved = None if past is None else abs(change(past, price))
    calm_since = before.calm_since if time - before.time <= SLACK_MS else None
    if trouble := _trouble(moved, price, stop_loss, rule, fresh=fresh):
        return Stability(stable=False, reason=trouble, time=time)
    if before.stable:
        return replace(before, time=time)
    if moved is None or moved >= rule.opens_below:
        return Stability(stable=False, reason=before.reason, time=time)
    calm_since = time if calm_since is None else calm_since
    if time - calm_since >= rule.calm_ms:
        return Stability(stable=True, reason="", time=time)
    return Stability(stable=False, reason=before.reason, time=time, calm_since=calm_since)


def _trouble(
    moved: Decimal | None,
    price: Decimal,
    stop_loss: Decimal | None,
    rule: StabilityRule,
    *,
    fresh: bool,
) -> str:
    minutes = rule.window_ms // MINUTE_MS
    if not fresh:
        return f"{rule.name}'s price is stale"
    if stop_loss is not None and price < stop_loss:
        return f"{rule.name} is below its stop-loss of {plain(stop_loss)}"
    if moved is None:
        return f"{rule.name}'s price of {minutes} minutes ago is not known"
    if moved >= rule.closes_at:
        return f"{rule.name} moved {moved * 100:.2f} % in {minutes} minutes"
    return ""


def stability(
    candles: Sequence[Candle],
    time: int,
    price: Decimal,
    *,
    stop_loss: Decimal | None = None,
    fresh: bool = True,
    rule: StabilityRule = BTC_STABLE,
) -> Stability:
    """The state now, found by living through the recorded minutes again: a restart forgets nothing.

    `candles` are one-minute bars, oldest first, of at least the window and the calm time; a day of
    them recalls a longer unrest. Bars after `time` are not looked at.
    """
    ends = [bar.time + MINUTE_MS for bar in candles if bar.time + MINUTE_MS <= time]
    closes = [bar.close for bar in candles[: len(ends)]]

    def one_window_before(moment: int) -> Decimal | None:
        wanted = moment - rule.window_ms
        at = bisect_right(ends, wanted) - 1
        return closes[at] if at >= 0 and wanted - ends[at] <= SLACK_MS else None

    state = UNKNOWN
    for end, close in zip(ends, closes, strict=True):
        past = one_window_before(end)
        if past is not None:  # the first hour can only be looked back upon
            state = observe(state, end, close, past, stop_loss=stop_loss, rule=rule)
    past = one_window_before(time)
    return observe(state, time, price, past, stop_loss=stop_loss, fresh=fresh, rule=rule)
