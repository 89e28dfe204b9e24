"""The stop-loss of every bot, judged on each price as it comes in."""

import logging
import time
from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal

from bots import control
from bots.control import NotPossible
from bots.models import Bot
from bots.safety import guarding
from market.types import Tick, plain
from risk import guards, policy
from risk.belief import Belief
from risk.guards import Level, Reading

log = logging.getLogger(__name__)

LEVELS_FOR_S = 1.0  # levels are read again after that

State = Bot.State


@dataclass(frozen=True, slots=True)
class _Level:
    bot_id: int
    price: Decimal


class StopLosses:
    """Watches prices for bots whose stop-loss they pass: last trade and best bid, both below it.

    Prices that are not believed (risk/belief.py) stop nothing.
    """

    def __init__(self) -> None:
        self._levels: dict[str, list[_Level]] = {}
        self._read = float("-inf")
        self._belief = Belief(Decimal(1))

    def believes(self, tick: Tick) -> bool:
        """Take a price in; whether it may be acted upon. Raises DatabaseError."""
        self._read_levels()
        believed = self._belief.believes(tick)
        if not believed:
            log.warning("%s at %s is not believed", tick.symbol, plain(tick.last))
        return believed

    def see(self, tick: Tick) -> list[int]:
        """Judge a price that is believed; the bots that it stopped. Raises DatabaseError."""
        self._read_levels()
        return [
            level.bot_id
            for level in self._levels.get(tick.symbol, ())
            if guards.is_below(level.price, tick.last, tick.bid) and _stop(level, tick)
        ]

    def _read_levels(self) -> None:
        if time.monotonic() - self._read < LEVELS_FOR_S:
            return
        armed = Bot.objects.filter(
            state__in=(State.DEPLOYING, State.RUNNING, State.PAUSED, State.STOPPING),
            config__stop_loss__isnull=False,
        ).exclude(state=State.STOPPING, exit=Bot.Exit.SELL)
        levels: dict[str, list[_Level]] = defaultdict(list)
        for bot_id, symbol, price in armed.values_list("pk", "symbol", "config__stop_loss"):
            levels[symbol].append(_Level(bot_id, price))
        self._levels = levels
        self._belief.outlier = policy.current().outlier
        self._read = time.monotonic()


def _stop(level: _Level, tick: Tick) -> bool:
    """Have the bot sell what it holds and stop; False when it does so already."""
    bot = Bot.objects.get(pk=level.bot_id)
    words = (
        f"last {plain(tick.last)} and bid {plain(tick.bid)} "
        f"are below the stop-loss {plain(level.price)}"
    )
    if bot.state == State.STOPPING and bot.exit == Bot.Exit.SELL:
        return False
    try:
        control.stop(bot, exit=Bot.Exit.SELL, by="stop-loss", reason=words)
    except NotPossible as error:
        log.info("%s", error)
        return False
    guarding.note(
        Reading(
            "stop-loss",
            bot.subject,
            tick.last,
            level.price,
            "quote",
            Level.TRIPPED,
            f"sells and stops: {words}",
        )
    )
    return True
