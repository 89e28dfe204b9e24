"""Days of facts added up and kept, so that no look adds up every fact there ever was.

The rules are in the database (bots/models/days.py). Whoever asks takes the views `bots_*_by_day`,
which are right whether this here ran or not; it only makes them quick.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal

from django.db import connection

from bots.models import StaleDay
from market.snapshots import snapshot
from market.types import plain

AT_ONCE = 50  # days added up in one transaction

# Each table of kept days: its columns, and the function that says what a day's rows are.
_KEPT = {
    "bots_dayoffills": ("day, bot_id, orders, fees", "bots_fills_of"),
    "bots_dayoftrips": (
        "day, bot_id, config_id, cell, round_trips, bought, grid_profit, inventory_pnl",
        "bots_trips_of",
    ),
    "bots_dayofbooks": ("day, account, bot_id, coin, traded, amount", "bots_books_of"),
}
_FORGET = "DELETE FROM {table} WHERE day = ANY(%(days)s)"
_ADD_UP = """
INSERT INTO {table} ({columns})
SELECT one.* FROM unnest(%(days)s::date[]) AS days (day), {function}(days.day) one
"""
_DIFFERENCES = """
WITH kept AS (SELECT {columns} FROM {table} WHERE day NOT IN (SELECT day FROM bots_staleday)),
facts AS (
    SELECT one.* FROM (
        SELECT (time AT TIME ZONE 'UTC')::date AS day FROM bots_fill
        UNION SELECT (closed AT TIME ZONE 'UTC')::date FROM bots_roundtrip
        UNION SELECT (at AT TIME ZONE 'UTC')::date FROM bots_booking
        EXCEPT SELECT day FROM bots_staleday
    ) days, {function}(days.day) one
)
SELECT 'kept', wrong.* FROM (SELECT * FROM kept EXCEPT SELECT * FROM facts) wrong
UNION ALL
SELECT 'by its facts', wrong.* FROM (SELECT * FROM facts EXCEPT SELECT * FROM kept) wrong
"""


def keep() -> int:
    """Add up the days that had news, and answer how many they were.

    News that comes meanwhile marks its day again, and the next call takes it.
    """
    done = 0
    while days := _some():
        done += len(days)
        if len(days) < AT_ONCE:
            break
    return done


def _some() -> Sequence[date]:
    """Some of the days with news: their facts, and the marks that told of these, of one moment."""
    with snapshot(writes=True), connection.cursor() as cursor:
        # Before the first look, which is what chooses the moment: so the one who waits here for
        # another sees what that one kept. Whoever writes facts is not held up.
        cursor.execute("LOCK TABLE bots_staleday IN SHARE UPDATE EXCLUSIVE MODE")
        found = StaleDay.objects.order_by("day").values_list("day", flat=True).distinct()
        given = {"days": list(found[:AT_ONCE])}
        for statement in (*_of_each(_FORGET), *_of_each(_ADD_UP)):
            cursor.execute(statement, given)
        cursor.execute(_FORGET.format(table="bots_staleday"), given)
    return given["days"]


def differences() -> Iterator[tuple[date, str]]:
    """Where what is kept of a day is not what its facts add up to: the day, and words."""
    with connection.cursor() as cursor:
        for table, statement in zip(_KEPT, _of_each(_DIFFERENCES), strict=True):
            cursor.execute(statement)
            for who, day, *sums in cursor.fetchall():
                said = (plain(part) if isinstance(part, Decimal) else str(part) for part in sums)
                yield day, f"{table} of {day}: {', '.join(said)} {who}"


def mark(days: Iterable[date]) -> None:
    """Have these days taken from their facts, until they are added up anew."""
    StaleDay.objects.bulk_create(StaleDay(day=day) for day in set(days))


def _of_each(statement: str) -> Iterator[str]:
    """The statement for each table of kept days."""
    for table, (columns, function) in _KEPT.items():
        yield statement.format(table=table, columns=columns, function=function)
