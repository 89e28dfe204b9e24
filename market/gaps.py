"""Which closed bars are missing, and what is known about them."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import NamedTuple

from django.db import connection, transaction
from django.db.models import Min

from market.intervals import length_ms, opening
from market.models import Candle, Gap
from market.types import milliseconds, moment

# Closed bars next to each other in time, the borders of the window standing for bars outside it.
_MISSING = """
    WITH kept AS (
        SELECT time FROM market_candle
        WHERE symbol = %(symbol)s AND interval = %(interval)s AND closed
          AND time >= %(start)s AND time <= %(end)s
        UNION ALL SELECT %(start)s::timestamptz - %(length)s::interval
        UNION ALL SELECT %(end)s::timestamptz + %(length)s::interval
    ), pairs AS (
        SELECT time, lead(time) OVER (ORDER BY time) AS following FROM kept
    )
    SELECT time + %(length)s::interval, following - %(length)s::interval
    FROM pairs WHERE following > time + %(length)s::interval
    ORDER BY time
"""


class Span(NamedTuple):
    """Openings from `start` to `end`, both included (exchange clock, ms)."""

    start: int
    end: int

    def bars(self, interval: str) -> int:
        return (self.end - self.start) // length_ms(interval) + 1

    def pieces(self, interval: str, most: int) -> Iterable["Span"]:
        """The span in parts of at most so many bars, the newest first: decisions look back."""
        length = length_ms(interval)
        for end in range(self.end, self.start - 1, -most * length):
            yield Span(max(self.start, end - (most - 1) * length), end)


def whole_bars(interval: str, start: int, end: int) -> Span | None:
    """The bars that open and end within [start, end); None when there is none."""
    length = length_ms(interval)
    first = opening(interval, start + length - 1)
    last = opening(interval, end) - length
    return Span(first, last) if first <= last else None


def missing(symbol: str, interval: str, span: Span) -> Sequence[Span]:
    """The closed bars of a span that are not there, as spans, the oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            _MISSING,
            {
                "symbol": symbol,
                "interval": interval,
                "start": moment(span.start),
                "end": moment(span.end),
                "length": timedelta(milliseconds=length_ms(interval)),
            },
        )
        return [Span(milliseconds(a), milliseconds(b)) for a, b in cursor.fetchall()]


@transaction.atomic
def remember(symbol: str, interval: str, span: Span, asked: Sequence[Span]) -> int:
    """Write down what of a span is missing now; returns how many bars may still be had.

    `asked` are the parts for which the exchange has answered: what is missing there it has not.
    """
    length = length_ms(interval)
    left = missing(symbol, interval, span)
    open_parts = [part for gap in left for part in less(gap, asked, length)]
    absent = [part for gap in left for part in less(gap, open_parts, length)]
    Gap.objects.filter(symbol=symbol, interval=interval).delete()
    Gap.objects.bulk_create(
        Gap(
            symbol=symbol,
            interval=interval,
            start=moment(part.start),
            end=moment(part.end),
            bars=part.bars(interval),
            absent=part in absent,
        )
        for part in (*open_parts, *absent)
    )
    return sum(part.bars(interval) for part in open_parts)


def less(span: Span, holes: Iterable[Span], length: int) -> Iterable[Span]:
    """The parts of a span outside of the holes; bars are `length` ms apart."""
    start = span.start
    for hole in sorted(holes):
        if hole.end < start or hole.start > span.end:
            continue
        if hole.start > start:
            yield Span(start, hole.start - length)
        start = hole.end + length
    if start <= span.end:
        yield Span(start, span.end)


def span_to_watch(symbol: str, interval: str, now: int, warm_ms: int, reach_ms: int) -> Span | None:
    """What should be complete at `now` (exchange clock): all since the first bar, at least the
    time that decisions look back on, at most `reach_ms`.
    """
    rows = Candle.objects.filter(symbol=symbol, interval=interval, closed=True)
    first = rows.aggregate(first=Min("time"))["first"]
    start = now - warm_ms
    if first is not None:
        start = min(start, milliseconds(first))
    return whole_bars(interval, max(start, now - reach_ms), now)
