"""Taking in what the market says: the newest price, and the exchange's filters.

Candles are taken in by market/merge.py; `record_candles` is named here for its callers.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from django.db.models.functions import Now
from django.utils import timezone

from market import types
from market.exchange import Exchange, NotTrading
from market.merge import record_candles
from market.models import Instrument, Price

__all__ = [
    "doubt",
    "fresh_price",
    "instrument",
    "record_candles",
    "record_prices",
    "refresh_instruments",
]

_DOUBTED = datetime(1970, 1, 1, tzinfo=UTC)  # stands for "asked too long ago"
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


def refresh_instruments(exchange: Exchange, symbols: Sequence[str]) -> Mapping[str, str]:
    """Fetch the filters of these pairs; answers why each of the others is not traded.

    Raises ExchangeError. Of a pair that is not traded the filters stay as they are known.
    """
    listed: list[types.Instrument] = []
    closed: dict[str, str] = {}
    for symbol in symbols:
        try:
            listed += exchange.instruments([symbol])
        except NotTrading as error:
            closed[symbol] = error.reason
    Instrument.objects.filter(symbol__in=closed).update(updated_at=timezone.now())
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
            for found in listed
        ],
        update_conflicts=True,
        unique_fields=["symbol"],
        update_fields=list(_FILTERS),
    )
    return closed


def doubt(symbol: str) -> None:
    """Have the filters of a pair asked for again, by whoever needs them next."""
    Instrument.objects.filter(symbol=symbol).update(updated_at=_DOUBTED)


def instrument(exchange: Exchange, symbol: str) -> types.Instrument:
    """The filters of a pair, fetched where they are not known yet or in doubt.

    Raises ExchangeError, NotTrading for a pair that never was traded.
    """
    row = Instrument.objects.filter(symbol=symbol).first()
    if row is None or row.updated_at == _DOUBTED:
        closed = refresh_instruments(exchange, [symbol])
        row = Instrument.objects.filter(symbol=symbol).first()
        if row is None:
            raise NotTrading(0, closed.get(symbol, f"{symbol} is not listed"))
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
