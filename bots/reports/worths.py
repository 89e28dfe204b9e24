"""The account's worth and each grid's over time: the month, and how far below the high.

Coins that came or went, and capital that a grid was given or gave back, are no profit: every
figure here is net of them.
"""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from bots.books import highs, ledger
from bots.models import Bot
from market.types import ONE, ZERO
from risk.halts import ALL
from risk.models import EquityPoint

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


def month(bot: Bot | None = None) -> Change | None:
    """The last 30 days, or since the worth is recorded; None before a day of that.

    The share is of the worth at the start and each flow for the part of the time that it was
    there (modified Dietz).
    """
    points = EquityPoint.objects.filter(subject=bot.subject if bot else ALL)
    newest = points.order_by("-time").first()
    if newest is None:
        return None
    oldest = points.filter(time__gte=newest.time - MONTH).order_by("time").first()
    if oldest is None or newest.time - oldest.time < LEAST:
        return None
    span = newest.time - oldest.time
    within = [flow for flow in ledger.flows(bot) if oldest.time < flow.at <= newest.time]
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
    mark = highs.of(bot)
    if mark is None or mark.high <= 0:
        return None
    return Drawdown(ONE - mark.net / mark.high, ONE - mark.fell_to / mark.fell_from)
