"""Applies stored alerts to bots: within limits, each once, never against a halt.

What an alert may do is a table of commands that the caller gives, for one bot or for everything; an
action without one is ignored and says so. Every effect is written before it is done, so a worker's
death leaves no repetition that anybody would notice: the commands are idempotent, and the claim is
taken over.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from bots.control import NotPossible
from bots.models import Bot
from integrations.models import Alert, AlertEffect
from integrations.tradingview import inbox
from integrations.tradingview.message import EVERY
from market.locks import Lock, hold
from risk.models import Halt

COOLDOWN = timedelta(seconds=30)
BY = "tradingview"
STOP_BUYS = "stop_buys"
NOT_AVAILABLE = "not available in this version"
KILLED_ALREADY = "killed already"
# Withholding is never put off by a cooldown: the last word of a signal must not be lost.
_LETS_TRADE = frozenset({"resume", "allow_buys", "rebalance"})
_STOPPED_BUYS = f"paused by {BY}: {STOP_BUYS}"

State = AlertEffect.State
Command = Callable[[Bot, Alert], None]
Wide = Callable[[Alert], str]
"""Does it to everything and answers what was done. Raises Declined."""
log = logging.getLogger(__name__)


class Declined(Exception):
    """The alert changes nothing on this bot; the text says why."""


def apply(alert_id: int, commands: Mapping[str, Command], wide: Mapping[str, Wide]) -> None:
    """Do what an alert asks, if it still waits. Commands are keyed by the alert's action."""
    alert = inbox.claim(alert_id)
    if alert is None:
        return
    if alert.action in wide:
        _on_everything(alert, wide[alert.action])
    elif alert.action in commands:
        _on_bots(alert, commands[alert.action])
    else:
        log.warning("alert %s asks for %s: %s", alert.name, alert.action, NOT_AVAILABLE)
        inbox.finish(alert, Alert.State.IGNORED, f"{alert.action} is {NOT_AVAILABLE}")


def _on_everything(alert: Alert, command: Wide) -> None:
    try:
        words = command(alert)
    except Declined as error:
        inbox.finish(alert, Alert.State.IGNORED, str(error))
    else:
        inbox.finish(alert, Alert.State.APPLIED, words)


def _on_bots(alert: Alert, command: Command) -> None:
    bots = _concerned(alert)
    if not bots:
        inbox.finish(alert, Alert.State.IGNORED, f"no bot trades {alert.symbol}")
        return
    effects = [_on(bot, alert, command) for bot in bots]
    done = any(effect.state == State.APPLIED for effect in effects)
    words = "; ".join(f"{effect.bot}: {effect.reason}" for effect in effects)
    inbox.finish(alert, Alert.State.APPLIED if done else Alert.State.IGNORED, words)


def _concerned(alert: Alert) -> list[Bot]:
    deployed = Bot.objects.exclude(config=None).exclude(state=Bot.State.STOPPED)
    return list(deployed if alert.symbol == EVERY else deployed.filter(symbol=alert.symbol))


def _on(bot: Bot, alert: Alert, command: Command) -> AlertEffect:
    """Do it to one bot and write down how it went."""
    effect = _begin(bot, alert)
    if effect.state != State.BEGUN:
        return effect
    try:
        _check(bot, alert)
        command(bot, alert)
    except (Declined, NotPossible) as error:
        effect.state, effect.reason = State.IGNORED, str(error)[:300]
    else:
        effect.state, effect.reason = State.APPLIED, f"{alert.action} done"
        log.info("%s: %s by alert %s", bot.slug, alert.action, alert.name)
    effect.save(update_fields=["state", "reason"])
    return effect


@transaction.atomic
def _begin(bot: Bot, alert: Alert) -> AlertEffect:
    """The effect's row, made now or by a worker that died; one within the cooldown is ignored."""
    hold(Lock.ALERTS)  # two alerts must not both see an open cooldown
    known = AlertEffect.objects.filter(alert=alert, bot=bot.slug).first()
    if known is not None:
        return known
    now = timezone.now()
    effect = AlertEffect(alert=alert, bot=bot.slug, action=alert.action, at=now)
    before = AlertEffect.objects.filter(
        bot=bot.slug, action=alert.action, at__gt=now - COOLDOWN
    ).exclude(state=State.IGNORED)
    if alert.action in _LETS_TRADE and before.exists():
        effect.state = State.IGNORED
        effect.reason = f"cooldown: {alert.action} was done less than {COOLDOWN.seconds} s ago"
    effect.save()
    return effect


def _check(bot: Bot, alert: Alert) -> None:
    """Raise Declined when the alert must not, or need not, change the bot."""
    if alert.action in _LETS_TRADE:
        halt = Halt.objects.filter(subject__in=("all", bot.subject), lifted_at=None).first()
        if halt is not None:
            raise Declined(f"halted: {halt.reason}; an alert lifts no halt")
        if alert.action == "allow_buys" and not bot.reason.startswith(_STOPPED_BUYS):
            raise Declined(f"no {STOP_BUYS} alert holds its buys back")
        if alert.action != "rebalance" and bot.state == Bot.State.RUNNING:
            raise Declined("runs already")
    elif alert.action in {"pause", STOP_BUYS} and bot.state == Bot.State.PAUSED:
        raise Declined(f"is paused already: {bot.reason}")


def reason(alert: Alert) -> str:
    """What a bot says of itself after an alert changed it."""
    note = alert.details.get("comment", "")
    words = f"alert {alert.name[:80]}" + (f": {note[:100]}" if note else "")
    return f"{STOP_BUYS} ({words})" if alert.action == STOP_BUYS else words
