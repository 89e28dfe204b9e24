"""Bars for tests: a made-up price that never stands still, and what the table holds of it."""

from collections.abc import Iterable
from decimal import Decimal

from market.models import Candle as Row
from market.types import Candle, milliseconds

MINUTE = 60_000
NOON = 1_768_219_200_000  # 2026-01-12 12:00 UTC, a Monday


def bar(number: int, symbol: str = "BTCUSDT", interval: str = "1", **changed: object) -> Candle:
    """The bar `number` minutes after noon."""
    opened, close = price(number), price(number + 1)
    high, low = max(opened, close) + Decimal("1.25"), min(opened, close) - Decimal("0.75")
    volume = Decimal(1 + number % 7) / 8
    shape = {"open": opened, "high": high, "low": low, "close": close, "volume": volume,
             "turnover": volume * close, "closed": True,
             "time": NOON + number * MINUTE}  # fmt: skip
    return Candle(symbol=symbol, interval=interval, **(shape | changed))  # type: ignore[arg-type]


def bars(numbers: Iterable[int], symbol: str = "BTCUSDT", **changed: object) -> list[Candle]:
    return [bar(number, symbol, **changed) for number in numbers]


def price(number: int) -> Decimal:
    return Decimal(97_000 + number * 37 % 211) + Decimal("0.0625")


def kept(symbol: str = "BTCUSDT", interval: str = "1") -> list[Candle]:
    """What the table holds, oldest first."""
    rows = Row.objects.filter(symbol=symbol, interval=interval).order_by("time")
    return [
        Candle(row.symbol, row.interval, milliseconds(row.time), row.open, row.high, row.low,
               row.close, row.volume, row.turnover, row.closed)
        for row in rows
    ]  # fmt: skip
