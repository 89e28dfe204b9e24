"""Klines of any interval, computed from the same path that fills orders."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from integrations.bybit.simulator.path import Path
from market.types import ZERO

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY
MONDAY = 4 * DAY  # 1970-01-05, the first Monday of the epoch
FIXED = {
    **{str(n): n * MINUTE for n in (1, 3, 5, 15, 30, 60, 120, 240, 360, 720)},
    "D": DAY,
    "W": WEEK,
}
INTERVALS = frozenset({*FIXED, "M"})
HOURS_KEPT = 3_000
PAST = 30 * DAY  # how far the history reaches back before the tape's start


@dataclass(frozen=True, slots=True)
class Bar:
    """One kline; prices in ticks, `end` is the first millisecond after it."""

    start: int
    end: int
    open: int
    high: int
    low: int
    close: int
    volume: Decimal
    turnover: Decimal


def bar_start(interval: str, time: int) -> int:
    """The start of the bar that contains `time` (UTC; weeks begin on Monday)."""
    if interval == "M":
        month = datetime.fromtimestamp(time / 1000, UTC)
        first = month.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        return int(first.timestamp()) * 1000
    if interval == "W":
        return time - (time - MONDAY) % WEEK
    return time - time % FIXED[interval]


def bar_end(interval: str, start: int) -> int:
    """The start of the bar after the one that begins at `start`."""
    if interval == "M":
        return bar_start("M", start + int(timedelta(days=32).total_seconds()) * 1000)
    return start + FIXED[interval]


class Bars:
    """The klines of one pair. Whole past hours are remembered, so that long bars stay cheap."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._hours: OrderedDict[int, Bar] = OrderedDict()

    def bar(self, start: int, end: int, now: int) -> Bar:
        """The bar over [start, end) as it stands at `now` (it may be unfinished)."""
        if end - start <= HOUR:
            return self._drawn(start, end, min(end - 1, now))
        parts = [self._hour(at, now) for at in range(start, min(end, now + 1), HOUR)]
        return Bar(
            start=start,
            end=end,
            open=parts[0].open,
            high=max(part.high for part in parts),
            low=min(part.low for part in parts),
            close=parts[-1].close,
            volume=sum((part.volume for part in parts), ZERO),
            turnover=sum((part.turnover for part in parts), ZERO),
        )

    def newest_first(self, interval: str, start: int, end: int, now: int) -> Iterator[Bar]:
        """Bars that begin in [start, end], the last of them perhaps unfinished."""
        at = bar_start(interval, min(end, now))
        while at >= start:
            yield self.bar(at, bar_end(interval, at), now)
            at = bar_start(interval, at - 1)

    def _hour(self, start: int, now: int) -> Bar:
        if start in self._hours:
            return self._hours[start]
        hour = self._drawn(start, start + HOUR, min(start + HOUR - 1, now))
        if hour.end <= now:
            self._hours[start] = hour
            if len(self._hours) > HOURS_KEPT:
                self._hours.popitem(last=False)
        return hour

    def _drawn(self, start: int, end: int, until: int) -> Bar:
        opened, close = self._path.at(start), self._path.at(until)
        prices = [opened, close, *(ticks for _, ticks in self._path.corners(start, until))]
        volume, turnover = self._path.traded(start, until + 1)
        return Bar(start, end, opened, max(prices), min(prices), close, volume, turnover)
