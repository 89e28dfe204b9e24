"""Prices that start and end a bot: the trigger of its entry, and its take-profit."""

from bots import control
from bots.models import Bot, GridConfig
from market.types import Tick, plain

State = Bot.State


def is_triggered(bot: Bot, price: Tick) -> bool:
    """Whether a bot that waits for its trigger price may build its cells now.

    On which side of the trigger the price was when the bot first looked is kept: it has reached
    the trigger when it is at it or beyond. A bot without one is always triggered.
    """
    config = bot.config
    if config is None or config.trigger_price is None:
        return True
    trigger = config.trigger_price
    if config.trigger_rises is None:
        config.trigger_rises = price.last < trigger
        GridConfig.objects.filter(pk=config.pk).update(trigger_rises=config.trigger_rises)
    reached: bool = price.last >= trigger if config.trigger_rises else price.last <= trigger
    if not reached:
        way = "rise" if config.trigger_rises else "fall"
        reason = f"waiting for the price to {way} to {plain(trigger)}"
        waiting = Bot.objects.filter(pk=bot.pk, state=State.DEPLOYING).exclude(reason=reason)
        waiting.update(reason=reason)
    return reached


def take_profit(bot: Bot, price: Tick) -> bool:
    """Stop a bot whose last trade and best bid have both reached its take-profit.

    It leaves the market as its config says. True when it was stopped by this look.
    """
    config = bot.config
    if config is None or config.take_profit is None:
        return False
    if bot.state not in {State.RUNNING, State.PAUSED}:
        return False
    level = config.take_profit
    if price.last < level or price.bid < level:
        return False
    words = (
        f"last {plain(price.last)} and bid {plain(price.bid)} reached the take-profit "
        f"{plain(level)}"
    )
    control.stop(bot, exit=Bot.Exit(config.on_exit), by="take-profit", reason=words)
    return True
