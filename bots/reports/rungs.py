"""The rows of a bot's page: its levels with their orders and earnings, and its other tables."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Count, Q

from bots.models import Bot, GridConfig
from bots.reports.history import iso, trip_row
from market.types import ZERO, plain

LATEST_TRIPS = 12
MOST_LEVELS = 30  # shown at once: more are folded
# A cell that a ladder laid on top begins anew there.
_BY_CELL = """
WITH laid AS (
    SELECT cell, max(trip) AS trip FROM bots_shift WHERE config_id = %(config)s GROUP BY cell
)
SELECT cell, sum(grid_profit) FROM bots_trips_by_day
WHERE bot_id = %(bot)s AND config_id = %(config)s AND cell NOT IN (SELECT cell FROM laid)
GROUP BY cell
UNION ALL
SELECT trips.cell, sum(trips.grid_profit) FROM laid JOIN bots_roundtrip trips
ON trips.config_id = %(config)s AND trips.cell = laid.cell AND trips.trip >= laid.trip
GROUP BY trips.cell
"""
_BY_VERSION = """
SELECT config_id, sum(round_trips)::bigint, sum(grid_profit) FROM bots_trips_by_day
WHERE bot_id = %s GROUP BY config_id
"""
Row = dict[str, Any]
Card = dict[str, Any]


def places(card: Card) -> list[Row]:
    """Where the levels stand, the highest first; none without cells."""
    cells = card["cells"]
    prices = [cell["low"] for cell in cells] + [cell["high"] for cell in cells[-1:]]
    return [
        {"number": i, "price": price, "is_last_below": _is_last_below(card, prices, i)}
        for i, price in enumerate(prices)
    ][::-1]


def levels(bot: Bot, card: Card) -> list[Row]:
    """Each level, the highest first: its order, or why there is none, and what it has earned.

    A level earns what the cell below it earned, because that cell sells at this price.
    """
    cells, rows = card["cells"], places(card)
    earned = _earned(bot) if rows else {}
    most = max(earned.values(), default=ZERO) or Decimal(1)
    for row in rows:
        number = row["number"]
        orders = [cell for cell in _around(cells, number) if _stands_at(cell, number)]
        seller = cells[number - 1]["cell"] if number else None
        profit = earned.get(seller) if seller is not None else None
        row |= {
            "orders": orders,
            "kind": _kind(orders),
            "sells_of": seller,
            "profit": None if profit is None else plain(profit),
            "bar": 0 if profit is None else max(0, round(100 * profit / most)),
        }
    return rows


def near(rows: Sequence[Row], most: int = MOST_LEVELS) -> Sequence[Row]:
    """Of many levels those around the price; `rows` as `levels` tells them."""
    if len(rows) <= most:
        return rows
    lowest = len(rows) - 1
    here = next((i for i, row in enumerate(rows) if row["is_last_below"]), lowest)
    start = min(max(0, here - most // 2), len(rows) - most)
    return rows[start : start + most]


def _around(cells: Sequence[Card], number: int) -> Sequence[Card]:
    """The cells that could have an order at a level: the one below sells, the one above buys."""
    return cells[max(0, number - 1) : number + 1]


def _stands_at(cell: Card, number: int) -> bool:
    buys = cell["wants"] == "Buy"
    return cell["index"] == (number if buys else number - 1) and cell["wants"] is not None


def _kind(orders: Sequence[Card]) -> str:
    """The line of the level in the picture."""
    drawn = [order for order in orders if order["status"] != "none"]
    if not drawn:
        return "bare"
    return "held" if drawn[0]["status"] == "withheld" else drawn[0]["wants"].lower()


def _is_last_below(card: Card, prices: Sequence[str], number: int) -> bool:
    """Whether the newest price stands between this level and the next."""
    if not card["price"]:
        return False
    last = Decimal(card["price"]["last"])
    above = number + 1 < len(prices) and Decimal(prices[number + 1]) <= last
    return Decimal(prices[number]) <= last and not above


def _earned(bot: Bot) -> dict[int, Decimal]:
    """Profit of the running version's cells where they stand now."""
    with connection.cursor() as cursor:
        cursor.execute(_BY_CELL, {"bot": bot.pk, "config": bot.config_id})
        return dict(cursor.fetchall())


def round_trips(bot: Bot) -> list[Row]:
    """The newest passages, each sell matched to its buy."""
    return [
        trip_row(trip) for trip in bot.round_trips.select_related("bot", "config")[:LATEST_TRIPS]
    ]


def versions(bot: Bot) -> list[Row]:
    """Every version of the bot's grid, the newest first, with what it earned."""
    with connection.cursor() as cursor:
        cursor.execute(_BY_VERSION, [bot.pk])
        made = {config: (trips, profit) for config, trips, profit in cursor.fetchall()}
    return [
        {
            "version": config.version,
            "runs": config.pk == bot.config_id,
            "lower": plain(config.lower),
            "upper": plain(config.upper),
            "grids": config.grids,
            "spacing": config.spacing,
            "capital": plain(config.capital),
            "created_at": iso(config.created_at),
            "created_by": config.created_by,
            "trips": trips,
            "earned": plain(profit),
        }
        for config in GridConfig.objects.filter(bot=bot).order_by("-version")
        for trips, profit in [made.get(config.pk, (0, ZERO))]
    ]


def leaving(bot: Bot, card: Card) -> Row:
    """What a stop of the bot would do: orders to cancel, coins that stay or are sold."""
    open_orders = bot.orders.filter(settled=False)
    sides = open_orders.aggregate(
        buys=Count("pk", filter=Q(side="Buy")), sells=Count("pk", filter=Q(side="Sell"))
    )
    held = Decimal(card["held"])
    worth = held * Decimal(card["price"]["last"]) if card["price"] else None
    return {
        **sides,
        "orders": sides["buys"] + sides["sells"],
        "held": card["held"],
        "worth": None if worth is None else plain(worth),
        "floating": card["floating"],
    }
