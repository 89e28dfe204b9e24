"""Taking bars in: each becomes the one row of its pair, interval and opening, whatever came before.

A bar that the exchange has confirmed is never reopened; of two open ones the one that has seen more
volume is the later. So duplicates, late bars and bars out of order all end in the same row.
"""

import io
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.utils import timezone

from market.forming import Key, key_of, supersedes
from market.models import Price
from market.sieve import SYMBOL, Refusals, Window, sift
from market.types import Candle, milliseconds

BATCH = 5_000  # bars a statement: memory stays flat however many come
COPY_FROM = 200  # fewer bars go as one statement's arguments: no temporary table is made

_COLUMNS = "symbol, interval, time, open, high, low, close, volume, turnover, closed"

_UNNESTED = """unnest(
    string_to_array(%s, ','), string_to_array(%s, ','), string_to_array(%s, ',')::bigint[],
    string_to_array(%s, ',')::numeric[], string_to_array(%s, ',')::numeric[],
    string_to_array(%s, ',')::numeric[], string_to_array(%s, ',')::numeric[],
    string_to_array(%s, ',')::numeric[], string_to_array(%s, ',')::numeric[],
    string_to_array(%s, ',')::boolean[])"""

_INCOMING = """
    CREATE TEMPORARY TABLE incoming_candle (
        symbol text, interval text, time bigint, open numeric, high numeric, low numeric,
        close numeric, volume numeric, turnover numeric, closed boolean
    ) ON COMMIT DROP"""

# A row that would not change is not written: a duplicate costs a look, no dead row.
_MERGE = f"""
    INSERT INTO market_candle AS kept ({_COLUMNS})
    SELECT symbol, interval, timestamptz 'epoch' + time * interval '1 ms',
           open, high, low, close, volume, turnover, closed
    FROM {{source}} AS incoming ({_COLUMNS})
    ON CONFLICT (symbol, interval, time) DO UPDATE
    SET open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close,
        volume = excluded.volume, turnover = excluded.turnover, closed = excluded.closed
    WHERE (excluded.closed OR NOT kept.closed AND excluded.volume >= kept.volume)
      AND ROW(kept.open, kept.high, kept.low, kept.close,
              kept.volume, kept.turnover, kept.closed)
          IS DISTINCT FROM
          ROW(excluded.open, excluded.high, excluded.low, excluded.close,
              excluded.volume, excluded.turnover, excluded.closed)
"""  # noqa: S608 - no value is put in, only names of ours

Line = tuple[str, str, str, str, str, str, str, str, str, str]


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of bars that came in: rows written, and refusals by (symbol, reason)."""

    written: int = 0
    refused: Refusals = field(default_factory=Counter)


def record_candles(candles: Iterable[Candle], window: Window | None = None) -> Taken:
    """Take bars in; those that cannot be true are refused, counted, and do not stop the others.

    `window` bounds their openings; without one, bars may be of any age, but not of the future by
    the newest price that is known.
    """
    window = window or Window.at(market_clock())
    written, refused = 0, Refusals()
    for batch in _batches(candles):
        good, bad = sift(batch, window)
        refused += bad
        written += _merge(_one_each(good))
    count_refusals(refused)
    return Taken(written, refused)


def market_clock() -> int | None:
    """The exchange's clock as of the newest price, ms; None while there is no price."""
    newest = Price.objects.order_by("-time").values_list("time", flat=True).first()
    return milliseconds(newest) if newest else None


def count_refusals(refused: Refusals) -> None:
    """Add refused bars to the counts that the health report shows."""
    if not refused:
        return
    now = timezone.now()
    known = Refusals()
    for (symbol, reason), bars in refused.items():
        known[symbol if SYMBOL.fullmatch(symbol) else "?", reason] += bars
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO market_refusedbars AS kept (symbol, reason, bars, latest) "
            "VALUES (%s, %s, %s, %s) ON CONFLICT (symbol, reason) "
            "DO UPDATE SET bars = kept.bars + excluded.bars, latest = excluded.latest",
            [(symbol, reason, bars, now) for (symbol, reason), bars in sorted(known.items())],
        )


def _batches(candles: Iterable[Candle]) -> Iterator[list[Candle]]:
    rest = iter(candles)
    while batch := list(islice(rest, BATCH)):
        yield batch


def _one_each(candles: Iterable[Candle]) -> Sequence[Candle]:
    """One bar for each row, as the table would have chosen, in the order of the key.

    Writers that take rows in one order never wait for each other in a circle.
    """
    best: dict[Key, Candle] = {}
    for candle in candles:
        key = key_of(candle)
        if key not in best or supersedes(candle, best[key]):
            best[key] = candle
    return [best[key] for key in sorted(best)]


def _merge(candles: Sequence[Candle]) -> int:
    if not candles:
        return 0
    lines = [_line(candle) for candle in candles]
    with transaction.atomic(), connection.cursor() as cursor:
        if len(lines) < COPY_FROM:
            columns = [",".join(column) for column in zip(*lines, strict=True)]
            cursor.execute(_MERGE.format(source=_UNNESTED), columns)
            return int(cursor.rowcount)
        with _incoming(cursor):
            text = "".join(["\t".join(line) + "\n" for line in lines])
            cursor.copy_expert(f"COPY incoming_candle ({_COLUMNS}) FROM STDIN", io.StringIO(text))
            cursor.execute(_MERGE.format(source="incoming_candle"))
            return int(cursor.rowcount)


def _line(candle: Candle) -> Line:
    """A bar as texts; the sieve has seen that none holds a tab, a comma or a backslash."""
    return (
        candle.symbol,
        candle.interval,
        str(candle.time),
        format(candle.open, "f"),
        format(candle.high, "f"),
        format(candle.low, "f"),
        format(candle.close, "f"),
        format(candle.volume, "f"),
        format(candle.turnover, "f"),
        "t" if candle.closed else "f",
    )


@contextmanager
def _incoming(cursor: CursorWrapper) -> Iterator[None]:
    """A table for the block only, so that one transaction may do it twice."""
    cursor.execute(_INCOMING)
    yield
    cursor.execute("DROP TABLE incoming_candle")
