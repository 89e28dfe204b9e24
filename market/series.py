"""Bars read back, of any interval: minutes as they are, longer ones made of the fewest rows."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from django.db import connection

from market import rollups
from market.intervals import DAY_MS, HOUR_MS, MINUTE_MS, MONDAY_MS, length_ms, opening
from market.models import Candle, Rollup
from market.types import Candle as Bar
from market.types import milliseconds, moment

_BAR = ("open", "high", "low", "close", "volume", "turnover")

_MINUTES = """
    SELECT time, open, high, low, close, volume, turnover, closed, interval '1 minute' AS length
    FROM market_candle
    WHERE symbol = %s AND interval = '1' AND time >= %s AND time < %s"""

_ROLLED_UP = """
    SELECT time, open, high, low, close, volume, turnover, true, %s
    FROM market_rollup
    WHERE symbol = %s AND interval = %s AND time >= %s AND time < %s"""

_BARS = """
    SELECT bin, (array_agg(open ORDER BY time))[1], max(high), min(low),
           (array_agg(close ORDER BY time DESC))[1], sum(volume), sum(turnover),
           bool_and(closed) AND max(time + length) >= bin + %s
    FROM (SELECT *, date_bin(%s, time, %s) AS bin FROM ({parts}) AS parts (
              time, open, high, low, close, volume, turnover, closed, length)) AS binned
    GROUP BY bin ORDER BY bin"""


def read(
    symbol: str, interval: str, end: int, limit: int, start: int | None = None
) -> Sequence[Bar]:
    """The last `limit` bars that open within [start, end] (exchange clock, ms), oldest first.

    Longer bars than a minute are looked for in the time that so many of them take, no longer. The
    exchange's own bars of that interval, where there are any, come before those made of minutes.
    Raises UnknownInterval.
    """
    length = length_ms(interval)
    if interval == "1":
        return _minutes(symbol, start, end, limit)
    last = opening(interval, end)
    first = last - (limit - 1) * length
    if start is not None:
        first = max(first, opening(interval, start + length - 1))
    if first > last:
        return []
    made = {bar.time: bar for bar in _made(symbol, interval, first, last + length)}
    kept = {bar.time: bar for bar in _kept(symbol, interval, first, last, limit)}
    bars = made | kept
    return [bars[time] for time in sorted(bars)]


def oldest(symbol: str, start: int, end: int, limit: int) -> Iterator[Bar]:
    """The first `limit` minutes that open within [start, end] (exchange clock, ms)."""
    rows = Candle.objects.filter(
        symbol=symbol, interval="1", time__gte=moment(start), time__lte=moment(end)
    )
    found = rows.order_by("time").values_list("time", *_BAR, "closed")[:limit]
    return (Bar(symbol, "1", milliseconds(row[0]), *row[1:]) for row in found.iterator())


def first(symbol: str, interval: str) -> int | None:
    """Opening of the oldest bar that one of this interval can be made of; None without any."""
    kept = Candle.objects.filter(symbol=symbol)
    sources = [kept.filter(interval=interval), kept.filter(interval="1")]
    sources += [Rollup.objects.filter(symbol=symbol, interval=made) for made in rollups.INTERVALS]
    oldest = [rows.order_by("time").values_list("time", flat=True).first() for rows in sources]
    found = [time for time in oldest if time is not None]
    return milliseconds(min(found)) if found else None


def _minutes(symbol: str, start: int | None, end: int, limit: int) -> Sequence[Bar]:
    """One-minute bars; looked for near `end` first, so that few chunks have to be opened."""
    near = end - 2 * limit * MINUTE_MS
    if start is None or start < near:
        found = _kept(symbol, "1", near, end, limit)
        if len(found) == limit:
            return found
    return _kept(symbol, "1", start, end, limit)


def _kept(symbol: str, interval: str, start: int | None, end: int, limit: int) -> Sequence[Bar]:
    """Bars that came as they are."""
    rows = Candle.objects.filter(symbol=symbol, interval=interval, time__lte=moment(end))
    if start is not None:
        rows = rows.filter(time__gte=moment(start))
    found = rows.order_by("-time").values_list("time", *_BAR, "closed")[:limit]
    return [Bar(symbol, interval, milliseconds(row[0]), *row[1:]) for row in reversed(found)]


def _made(symbol: str, interval: str, start: int, end: int) -> Iterator[Bar]:
    """Bars made of smaller ones that open in [start, end); both ends are openings of bars."""
    length = timedelta(milliseconds=length_ms(interval))
    parts, values = _parts(symbol, length_ms(interval), start, end)
    origin = moment(MONDAY_MS if interval == "W" else 0)
    with connection.cursor() as cursor:
        cursor.execute(_BARS.format(parts=parts), [length, length, origin, *values])
        for row in cursor.fetchall():
            yield Bar(symbol, interval, milliseconds(row[0]), *row[1:])


def _parts(symbol: str, length: int, start: int, end: int) -> tuple[str, list[object]]:
    """Days, then hours, then minutes: each as far as it reaches, and as it fits the bars."""
    queries: list[str] = []
    values: list[object] = []
    for interval, size in (("D", DAY_MS), ("60", HOUR_MS)):
        # The newest may still lack minutes: what it covers is read from smaller bars.
        until = rollups.newest(symbol, interval) if length % size == 0 else None
        if until is None or until <= start:
            continue
        until = min(until, end)
        queries.append(_ROLLED_UP)
        values += [timedelta(milliseconds=size), symbol, interval, moment(start), moment(until)]
        start = until
    queries.append(_MINUTES)
    values += [symbol, moment(start), moment(end)]
    return " UNION ALL ".join(queries), values
