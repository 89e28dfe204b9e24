"""Bars asked of the exchange: gaps refilled, and history fetched, piece by piece."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

from django.db import connection, transaction

from integrations.bybit.fields import MalformedMessage
from market import gaps, rollups
from market.exchange import Exchange, ExchangeError
from market.gaps import Span
from market.intervals import DAY_MS, HOUR_MS
from market.locks import Lock
from market.merge import BATCH, Taken, count_refusals, record_candles
from market.models import Instrument
from market.sieve import Refusals, Window
from market.types import Candle

log = logging.getLogger(__name__)

# With the one bar more that the gateway asks for, a piece is one page (Bybit v5, market/kline).
BARS_A_PIECE = 999
WARM_MS = 25 * HOUR_MS  # what volatility, stability and the page look back on
REACH_MS = 30 * DAY_MS

Progress = Callable[[int], object]  # told how many bars were asked for


@dataclass(frozen=True, slots=True)
class Repaired:
    """What a look after gaps came to, in bars."""

    missing: int = 0  # before
    left: int = 0  # after, less what the exchange does not have


def repair_all(exchange: Exchange, symbols: Iterable[str]) -> Repaired | None:
    """Refill the gaps of these pairs; None when another process is at it.

    A pair that fails is logged and does not stop the others.
    """
    with _alone() as mine:
        if not mine:
            return None
        found = [repair(exchange, symbol) for symbol in symbols]
    return Repaired(sum(each.missing for each in found), sum(each.left for each in found))


def known_symbols() -> Sequence[str]:
    """The pairs that are followed: the exchange's filters are kept for them."""
    return list(Instrument.objects.order_by("symbol").values_list("symbol", flat=True))


def repair(exchange: Exchange, symbol: str, interval: str = "1") -> Repaired:
    """Find and refill the gaps of a pair, and write down those that stay.

    The exchange is asked for the time: after an outage the newest price of ours is an old one.
    """
    try:
        now = exchange.tick(symbol).time
    except ExchangeError as error:
        log.warning("%s: gaps cannot be looked for: %s", symbol, error)
        return Repaired()
    span = gaps.span_to_watch(symbol, interval, now, WARM_MS, REACH_MS)
    if span is None:
        return Repaired()
    holes = gaps.missing(symbol, interval, span)
    bars = sum(hole.bars(interval) for hole in holes)
    asked: list[Span] = []
    try:
        fetch(exchange, symbol, interval, holes, now, asked=asked)
    except ExchangeError as error:
        log.warning("%s: %s bars are missing and not all could be had: %s", symbol, bars, error)
    left = gaps.remember(symbol, interval, span, asked)
    if bars:
        log.info("%s: %s bars were missing, %s are", symbol, bars, left)
    return Repaired(bars, left)


def fetch(
    exchange: Exchange,
    symbol: str,
    interval: str,
    spans: Iterable[Span],
    now: int,
    *,
    asked: list[Span] | None = None,
    progress: Progress = lambda _: None,
) -> int:
    """Fetch and keep the bars of spans; returns how many rows changed. Raises ExchangeError.

    `now` is the exchange's clock, ms. The newest bars come first; each piece is kept before the
    next is asked for, and then noted in `asked`.
    """
    written = 0
    for span in sorted(spans, reverse=True):
        for piece in span.pieces(interval, BARS_A_PIECE):
            bars = _readable(exchange, symbol, interval, piece)
            closed = [bar for bar in bars if bar.closed]
            written += _keep(symbol, interval, piece, closed, Window.at(now)).written
            if asked is not None:
                asked.append(piece)
            progress(piece.bars(interval))
    return written


def take_in(
    bars: Iterable[Candle], symbol: str, interval: str, progress: Callable[[], object]
) -> Taken:
    """Keep bars of a file, the oldest first, batch by batch; each is told once it is kept.

    What broke off is done again from the start: bars that are here already are not written.
    """
    written, refused = 0, Refusals()
    rest = iter(bars)
    while batch := list(islice(rest, BATCH)):
        taken = _keep(symbol, interval, Span(batch[0].time, batch[-1].time), batch, None)
        written, refused = written + taken.written, refused + taken.refused
        progress()
    return Taken(written, refused)


@transaction.atomic
def _keep(
    symbol: str, interval: str, piece: Span, bars: Iterable[Candle], window: Window | None
) -> Taken:
    """Closed bars, and the hours and days that hold them: a death leaves both or neither.

    Long charts read hours and days alone where there are younger ones.
    """
    taken = record_candles(bars, window)
    if interval == "1":
        rollups.roll_up(symbol, piece.start, piece.end)
    return taken


def _readable(exchange: Exchange, symbol: str, interval: str, piece: Span) -> Sequence[Candle]:
    """The bars of a piece; one that cannot be read is counted and left out, not its neighbours."""
    try:
        return exchange.candles(symbol, interval, piece.start, piece.end)
    except MalformedMessage as error:
        count = piece.bars(interval)
        if count == 1:
            log.warning("%s: the bar at %s is left out: %s", symbol, piece.start, error)
            count_refusals(Refusals({(symbol, "not readable"): 1}))
            return []
        halves = piece.pieces(interval, (count + 1) // 2)
        return [bar for half in halves for bar in _readable(exchange, symbol, interval, half)]


@contextmanager
def _alone() -> Iterator[bool]:
    """Whether this session is the only one that repairs; held until the block ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [Lock.REPAIR])
        (mine,) = cursor.fetchone()
        try:
            yield mine
        finally:
            if mine:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [Lock.REPAIR])
