"""Pause and resume as every door does them: change the state, then let bot and page look."""

import logging
from functools import partial

from django.db import transaction
from kombu.exceptions import OperationalError

from bots import control, live
from bots.models import Bot
from bots.tasks import tick_bot

log = logging.getLogger(__name__)


def pause(bot: Bot, *, by: str, reason: str = "") -> Bot:
    """Withhold the bot's buys. Raises NotPossible when there is nothing to pause."""
    control.pause(bot, by=by, reason=reason)
    log.info("%s paused by %s%s", bot.slug, by, f": {reason}" if reason else "")
    look(bot)
    return bot


def resume(bot: Bot, *, by: str, reason: str = "") -> Bot:
    """Let the bot buy again. Raises NotPossible when it is not paused."""
    control.resume(bot, by=by, reason=reason)
    log.info("%s resumed by %s%s", bot.slug, by, f": {reason}" if reason else "")
    look(bot)
    return bot


def look(bot: Bot) -> None:
    """Once the change is committed, have the bot tick and the open pages redraw it."""
    transaction.on_commit(partial(_look, bot.pk, bot.slug))


def _look(bot_id: int, slug: str) -> None:
    try:
        tick_bot.delay(bot_id)
    except OperationalError as error:  # the state is saved; the next beat finds it
        log.warning("%s is not told to look, the beat will find it: %s", slug, error)
    live.hint(slug, "state")
