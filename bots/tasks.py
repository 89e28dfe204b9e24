"""What Celery runs: ticks, the sweep, and the refresh of the exchange's filters.

Tasks are nudges: they carry ids, read everything again under a lease, and may come twice or never.
"""

import logging

from celery import shared_task
from redis.exceptions import RedisError

from bots import balancing, live, runner
from bots.backtest import runs
from bots.books import capture, days, reconcile, samples, spells
from bots.control import NotPossible
from bots.grid.levels import InvalidGrid
from bots.models import Bot
from bots.reports import standing
from bots.safety import agreement
from bots.safety.guarding import counted_in
from integrations.bybit.account import gateway_from_settings
from market.exchange import ExchangeError
from risk.calls import Tally

log = logging.getLogger(__name__)

WORKING = (Bot.State.DEPLOYING, Bot.State.RUNNING, Bot.State.PAUSED, Bot.State.STOPPING)

BUSY_S = 3  # between two tries of a backtest to begin

_tally = Tally()
_measures = capture.Measures()
_gateway = gateway_from_settings(told=counted_in(_tally))


@shared_task
def tick_bot(bot_id: int) -> None:
    """One look at a bot."""
    try:
        runner.run_once(bot_id, _gateway, lambda bot: live.hint(bot.slug, "orders"))
    except ExchangeError as error:
        log.warning("bot %s: no tick: %s", bot_id, error)
    _tally.write()


@shared_task
def tick_all() -> None:
    """The safety net: a lost message costs one beat."""
    for bot_id in Bot.objects.filter(state__in=WORKING).values_list("pk", flat=True):
        tick_bot.delay(bot_id)


@shared_task
def sweep() -> None:
    """Catch up by REST, then have a look wherever that brought news."""
    try:
        news = reconcile.sweep(_gateway)
    except ExchangeError as error:
        log.warning("no sweep: %s", error)
        return
    finally:
        _tally.write()
    for bot_id in news:
        tick_bot.delay(bot_id)


@shared_task
def refresh_instruments() -> None:
    """Ask the exchange again for its filters, for what is not traded, and for our fee rates."""
    for what in (agreement.check_listings, agreement.check_fees):
        try:
            what(_gateway)
        except ExchangeError as error:
            log.warning("not refreshed by %s: %s", what.__name__, error)


@shared_task
def keep_days() -> None:
    """Add up the days that facts came in for."""
    days.keep()


@shared_task
def record_equity() -> None:
    """Keep what the account is worth now."""
    samples.record_equity()


@shared_task
def record_spells() -> None:
    """Keep what holds each bot back."""
    spells.record()


@shared_task
def measure_capture() -> None:
    """Replay every bot's plan up to now, and keep what it would have earned."""
    _measures.take()


@shared_task
def record_latency() -> None:
    """Keep how long counter orders took."""
    samples.record_latency()


@shared_task
def keep_standing() -> None:
    """Work out how the targets stand, for the pages."""
    try:
        standing.keep()
    except RedisError as error:
        log.warning("the standing of the targets is not kept: %s", error)


@shared_task
def share_capital() -> None:
    """Move capital between the bots that share it, by what each is expected to earn."""
    try:
        moves = balancing.plan(_gateway)
        told = balancing.tell(_gateway, moves)  # what cannot be built is refused here
        moved = balancing.carry_out(moves, by="engine", reason="expected net grid profit")
    except (NotPossible, InvalidGrid, ExchangeError) as error:
        log.info("no capital is moved: %s", error)
        return
    finally:
        _tally.write()
    for bot in moved:
        tick_bot.delay(bot.pk)
    if moved:
        log.info("%s of capital moved", told["moved"])


@shared_task
def run_backtest(number: int) -> None:
    """Carry out a backtest, one at a time; asked for while another runs, it comes again."""
    if not runs.in_own_process(number):
        run_backtest.apply_async([number], countdown=BUSY_S)
