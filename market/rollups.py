"""Hours and days kept beside the minutes: long charts read few rows, and outlive the minutes."""

from datetime import timedelta

from django.db import connection, transaction

from market.intervals import opening
from market.models import Rollup
from market.types import milliseconds, moment

# From which bars each is made. A day made of hours needs no minute.
_STEPS = {
    "60": ("market_candle", "1", timedelta(hours=1), "count(*)"),
    "D": ("market_rollup", "60", timedelta(days=1), "sum(minutes)"),
}
INTERVALS = tuple(_STEPS)

# A bar that is made again of fewer minutes than before does not replace the fuller one.
_ROLL_UP = """
    INSERT INTO market_rollup AS kept
        (symbol, interval, time, open, high, low, close, volume, turnover, minutes)
    SELECT symbol, %(interval)s, bin, (array_agg(open ORDER BY time))[1], max(high), min(low),
           (array_agg(close ORDER BY time DESC))[1], sum(volume), sum(turnover), {minutes}
    FROM (
        SELECT *, date_bin(%(length)s, time, 'epoch') AS bin FROM {source}
        WHERE symbol = %(symbol)s AND interval = %(from)s AND time >= %(start)s AND time < %(end)s
              {condition}
    ) AS parts
    GROUP BY symbol, bin
    ON CONFLICT (symbol, interval, time) DO UPDATE
    SET open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close,
        volume = excluded.volume, turnover = excluded.turnover, minutes = excluded.minutes
    WHERE excluded.minutes >= kept.minutes
      AND ROW(kept.open, kept.high, kept.low, kept.close,
              kept.volume, kept.turnover, kept.minutes)
          IS DISTINCT FROM
          ROW(excluded.open, excluded.high, excluded.low, excluded.close,
              excluded.volume, excluded.turnover, excluded.minutes)
"""


@transaction.atomic
def roll_up(symbol: str, start: int, end: int) -> int:
    """Make anew the hours and days that hold [start, end] (exchange clock, ms); rows written."""
    return sum(_roll_up(symbol, interval, start, end) for interval in INTERVALS)


def _roll_up(symbol: str, interval: str, start: int, end: int) -> int:
    source, smaller, length, minutes = _STEPS[interval]
    condition = "AND closed" if source == "market_candle" else ""
    with connection.cursor() as cursor:
        cursor.execute(
            _ROLL_UP.format(source=source, minutes=minutes, condition=condition),
            {
                "symbol": symbol,
                "interval": interval,
                "from": smaller,
                "length": length,
                "start": moment(opening(interval, start)),
                "end": moment(opening(interval, end)) + length,
            },
        )
        return int(cursor.rowcount)


def newest(symbol: str, interval: str) -> int | None:
    """Opening of the newest rolled-up bar, which may not be whole yet (exchange clock, ms)."""
    rows = Rollup.objects.filter(symbol=symbol, interval=interval).order_by("-time")
    found = rows.values_list("time", flat=True).first()
    return milliseconds(found) if found else None
