"""What Celery runs for the market itself: rolling up hours and days, and forgetting."""

import logging

from celery import shared_task
from django.utils import timezone

from market import merge, retention, rollups
from market.intervals import DAY_MS
from market.models import Instrument
from market.types import moment

log = logging.getLogger(__name__)

ANEW_MS = 2 * DAY_MS  # late bars of the last days are taken in once more


@shared_task
def roll_up() -> None:
    """Make the hours and days up to now, of every pair."""
    now = merge.market_clock()
    if now is None:
        return
    for symbol in Instrument.objects.values_list("symbol", flat=True):
        newest = rollups.newest(symbol, "60") or now
        rollups.roll_up(symbol, min(newest, now - ANEW_MS), now)


@shared_task
def forget() -> None:
    """Drop what is kept long enough. Latency runs on the machine's clock, all else on the market's.

    The earlier of both clocks decides, so that a market that plays ahead costs nothing.
    """
    clock = merge.market_clock()
    now = timezone.now()
    dropped = retention.forget(now if clock is None else min(now, moment(clock)))
    for table, count in dropped.items():
        if count:
            log.info("%s: %s chunks or rows were old enough to go", table, count)
