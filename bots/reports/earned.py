"""What bots' fills and round trips add up to: the one place where these sums are made."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.utils import timezone

from bots.models import Bot
from market.models import Price
from market.types import ZERO

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Earned:
    """Of one bot, all versions of its grid together. Money is quote."""

    fills: int = 0  # orders filled, whole or in part
    fills_24h: int = 0  # of these, with a fill in the last 24 h of the exchange's clock
    fees: Decimal = ZERO  # coins valued at their fill
    round_trips: int = 0
    grid_profit: Decimal = ZERO
    inventory_pnl: Decimal = ZERO
    today: Decimal = ZERO  # realised by round trips closed since midnight UTC of that clock
    gross: Decimal = ZERO  # what the round trips would have earned by the grid without fees

    @property
    def realised(self) -> Decimal:
        return self.grid_profit + self.inventory_pnl


# Orders first: counting distinct ones among all fills would sort these for each look.
_TRADED = """
SELECT bot_id, count(*) AS fills, count(*) FILTER (WHERE last > %(yesterday)s) AS fills_24h,
       sum(fees) AS fees
FROM (
    SELECT f.bot_id, f.order_id, max(f.time) AS last,
           sum(CASE f.fee_coin WHEN pair.quote THEN f.fee WHEN pair.base THEN f.fee * f.price
               ELSE coalesce(f.fee_worth, 0) END) AS fees
    FROM bots_fill f LEFT JOIN market_instrument pair ON pair.symbol = f.symbol
    WHERE f.bot_id = ANY(%(bots)s) AND (%(until)s IS NULL OR f.time < %(until)s)
    GROUP BY f.bot_id, f.order_id
) orders GROUP BY bot_id
"""
# Cells first: the step of a cell is looked up once, not for each of its round trips.
_PASSED = """
SELECT bot_id, sum(round_trips)::bigint AS round_trips, sum(grid_profit) AS grid_profit,
       sum(inventory_pnl) AS inventory_pnl, sum(today) AS today,
       coalesce(sum(passages.bought * (cell.high - cell.low)), 0) AS gross
FROM (
    SELECT bot_id, config_id, cell, count(*) AS round_trips, sum(bought) AS bought,
           sum(grid_profit) AS grid_profit, sum(inventory_pnl) AS inventory_pnl,
           coalesce(sum(grid_profit + inventory_pnl) FILTER (WHERE closed >= %(midnight)s), 0)
               AS today
    FROM bots_roundtrip
    WHERE bot_id = ANY(%(bots)s) AND (%(until)s IS NULL OR closed < %(until)s)
    GROUP BY bot_id, config_id, cell
) passages
LEFT JOIN bots_cell cell ON cell.config_id = passages.config_id AND cell.index = passages.cell
GROUP BY bot_id
"""


def of(
    bots: Iterable[Bot], until: datetime | None = None, now: datetime | None = None
) -> Mapping[int, Earned]:
    """By the bots' ids; nothing earned for those without fills.

    `until` is a time of the exchange's clock: as it was then, what came later left out.
    `now` is that clock where the caller knows it.
    """
    newest = Price.objects.order_by("-time").values_list("time", flat=True)
    now = until or now or newest.first() or timezone.now()
    given = {
        "bots": [bot.pk for bot in bots],
        "until": until,
        "yesterday": now - DAY,
        "midnight": _midnight(now),
    }
    found: dict[int, dict[str, Any]] = defaultdict(dict)
    for statement in (_TRADED, _PASSED):
        for row in _rows(statement, given):
            found[row.pop("bot_id")].update(row)
    return defaultdict(Earned, {bot: Earned(**facts) for bot, facts in found.items()})


def _rows(statement: str, given: Mapping[str, object]) -> Iterator[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, given)
        names = [column.name for column in cursor.description]
        for row in cursor.fetchall():
            yield dict(zip(names, row, strict=True))


def _midnight(now: datetime) -> datetime:
    """The beginning of its day; the exchange's days are UTC."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0)
