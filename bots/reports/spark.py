"""A day of a pair's price in a few points, and how far it moved."""

from datetime import timedelta
from decimal import ROUND_HALF_EVEN, Decimal

from django.db import connection

from market.models import Candle, Price
from market.types import plain

DAY = timedelta(days=1)
POINT = timedelta(minutes=15)
LATE = timedelta(hours=6)  # the close of a day ago may be so much older
_HUNDREDTH = Decimal("0.01")

# The last close of each quarter of an hour; date_bin works with and without TimescaleDB.
_CLOSES = """
    SELECT DISTINCT ON (bin) date_bin(%(point)s, time, 'epoch') AS bin, close
    FROM market_candle
    WHERE symbol = %(symbol)s AND interval = '1' AND time > %(since)s AND time <= %(now)s
    ORDER BY bin, time DESC
"""


def recent(symbol: str, price: Price | None) -> tuple[list[tuple[str, str]], str | None]:
    """Points (time, close) of the last day of the exchange's clock, and the change in percent."""
    if price is None:
        return [], None
    since = price.time - DAY
    with connection.cursor() as cursor:
        cursor.execute(
            _CLOSES, {"point": POINT, "symbol": symbol, "since": since, "now": price.time}
        )
        found = cursor.fetchall()
    points = [(time.isoformat().replace("+00:00", "Z"), plain(close)) for time, close in found]
    return points, _change(symbol, price)


def _change(symbol: str, price: Price) -> str | None:
    """Percent since the close one day ago; None when that is not recorded."""
    then = price.time - DAY
    # Without an earliest time every chunk of a hypertable would be planned for.
    before = Candle.objects.filter(
        symbol=symbol, interval="1", time__lte=then, time__gt=then - LATE
    )
    close = before.order_by("-time").values_list("close", flat=True).first()
    if not close:
        return None
    change = (price.last / close - 1) * 100
    return plain(change.quantize(_HUNDREDTH, ROUND_HALF_EVEN))
