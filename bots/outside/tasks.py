"""What Celery runs for outside services.

Tasks are nudges: doubled, late or lost they do no harm.
"""

import logging

from celery import shared_task

from bots import balancing, switches
from bots.api import idempotency
from bots.grid.levels import InvalidGrid
from bots.models import Bot
from bots.outside import alerts, journals
from bots.safety import killing
from integrations import outbox
from integrations.bybit.account import gateway_from_settings
from integrations.models import Alert, AlertEffect
from integrations.notion import notebook
from integrations.tradingview import inbox
from market.exchange import ExchangeError
from risk import halts

KILL_WITHIN_S = 10.0

log = logging.getLogger(__name__)
_exchange = gateway_from_settings(alone=True)


def _pause(bot: Bot, alert: Alert) -> None:
    switches.pause(bot, by=alerts.BY, reason=alerts.reason(alert))


def _resume(bot: Bot, alert: Alert) -> None:
    switches.resume(bot, by=alerts.BY, reason=alerts.reason(alert))


def _rebalance(bot: Bot, alert: Alert) -> None:
    """One move of capital for all that share it: the alert's first such bot does it for all.

    A bot that shares none looks whether its orders are what its grid wants.
    """
    slugs = {each.slug for each in balancing.sharing()}
    if bot.slug not in slugs:
        switches.look(bot)
        return
    done = alert.effects.filter(bot__in=slugs, state=AlertEffect.State.APPLIED)
    if done.exists():
        return
    try:
        moves = balancing.plan(_exchange)
        balancing.tell(_exchange, moves)  # what cannot be built is refused here
        moved = balancing.carry_out(moves, by=alerts.BY, reason=alerts.reason(alert))
    except (InvalidGrid, ExchangeError) as error:
        raise alerts.Declined(str(error)) from error
    if not moved:
        raise alerts.Declined("its capital is where it should be")
    for each in moved:
        switches.look(each)


def _kill(alert: Alert) -> str:
    """The kill is one, of everything, whatever the alert's symbol; its own watchdog ends it."""
    origin = f"alert {alert.name}"[:100]
    standing = halts.killed()
    if standing is not None and not standing.drill and standing.origin != origin:
        raise alerts.Declined(f"{alerts.KILLED_ALREADY} by {standing.opened_by}: {standing.reason}")
    halt = killing.kill(
        _exchange,
        reason=alerts.reason(alert),
        by=alerts.BY,
        origin=origin,
        enough=killing.seen_empty_within(KILL_WITHIN_S),
    )
    halt.refresh_from_db()
    return f"killed: {halt.cancelled} cancels, {halt.open_orders} orders open, {halt.state}"


# What an alert may do to a bot. An action that is not here is ignored, and its sender is told.
COMMANDS: dict[str, alerts.Command] = {
    "pause": _pause,
    "resume": _resume,
    "stop_buys": _pause,
    "allow_buys": _resume,
    "rebalance": _rebalance,
}
WIDE: dict[str, alerts.Wide] = {"kill": _kill}


@shared_task
def apply_alert(alert_id: int) -> None:
    """Do what one alert asks."""
    alerts.apply(alert_id, COMMANDS, WIDE)


@shared_task
def apply_alerts() -> None:
    """The safety net: alerts whose nudge was lost, and the end of those that nobody applied."""
    if count := inbox.expire():
        log.warning("%s alerts expired before they were applied", count)
    for alert_id in inbox.waiting():
        alerts.apply(alert_id, COMMANDS, WIDE)


@shared_task
def write_journals() -> None:
    """Put what is new into the outbox, then send what is due to Notion."""
    journals.collect()
    if sent := notebook.deliver():
        log.info("Notion has %s rows more", sent)


@shared_task
def send_notifications() -> None:
    """Send what is due on every channel."""
    from integrations.notify import delivery  # noqa: PLC0415 - Apprise takes a second to import

    if sent := delivery.deliver_all():
        log.info("%s notifications sent", sent)


@shared_task
def forget_old() -> None:
    """Delete alerts, parcels and stored answers that nobody can need any more."""
    for forget in (inbox.forget_old, outbox.forget_old, idempotency.forget_old):
        forget()
