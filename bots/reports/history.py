"""What was: orders, fills and round trips of the bots, filtered, page by page, and as rows.

Money and prices are plain decimal texts, times ISO 8601 UTC.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet

from bots.grid import ids
from bots.live import iso as iso_of_ms
from bots.models import Bot, Fill, Order, RoundTrip
from integrations.models import LegacyTrade
from market.types import Side, milliseconds, plain

PAGE = 50
CHUNK = 1_000
Row = dict[str, Any]
Closed = Mapping[tuple[int, int, int], RoundTrip]


@dataclass(frozen=True, slots=True)
class Wish:
    """Which rows: of one bot, of one side, of one cell, and older than a row."""

    bot: str = ""
    side: str = ""
    before: int | None = None
    cell: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, the newest first; `older` is where the next page begins, None at the end."""

    rows: Sequence[Row]
    older: int | None


@dataclass(frozen=True, slots=True)
class Kind:
    """One sort of rows: where they are read, how each is told, and what a file of them holds."""

    query: Callable[[], "QuerySet[Any]"]
    tell: Callable[[Sequence[Any]], list[Row]]
    columns: Sequence[str]
    has_sides: bool = True
    has_bots: bool = True
    cell: str = "cell"  # where the number of its cell stands; "" where there is none


def latest_fills(count: int, bot: Bot | None = None) -> list[Row]:
    """The newest fills by the exchange's clock; a closing sale shows what its trip earned."""
    fills = Fill.objects.select_related("order", "bot")
    found = list((fills if bot is None else fills.filter(bot=bot))[:count])
    return tell_fills(found)


def tell_fills(found: Sequence[Fill]) -> list[Row]:
    """Fills as rows."""
    closed = {
        (trip.config_id, trip.cell, trip.trip): trip
        for trip in RoundTrip.objects.filter(closed__in={fill.time for fill in found})
    }
    return [_fill(fill, closed) for fill in found]


def _fill(fill: Fill, closed: Closed) -> Row:
    """One fill; `closed` are round trips by config, cell and trip."""
    slot = ids.slot(fill.order.slot_name)
    trip = closed.get((fill.order.config_id, slot.cell, slot.trip)) if slot else None
    earns = trip is not None and fill.side == Side.SELL and trip.closed == fill.time
    return {
        "id": fill.exec_id,
        "time": iso(fill.time),
        "bot": fill.bot.slug,
        "symbol": fill.symbol,
        "name": fill.bot.name,
        "side": fill.side,
        "price": plain(fill.price),
        "quantity": plain(fill.quantity),
        "fee": plain(fill.fee),
        "fee_coin": fill.fee_coin,
        "profit": plain(trip.grid_profit + trip.inventory_pnl) if earns and trip else None,
        "cell": fill.order.cell,
    }


def _orders(found: Sequence[Order]) -> list[Row]:
    return [
        {
            "client_id": order.client_id,
            "bot": order.bot.slug,
            "name": order.bot.name,
            "symbol": order.symbol,
            "cell": order.cell,
            "side": order.side,
            "price": plain(order.price),
            "quantity": plain(order.quantity),
            "filled": plain(order.filled),
            "order_status": order.get_status_display().replace("_", " ").lower(),
            "reason": order.reason,
            "created_at": iso(order.created_at),
        }
        for order in found
    ]


def _trips(found: Sequence[RoundTrip]) -> list[Row]:
    return [trip_row(trip) for trip in found]


def trip_row(trip: RoundTrip) -> Row:
    """One passage; `profit` is net of fees and the sum of its two parts."""
    return {
        "bot": trip.bot.slug,
        "name": trip.bot.name,
        "opened": iso(trip.opened),
        "closed": iso(trip.closed),
        "version": trip.config.version,
        "cell": trip.cell,
        "bought": plain(trip.bought),
        "sold": plain(trip.sold),
        "cost": plain(trip.cost),
        "proceeds": plain(trip.proceeds),
        "grid_profit": plain(trip.grid_profit),
        "inventory_pnl": plain(trip.inventory_pnl),
        "profit": plain(trip.grid_profit + trip.inventory_pnl),
    }


def _legacy(found: Sequence[LegacyTrade]) -> list[Row]:
    """Trades from before this program, as somebody wrote them: what was left empty is None."""
    return [
        {
            "bot": "",
            "time": iso(trade.traded_at) if trade.traded_at else None,
            "title": trade.title,
            "symbol": trade.symbol,
            "side": trade.side,
            **{name: _amount(getattr(trade, name)) for name in _LEGACY_AMOUNTS},
        }
        for trade in found
    ]


def _amount(amount: Decimal | None) -> str | None:
    return None if amount is None else plain(amount)


_LEGACY_AMOUNTS = ("price", "quantity", "fee", "profit")
KINDS = {
    "resting": Kind(
        lambda: Order.objects.filter(settled=False).select_related("bot"),
        _orders,
        ("client_id", "bot", "symbol", "cell", "side", "price", "quantity", "filled",
         "order_status", "reason", "created_at"),
    ),
    "fills": Kind(
        lambda: Fill.objects.select_related("order", "bot"),
        tell_fills,
        ("id", "time", "bot", "symbol", "cell", "side", "price", "quantity", "fee", "fee_coin",
         "profit"),
        cell="order__cell",
    ),
    "trips": Kind(
        lambda: RoundTrip.objects.select_related("bot", "config"),
        _trips,
        ("bot", "version", "cell", "opened", "closed", "bought", "sold", "cost", "proceeds",
         "grid_profit", "inventory_pnl", "profit"),
        has_sides=False,
    ),
    "legacy": Kind(
        LegacyTrade.objects.all,
        _legacy,
        ("time", "title", "symbol", "side", *_LEGACY_AMOUNTS),
        has_sides=False,
        has_bots=False,
        cell="",
    ),
}  # fmt: skip


def page(name: str, wish: Wish, size: int = PAGE) -> Page:
    """A page in the order in which the rows were recorded. KeyError: no such kind."""
    kind = KINDS[name]
    found = list(_filtered(kind, wish)[: size + 1])
    older = found[size - 1].pk if len(found) > size else None
    return Page(kind.tell(found[:size]), older)


def lines(name: str, wish: Wish) -> Iterator[Sequence[str]]:
    """Every row of that wish as fields of a table, its head first; memory stays flat."""
    kind = KINDS[name]
    yield kind.columns
    before = wish.before
    while True:
        chunk = page(name, replace(wish, before=before), CHUNK)
        for row in chunk.rows:
            yield ["" if row[column] is None else str(row[column]) for column in kind.columns]
        if chunk.older is None:
            return
        before = chunk.older


def _filtered(kind: Kind, wish: Wish) -> "QuerySet[Any]":
    rows = kind.query().order_by("-pk")
    if wish.bot and kind.has_bots:
        rows = rows.filter(bot__slug=wish.bot)
    if wish.side and kind.has_sides:
        rows = rows.filter(side=wish.side)
    if wish.cell is not None and kind.cell:
        rows = rows.filter(**{kind.cell: wish.cell})
    return rows if wish.before is None else rows.filter(pk__lt=wish.before)


def iso(time: datetime) -> str:
    """ISO 8601 UTC, to the millisecond."""
    return iso_of_ms(milliseconds(time))
