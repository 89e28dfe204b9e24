"""What Celery runs to fetch: gaps refilled, history filled backwards, the market's overview."""

import logging

from celery import shared_task

from integrations import history
from integrations.bybit.account import gateway_from_settings
from integrations.coingecko import overview
from market import gaps
from market.exchange import ExchangeError
from market.intervals import length_ms

log = logging.getLogger(__name__)

_gateway = gateway_from_settings()
BUSY_S = 5
PIECES_A_TASK = 20  # about ten seconds of asking; then the next task goes on


@shared_task
def repair_gaps(symbols: list[str] | None = None) -> None:
    """Look for bars that are missing and refill them; on start, on reconnect and on schedule.

    Who finds another at it comes again: what was missed meanwhile may be younger than its look.
    """
    if history.repair_all(_gateway, symbols or history.known_symbols()) is None:
        repair_gaps.apply_async((symbols,), countdown=BUSY_S)


@shared_task
def backfill(symbol: str, interval: str, start: int, end: int) -> None:
    """Fetch what is missing of the openings [start, end] (exchange clock, ms), a part at a time."""
    part_end = min(end, start + PIECES_A_TASK * history.BARS_A_PIECE * length_ms(interval))
    try:
        now = _gateway.tick(symbol).time
        span = gaps.whole_bars(interval, start, min(part_end, now))
        if span is not None:
            holes = gaps.missing(symbol, interval, span)
            history.fetch(_gateway, symbol, interval, holes, now)
    except ExchangeError as error:
        log.warning("%s: history is left where it is: %s", symbol, error)
        return
    if part_end < end:
        backfill.delay(symbol, interval, part_end, end)


@shared_task
def refresh_overview() -> None:
    """Ask CoinGecko for the market's overview when it is time; nothing that trades reads it."""
    overview.refresh()
