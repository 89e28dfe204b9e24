"""The account's worth and each grid's over time: the month, and how far below the high.

Coins that came or went, and capital that a grid was given or gave back, are no profit: every
figure here is net of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from bots.books import ledger
from bots.books.ledger import Flow
from bots.models import BookLine, Bot
from market.types import ONE, ZERO
from risk.models import EquityPoint

ACCOUNT = "all"
MONTH = timedelta(days=30)
LEAST = timedelta(days=1)  # a rate from less is noise


@dataclass(frozen=True, slots=True)
class Change:
    """What was made in a stretch of time: quote, and its share of what was at work in it."""

    profit: Decimal
    share: Decimal | None


@dataclass(frozen=True, slots=True)
class Drawdown:
    """How far the worth is below its high, and the furthest it was, as shares of the high."""

    now: Decimal
    worst: Decimal


def flows(bot: Bot | None) -> list[Flow]:
    """What came into the account from outside, valued then; or into a grid, as its capital."""
    if bot is None:
        return ledger.flows()
    lines = BookLine.objects.filter(
        bot=bot, account=BookLine.Account.BOT, booking__config__isnull=False
    ).order_by("booking__at")
    return [Flow(*row) for row in lines.values_list("booking__at", "amount")]


def month(bot: Bot | None = None) -> Change | None:
    """The last 30 days, or since the worth is recorded; None before a day of that.

    The share is of the worth at the start and each flow for the part of the time that it was
    there (modified Dietz).
    """
    points = EquityPoint.objects.filter(subject=bot.subject if bot else ACCOUNT)
    newest = points.order_by("-time").first()
    if newest is None:
        return None
    oldest = points.filter(time__gte=newest.time - MONTH).order_by("time").first()
    if oldest is None or newest.time - oldest.time < LEAST:
        return None
    span = newest.time - oldest.time
    within = [flow for flow in flows(bot) if oldest.time < flow.at <= newest.time]
    came = sum((flow.amount for flow in within), ZERO)
    if newest.given is not None and oldest.given is not None:
        came = newest.given - oldest.given
    profit = newest.equity - oldest.equity - came
    at_work = oldest.equity + sum(
        (flow.amount * Decimal((newest.time - flow.at) / span) for flow in within), ZERO
    )
    return Change(profit, profit / at_work if at_work > 0 else None)


def drawdown(bot: Bot | None = None) -> Drawdown | None:
    """Over every recorded minute; None without any."""
    high = worst = now = ZERO
    for net in _net(bot):
        high = max(high, net)
        now = ONE - net / high if high > 0 else ZERO
        worst = max(worst, now)
    return Drawdown(now, worst) if high > 0 else None


def _net(bot: Bot | None) -> Iterator[Decimal]:
    """At each recorded minute the worth less all that came in since the first."""
    moved = flows(bot)
    points = EquityPoint.objects.filter(subject=bot.subject if bot else ACCOUNT).order_by("time")
    first: Decimal | None = None
    for time, equity, given in points.values_list("time", "equity", "given").iterator():
        came = given
        if came is None:  # recorded before that was kept
            came = sum((flow.amount for flow in moved if flow.at <= time), ZERO)
        first = came if first is None else first
        yield equity - (came - first)
