"""How high the account's worth and each grid's stood, and how far each fell.

Coins that came or went, and capital that a grid was given or gave back, are no profit and no loss:
every worth here is net of them. A high is kept up to a minute (`risk.models.HighWater`) and brought
forward by the points since, so the cost of a look does not grow with the years.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from bots.books import ledger
from bots.models import Bot
from market.types import ZERO
from risk.halts import ALL
from risk.models import EquityPoint, HighWater


def of(bot: Bot | None = None) -> HighWater | None:
    """A grid's, or the account's, up to the newest point; None without any."""
    subject = bot.subject if bot else ALL
    mark = HighWater.objects.filter(subject=subject).first()
    points = EquityPoint.objects.filter(subject=subject).order_by("time")
    if mark is not None:
        points = points.filter(time__gt=mark.until)
    moved: list[ledger.Flow] | None = None
    for time, equity, given in points.values_list("time", "equity", "given").iterator():
        came = given
        if came is None:  # recorded before that was kept
            moved = ledger.flows(bot) if moved is None else moved
            came = sum((flow.amount for flow in moved if flow.at <= time), ZERO)
        mark = _after(mark, subject, time, equity, came)
    return mark


def _after(
    mark: HighWater | None, subject: str, time: datetime, equity: Decimal, came: Decimal
) -> HighWater:
    """The mark with one point more."""
    if mark is None:
        high = max(ZERO, equity)
        return HighWater(
            subject=subject, until=time, first=came, high=high, net=equity, fell_from=high,
            fell_to=high,
        )  # fmt: skip
    mark.until, mark.net = time, equity - (came - mark.first)
    mark.high = max(mark.high, mark.net)
    if mark.high > 0 and _is_deeper(mark):
        mark.fell_from, mark.fell_to = mark.high, mark.net
    return mark


def _is_deeper(mark: HighWater) -> bool:
    """Whether the last point is further below the high, as a share, than any before it."""
    return mark.fell_from == 0 or mark.net * mark.fell_from < mark.fell_to * mark.high


def keep(bots: Iterable[Bot | None]) -> None:
    """Write down how the worths of these went up to now; None is the account."""
    for bot in bots:
        mark = of(bot)
        if mark is not None:
            mark.save()
