"""A day of a pair's price in a few points, and how far it moved."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import timedelta
from decimal import ROUND_HALF_EVEN, Decimal

from django.db import connection

from market.models import Price
from market.types import plain

DAY = timedelta(days=1)
POINT = timedelta(minutes=15)
LATE = timedelta(hours=6)  # the close of a day ago may be so much older
_HUNDREDTH = Decimal("0.01")

# The last close of each quarter of an hour; date_bin works with and without TimescaleDB. The bounds
# of all pairs together stand beside those of each: by these alone no chunk of a hypertable would be
# left out of the plan.
_CLOSES = """
    SELECT wanted.symbol, found.bin, found.close
    FROM unnest(%(symbols)s::text[], %(nows)s::timestamptz[]) AS wanted(symbol, now)
    CROSS JOIN LATERAL (
        SELECT DISTINCT ON (bin) date_bin(%(point)s, time, 'epoch') AS bin, close
        FROM market_candle
        WHERE symbol = wanted.symbol AND interval = '1'
          AND time > wanted.now - %(day)s AND time <= wanted.now
          AND time > %(day_since)s AND time <= %(day_until)s
        ORDER BY bin, time DESC
    ) AS found
    ORDER BY wanted.symbol, found.bin
"""
_THEN = """
    SELECT wanted.symbol, found.close
    FROM unnest(%(symbols)s::text[], %(nows)s::timestamptz[]) AS wanted(symbol, now)
    CROSS JOIN LATERAL (
        SELECT close FROM market_candle
        WHERE symbol = wanted.symbol AND interval = '1'
          AND time <= wanted.now - %(day)s AND time > wanted.now - %(day)s - %(late)s
          AND time > %(then_since)s AND time <= %(then_until)s
        ORDER BY time DESC LIMIT 1
    ) AS found
"""
Points = list[tuple[str, str]]


def recent(symbol: str, price: Price | None) -> tuple[Points, str | None]:
    """Points (time, close) of the last day of the exchange's clock, and the change in percent."""
    return recent_of([price])[symbol] if price is not None else ([], None)


def recent_of(prices: Iterable[Price]) -> Mapping[str, tuple[Points, str | None]]:
    """The same of several pairs by their symbols, in two queries; nothing for those without."""
    by_symbol = {price.symbol: price for price in prices}
    found: dict[str, tuple[Points, str | None]] = defaultdict(lambda: ([], None))
    if not by_symbol:
        return found
    nows = [price.time for price in by_symbol.values()]
    first, last = min(nows), max(nows)
    asked = {
        "symbols": list(by_symbol), "nows": nows, "point": POINT, "day": DAY, "late": LATE,
        "day_since": first - DAY, "day_until": last,
        "then_since": first - DAY - LATE, "then_until": last - DAY,
    }  # fmt: skip
    points: dict[str, Points] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_CLOSES, asked)
        for symbol, time, close in cursor.fetchall():
            points[symbol].append((time.isoformat().replace("+00:00", "Z"), plain(close)))
        cursor.execute(_THEN, asked)
        then = dict(cursor.fetchall())
    for symbol, price in by_symbol.items():
        found[symbol] = points[symbol], _change(price, then.get(symbol))
    return found


def _change(price: Price, then: Decimal | None) -> str | None:
    """Percent since the close one day ago; None when that is not recorded."""
    if not then:
        return None
    change = (price.last / then - 1) * 100
    return plain(change.quantize(_HUNDREDTH, ROUND_HALF_EVEN))
