"""Taking in what the market says: the newest price, candles, and the exchange's filters."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from django.db.models.functions import Now
from django.utils import timezone

from market import types
from market.exchange import Exchange
from market.models import Candle, Instrument, Price

_BAR = ("open", "high", "low", "close", "volume", "turnover", "closed")
_FILTERS = ("base", "quote", "tick", "lot", "min_notional", "max_limit_quantity", "updated_at")


def record_prices(ticks: Iterable[types.Tick]) -> None:
    """Keep the newest price of each pair. One statement, at most one tick a pair."""
    received = timezone.now()
    Price.objects.bulk_create(
        [
            Price(
                symbol=tick.symbol,
                last=tick.last,
                bid=tick.bid,
                ask=tick.ask,
                time=types.moment(tick.time),
                received_at=received,
            )
            for tick in ticks
        ],
        update_conflicts=True,
        unique_fields=["symbol"],
        update_fields=["last", "bid", "ask", "time", "received_at"],
    )


def record_candles(candles: Sequence[types.Candle]) -> None:
    """Upsert bars by pair, interval and opening; a closed bar is never reopened.

    Raises ValueError for a bar that cannot be true.
    """
    for candle in candles:
        if faults := list(candle.faults()):
            raise ValueError(f"{candle.symbol} bar at {candle.time}: {'; '.join(faults)}")
    rows = {
        (candle.symbol, candle.interval, candle.time): Candle(
            symbol=candle.symbol,
            interval=candle.interval,
            time=types.moment(candle.time),
            **{name: getattr(candle, name) for name in _BAR},
        )
        for candle in sorted(candles, key=lambda candle: candle.closed)
    }
    for key in _closed_already(rows):
        if not rows[key].closed:
            del rows[key]
    Candle.objects.bulk_create(
        rows.values(),
        update_conflicts=True,
        unique_fields=["symbol", "interval", "time"],
        update_fields=list(_BAR),
    )


def _closed_already(keys: Iterable[tuple[str, str, int]]) -> list[tuple[str, str, int]]:
    wanted = set(keys)
    found = Candle.objects.filter(
        symbol__in={symbol for symbol, _, _ in wanted},
        time__in={types.moment(time) for _, _, time in wanted},
        closed=True,
    ).values_list("symbol", "interval", "time")
    named = ((symbol, interval, types.milliseconds(time)) for symbol, interval, time in found)
    return [key for key in named if key in wanted]


def refresh_instruments(exchange: Exchange, symbols: Sequence[str]) -> None:
    """Fetch the filters of these pairs. Raises ExchangeError."""
    Instrument.objects.bulk_create(
        [
            Instrument(
                symbol=found.symbol,
                base=found.base,
                quote=found.quote,
                tick=found.tick,
                lot=found.lot,
                min_notional=found.min_notional,
                max_limit_quantity=found.max_limit_quantity,
                updated_at=timezone.now(),
            )
            for found in exchange.instruments(symbols)
        ],
        update_conflicts=True,
        unique_fields=["symbol"],
        update_fields=list(_FILTERS),
    )


def instrument(exchange: Exchange, symbol: str) -> types.Instrument:
    """The filters of a pair, fetched when they are not known yet. Raises ExchangeError."""
    row = Instrument.objects.filter(symbol=symbol).first()
    if row is None:
        refresh_instruments(exchange, [symbol])
        row = Instrument.objects.get(symbol=symbol)
    return row.to_domain()


def fresh_price(exchange: Exchange, symbol: str, max_age: timedelta) -> types.Tick:
    """The newest price, asked of the exchange when ours is older than `max_age` (machine clock).

    Raises ExchangeError when it is and the exchange does not answer.
    """
    row = Price.objects.filter(symbol=symbol, received_at__gt=Now() - max_age).first()
    if row is not None:
        return row.to_domain()
    tick = exchange.tick(symbol)
    record_prices([tick])
    return tick
