"""A price as a continuous function of time: candles played for ever, and marks set by hand.

Prices are whole ticks here, so that every reader (fills, bars, tickers) sees the same number.
Times are milliseconds of the tape's clock.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from itertools import accumulate
from typing import Protocol

from integrations.bybit.simulator.pairs import Pair
from market.matching import path as corners_of
from market.types import ZERO, Candle

Point = tuple[int, int]  # time, ticks


class Path(Protocol):
    """Where price is at any time, and what was traded on the way."""

    def at(self, time: int) -> int:
        """Price in ticks."""

    def corners(self, start: int, end: int) -> Iterator[Point]:
        """The points strictly between two times at which price changes direction."""

    def traded(self, start: int, end: int) -> tuple[Decimal, Decimal]:
        """Base volume and quote turnover from `start` up to `end`."""

    def loops(self, time: int) -> int:
        """How often the source has started over before `time`."""


def between(before: Point, after: Point, time: int) -> int:
    """The price at `time` on the straight line through two points, to the nearest tick."""
    (t0, p0), (t1, p1) = before, after
    if t1 == t0:
        return p1
    return p0 + ((p1 - p0) * (time - t0) * 2 + (t1 - t0)) // ((t1 - t0) * 2)


class CandlePath:
    """Candles from `start` on, over and over: each pass goes on at the price where the last ended.

    A bar's four points are spread evenly over its time, the close on its last millisecond, so a
    bar computed from the path equals the recorded one. Earlier passes continue into the past by
    the same rule: a chart has history on the first day.
    """

    def __init__(self, pair: Pair, candles: Sequence[Candle], interval: int, start: int) -> None:
        first = candles[0].time
        self.start = start
        self.span = candles[-1].time - first + interval
        self._interval = interval
        self._bars = [candle.time - first for candle in candles]
        self._volumes = [ZERO, *accumulate(candle.volume for candle in candles)]
        self._turnovers = [ZERO, *accumulate(candle.turnover for candle in candles)]
        self._times: list[int] = []
        raw: list[int] = []
        for offset, candle in zip(self._bars, candles, strict=True):
            raw += [pair.ticks(price) for price in corners_of(candle)]
            third = interval // 3
            self._times += [offset, offset + third, offset + 2 * third, offset + interval - 1]
        self._raw = raw
        self._growth = Decimal(raw[-1]) / raw[0]
        # A pass is used for hours or days on end; a few neighbours serve charts of the past.
        self._pass = lru_cache(maxsize=4)(self._scaled)

    def _factor(self, loop: int) -> Decimal:
        return self._growth**loop

    def _scaled(self, loop: int) -> list[int]:
        factor = self._factor(loop)
        if factor == 1:
            return self._raw
        scaled = ((ticks * factor).to_integral_value(ROUND_HALF_EVEN) for ticks in self._raw)
        return [max(1, int(ticks)) for ticks in scaled]

    def at(self, time: int) -> int:
        loop, offset = divmod(time - self.start, self.span)
        prices = self._pass(loop)
        i = bisect_right(self._times, offset) - 1
        if i + 1 == len(self._times):
            return prices[i]
        return between((self._times[i], prices[i]), (self._times[i + 1], prices[i + 1]), offset)

    def corners(self, start: int, end: int) -> Iterator[Point]:
        loop, offset = divmod(start - self.start, self.span)
        i = bisect_right(self._times, offset)
        while True:
            base, prices = self.start + loop * self.span, self._pass(loop)
            for corner in range(i, len(self._times)):
                time = base + self._times[corner]
                if time >= end:
                    return
                yield time, prices[corner]
            loop, i = loop + 1, 0

    def traded(self, start: int, end: int) -> tuple[Decimal, Decimal]:
        before, after = self._traded_until(start), self._traded_until(end)
        return after[0] - before[0], after[1] - before[1]

    def _traded_until(self, time: int) -> tuple[Decimal, Decimal]:
        """Volume and turnover since `start`, negative before it."""
        loop, offset = divmod(time - self.start, self.span)
        bar = bisect_right(self._bars, offset) - 1
        share = Decimal(min(offset - self._bars[bar], self._interval)) / self._interval
        volume, turnover = (
            sums[bar] + (sums[bar + 1] - sums[bar]) * share
            for sums in (self._volumes, self._turnovers)
        )
        return (
            self._volumes[-1] * loop + volume,
            self._turnovers[-1] * self._earlier_passes(loop) + turnover * self._factor(loop),
        )

    def _earlier_passes(self, loop: int) -> Decimal:
        """Sum of the price factors of the passes between `start` and pass `loop`."""
        if self._growth == 1:
            return Decimal(loop)
        return (self._factor(loop) - 1) / (self._growth - 1)

    def loops(self, time: int) -> int:
        return max(0, (time - self.start) // self.span)


class ShiftedPath:
    """Another path, moved in time and scaled so that it passes through a given point."""

    def __init__(self, path: Path, shift: int, through: Point) -> None:
        """`shift` is in ms; at `through[0]` the price is `through[1]` ticks."""
        self._path = path
        self._shift = shift
        self._ticks, self._base = through[1], path.at(through[0] - shift)

    def _scaled(self, ticks: int) -> int:
        return max(1, (ticks * self._ticks * 2 + self._base) // (self._base * 2))

    def at(self, time: int) -> int:
        return self._scaled(self._path.at(time - self._shift))

    def corners(self, start: int, end: int) -> Iterator[Point]:
        for time, ticks in self._path.corners(start - self._shift, end - self._shift):
            yield time + self._shift, self._scaled(ticks)

    def traded(self, start: int, end: int) -> tuple[Decimal, Decimal]:
        volume, turnover = self._path.traded(start - self._shift, end - self._shift)
        return volume, turnover * self._ticks / self._base

    def loops(self, time: int) -> int:
        return self._path.loops(time - self._shift)


class MarkedPath:
    """A path that grows by marks (steps by hand) after another path's past."""

    def __init__(self, past: Path) -> None:
        self._past = past
        self._times: list[int] = []
        self._ticks: list[int] = []

    def mark(self, now: int, time: int, ticks: int) -> None:
        """Price goes straight from where it is at `now` to `ticks` at `time`."""
        if not self._times:
            self._times, self._ticks = [now], [self._past.at(now)]
        elif now > self._times[-1]:
            self._times.append(now)
            self._ticks.append(self._ticks[-1])
        self._times.append(time)
        self._ticks.append(ticks)

    def at(self, time: int) -> int:
        if not self._times or time < self._times[0]:
            return self._past.at(time)
        i = bisect_right(self._times, time) - 1
        if i + 1 == len(self._times):
            return self._ticks[i]
        return between(
            (self._times[i], self._ticks[i]), (self._times[i + 1], self._ticks[i + 1]), time
        )

    def corners(self, start: int, end: int) -> Iterator[Point]:
        first = self._times[0] if self._times else end
        if start < first:
            yield from self._past.corners(start, min(first, end))
        lo, hi = bisect_right(self._times, start), bisect_left(self._times, end)
        yield from zip(self._times[lo:hi], self._ticks[lo:hi], strict=True)

    def traded(self, start: int, end: int) -> tuple[Decimal, Decimal]:
        """Marks say nothing of volume: only the past has some."""
        first = self._times[0] if self._times else end
        if start >= first:
            return ZERO, ZERO
        return self._past.traded(start, min(first, end))

    def loops(self, time: int) -> int:
        return self._past.loops(min(time, self._times[0]) if self._times else time)
