"""What bots' fills and round trips add up to: the one place where these sums are made."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
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

    fills: int = 0  # orders filled, whole or in part; counted when the first fill came in
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


_TRADED = """
SELECT bot_id, orders AS fills, fees, (
    SELECT count(DISTINCT f.order_id) FROM bots_fill f
    WHERE f.bot_id = traded.bot_id AND f.time > %(yesterday)s
        AND (%(end)s IS NULL OR f.time < %(end)s)
) AS fills_24h
FROM (
    SELECT bot_id, sum(orders)::bigint AS orders, sum(fees) AS fees FROM bots_fills_by_day
    WHERE bot_id = ANY(%(bots)s) AND (%(until)s IS NULL OR day < %(until)s) GROUP BY bot_id
) traded
"""
# Cells first: the step of a cell is looked up once, not for each of its days.
_PASSED = """
SELECT bot_id, sum(round_trips)::bigint AS round_trips, sum(grid_profit) AS grid_profit,
       sum(inventory_pnl) AS inventory_pnl, sum(today) AS today,
       coalesce(sum(passages.bought * (cell.high - cell.low)), 0) AS gross
FROM (
    SELECT bot_id, config_id, cell, sum(round_trips) AS round_trips, sum(bought) AS bought,
           sum(grid_profit) AS grid_profit, sum(inventory_pnl) AS inventory_pnl,
           coalesce(sum(grid_profit + inventory_pnl) FILTER (WHERE day >= %(today)s), 0) AS today
    FROM bots_trips_by_day
    WHERE bot_id = ANY(%(bots)s) AND (%(until)s IS NULL OR day < %(until)s)
    GROUP BY bot_id, config_id, cell
) passages
LEFT JOIN bots_cell cell ON cell.config_id = passages.config_id AND cell.index = passages.cell
GROUP BY bot_id
"""


def of(
    bots: Iterable[Bot], until: date | None = None, now: datetime | None = None
) -> Mapping[int, Earned]:
    """By the bots' ids; nothing earned for those without fills.

    `until` is a day of the exchange's clock: as it was when that day began.
    `now` is that clock where the caller knows it.
    """
    newest = Price.objects.order_by("-time").values_list("time", flat=True)
    end = until and datetime.combine(until, time.min, UTC)
    now = end or now or newest.first() or timezone.now()
    given = {
        "bots": [bot.pk for bot in bots],
        "until": until,
        "end": end,
        "yesterday": now - DAY,
        "today": now.astimezone(UTC).date(),
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
