"""Which bars can be true: what is refused is counted by its reason and never kept."""

import re
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from market.intervals import DAY_MS, LENGTH_MS, MONDAY_MS, opening
from market.types import ZERO, Candle

SYMBOL = re.compile(r"[A-Z0-9]{1,32}", re.ASCII)
GENESIS_MS = 1_230_940_800_000  # 2009-01-03: no coin had a price before
SLACK_MS = 5 * 60_000  # the topics of one exchange do not tell the time in step
LATE_MS = DAY_MS  # how late a bar may come by a stream; older ones come by REST or from files
MOST = Decimal(10**20)  # what the columns hold before the point

Refusals = Counter[tuple[str, str]]  # (symbol, reason)


class Window(NamedTuple):
    """Between which openings a bar is believed (exchange clock, ms); None is no bound."""

    earliest: int = GENESIS_MS
    latest: int | None = None

    @classmethod
    def at(cls, now: int | None) -> "Window":
        """All history, and nothing that has not happened by the exchange's clock."""
        return cls(latest=None if now is None else now + SLACK_MS)

    @classmethod
    def streamed(cls, now: int | None) -> "Window":
        """What a stream may say: neither what has not happened nor what is long past."""
        if now is None:
            return cls()
        return cls(max(GENESIS_MS, now - LATE_MS), now + SLACK_MS)


def sift(candles: Iterable[Candle], window: Window) -> tuple[list[Candle], Refusals]:
    """The bars that can be true, and how many of the others were refused for what."""
    good: list[Candle] = []
    refused: Refusals = Counter()
    symbol = interval = ""  # of the bar before, when it passed
    for candle in candles:
        known = candle.symbol == symbol and candle.interval == interval
        if known and _is_plainly_sound(candle, window):
            good.append(candle)
        elif reason := fault(candle, window):
            refused[candle.symbol, reason] += 1
        else:
            symbol, interval = candle.symbol, candle.interval
            good.append(candle)
    return good, refused


def _is_plainly_sound(candle: Candle, window: Window) -> bool:
    """No fault, in a few comparisons: history has millions of bars. A no is looked at closely."""
    time = candle.time
    try:
        return (
            ZERO < candle.low <= candle.open <= candle.high < MOST
            and candle.low <= candle.close <= candle.high
            and ZERO <= candle.volume < MOST
            and ZERO <= candle.turnover < MOST
            and window.earliest <= time
            and (window.latest is None or time <= window.latest)
            and time % LENGTH_MS[candle.interval] == (MONDAY_MS if candle.interval == "W" else 0)
        )
    except InvalidOperation:  # NaN cannot be compared
        return False


def fault(candle: Candle, window: Window) -> str:
    """Why a bar is refused; "" when it is believed."""
    if not SYMBOL.fullmatch(candle.symbol):
        return "not a symbol"
    if candle.interval not in LENGTH_MS:
        return "unknown interval"
    return _fault_of_numbers(candle) or _fault_of_time(candle, window)


def _fault_of_numbers(candle: Candle) -> str:
    prices = (candle.open, candle.high, candle.low, candle.close)
    numbers = (*prices, candle.volume, candle.turnover)
    if not all(number.is_finite() for number in numbers):
        return "not a number"
    if min(prices) <= 0 or min(candle.volume, candle.turnover) < 0:
        return "zero or negative"
    if max(numbers) >= MOST:
        return "too large"
    if candle.high < candle.low:
        return "high below low"
    if candle.high != max(prices) or candle.low != min(prices):
        return "high and low do not enclose open and close"
    return ""


def _fault_of_time(candle: Candle, window: Window) -> str:
    if candle.time < window.earliest:
        return "ancient"
    if window.latest is not None and candle.time > window.latest:
        return "in the future"
    if candle.time != opening(candle.interval, candle.time):
        return "opens off its interval"
    return ""
