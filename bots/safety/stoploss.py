"""Stop-loss and trailing stop of every bot, judged on each price as it comes in."""

import logging
import time
from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain

from django.db.models import Q

from bots import control
from bots.control import NotPossible
from bots.models import Bot
from bots.safety import guarding
from market.types import ONE, Tick, plain
from risk import guards, policy
from risk.belief import Belief
from risk.guards import Level, Reading

log = logging.getLogger(__name__)

LEVELS_FOR_S = 1.0  # levels are read again after that
STOP_LOSS, TRAILING_STOP = "stop-loss", "trailing stop"

State = Bot.State


@dataclass(slots=True)
class _Level:
    """What ends one bot."""

    bot_id: int
    stop_loss: Decimal | None
    share: Decimal | None  # of the highest price, that its trailing stop allows to be lost
    highest: Decimal | None
    is_new: bool = False  # the highest is higher than what is kept

    def rise(self, price: Decimal) -> None:
        if self.share is not None and (self.highest is None or price > self.highest):
            self.highest, self.is_new = price, True

    def passed(self, tick: Tick) -> tuple[str, Decimal] | None:
        """Name and level of the stop that this price has passed, if it has one."""
        if self.stop_loss is not None and guards.is_below(self.stop_loss, tick.last, tick.bid):
            return STOP_LOSS, self.stop_loss
        if self.share is not None and self.highest is not None:
            level = self.highest * (ONE - self.share)
            if guards.is_below(level, tick.last, tick.bid):
                return TRAILING_STOP, level
        return None


class StopLosses:
    """Watches prices for bots whose stops they pass: last trade and best bid, both below.

    A stop-loss stands where it was set. A trailing stop lies a share below the highest price since
    the bot began; that is kept once a second, so a restart forgets no more than a second's rise.
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
        stopped = []
        for level in self._levels.get(tick.symbol, ()):
            level.rise(tick.last)
            found = level.passed(tick)
            if found is not None and _stop(level, tick, *found):
                stopped.append(level.bot_id)
        return stopped

    def _read_levels(self) -> None:
        if time.monotonic() - self._read < LEVELS_FOR_S:
            return
        self._keep_highest()
        armed = Bot.objects.filter(
            Q(config__stop_loss__isnull=False) | Q(config__trailing_stop__isnull=False),
            state__in=(State.DEPLOYING, State.RUNNING, State.PAUSED, State.STOPPING),
        ).exclude(state=State.STOPPING, exit=Bot.Exit.SELL)
        levels: dict[str, list[_Level]] = defaultdict(list)
        for bot in armed.select_related("config"):
            waits = bot.state == State.DEPLOYING  # a trailing stop counts from the start on
            share = None if waits else bot.config.trailing_stop
            levels[bot.symbol].append(_Level(bot.pk, bot.config.stop_loss, share, bot.highest))
        self._levels = levels
        self._belief.outlier = policy.current().outlier
        self._read = time.monotonic()

    def _keep_highest(self) -> None:
        """Write down what has risen since the levels were read; another process may know more."""
        for level in chain.from_iterable(self._levels.values()):
            if level.is_new and level.highest is not None:
                lower = Q(highest=None) | Q(highest__lt=level.highest)
                Bot.objects.filter(lower, pk=level.bot_id).update(highest=level.highest)


def _stop(level: _Level, tick: Tick, name: str, price: Decimal) -> bool:
    """Have the bot leave the market as its config says; False when it does so already."""
    bot = Bot.objects.select_related("config").get(pk=level.bot_id)
    way = Bot.Exit(bot.config.on_exit)
    since = f", {plain(level.highest)} was its highest price" if name == TRAILING_STOP else ""
    words = (
        f"last {plain(tick.last)} and bid {plain(tick.bid)} are below the {name} "
        f"{plain(price)}{since}"
    )
    if bot.state == State.STOPPING and bot.exit in {Bot.Exit.SELL, way}:
        return False
    try:
        control.stop(bot, exit=way, by=name, reason=words)
    except NotPossible as error:
        log.info("%s", error)
        return False
    did = {Bot.Exit.SELL: "sells", Bot.Exit.KEEP: "keeps its coins"}.get(way, "sells by its ladder")
    told = f"{did} and stops: {words}"
    guarding.note(Reading(name, bot.subject, tick.last, price, "quote", Level.TRIPPED, told))
    return True
