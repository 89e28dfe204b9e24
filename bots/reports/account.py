"""The whole account over time: equity beside buying and holding, and when orders were filled."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.utils import timezone

from bots.models import Bot
from bots.reports import plots
from bots.reports.backtests import equity_figure
from bots.reports.plots import Figure
from market import series
from market.intervals import LENGTH_MS
from market.models import Price
from market.types import ZERO, milliseconds, moment, plain
from risk.halts import ALL

# Hours shown, the interval of the bars that tell them, and the name of the button.
WINDOWS = {24: ("5", "24 h"), 168: ("30", "7 d"), 720: ("120", "30 d"), 8760: ("D", "1 y")}
USUAL_WINDOW = 168
HEAT_DAYS = 7
STEPS = (1, 2, 3, 4, 6)  # fills in an hour from which a cell is one shade darker
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
CENT = Decimal("0.01")

_EQUITY = """
    SELECT DISTINCT ON (bin) date_bin(%(step)s, time, 'epoch') AS bin, equity
    FROM risk_equitypoint WHERE subject = %(subject)s AND time > %(since)s
    ORDER BY bin, time DESC"""
_FILLS = """
    SELECT extract(isodow FROM time AT TIME ZONE 'UTC')::int,
           extract(hour FROM time AT TIME ZONE 'UTC')::int, count(DISTINCT order_id)
    FROM bots_fill WHERE (%(bot)s IS NULL OR bot_id = %(bot)s) AND time > %(since)s GROUP BY 1, 2"""

Row = dict[str, Any]


def now() -> datetime:
    """The exchange's clock, as its newest message told it."""
    newest = Price.objects.order_by("-time").values_list("time", flat=True).first()
    return newest or timezone.now()


def equity(hours: int = USUAL_WINDOW) -> Figure:
    """F2: the account's worth, its fall from the highest, and the same capital held instead.

    KeyError: no such window.
    """
    points = _points(hours)
    if len(points) < 2:  # noqa: PLR2004 - one point is no course
        return {"data": [], "layout": {}, "said": "", "empty": "Not enough is recorded yet."}
    times = [plots.iso(at) for at, _ in points]
    worths = [plain(worth.quantize(CENT)) for _, worth in points]
    said = f"Equity of the account, from {worths[0]} to {worths[-1]} USDT, and its drawdown"
    return equity_figure(times, worths, _held(points, hours), said)


def course(hours: int = USUAL_WINDOW, most: int = 12) -> list[Row]:
    """The same in a few rows, the newest first."""
    points = _points(hours)
    step = max(1, len(points) // most)
    return [
        {"time": at.isoformat(), "equity": plain(worth.quantize(CENT))}
        for at, worth in points[::-1][::step]
    ]


def _points(hours: int) -> Sequence[tuple[datetime, Decimal]]:
    """The last worth of each stretch."""
    step = timedelta(milliseconds=LENGTH_MS[WINDOWS[hours][0]])
    given = {"step": step, "subject": ALL, "since": now() - timedelta(hours=hours)}
    with connection.cursor() as cursor:
        cursor.execute(_EQUITY, given)
        return list(cursor.fetchall())


def _held(points: Sequence[tuple[datetime, Decimal]], hours: int) -> list[str]:
    """What the worth at the first point had become, put into the bots' coins by their capital."""
    interval = WINDOWS[hours][0]
    bots = list(Bot.objects.exclude(config=None).select_related("config"))
    capital = sum((bot.config.capital for bot in bots if bot.config), ZERO)
    if not capital:
        return []
    begin, worth = points[0]
    sums = [ZERO] * len(points)
    for bot in bots:
        closes = _closes(bot.symbol, interval, begin, points)
        if bot.config is None or not closes:
            return []
        share = worth * bot.config.capital / capital
        for i, close in enumerate(closes):
            sums[i] += share * close / closes[0]
    return [plain(amount.quantize(CENT)) for amount in sums]


def _closes(
    symbol: str, interval: str, begin: datetime, points: Sequence[tuple[datetime, Decimal]]
) -> list[Decimal]:
    """The close at each point; a stretch without a bar has the one before it."""
    end = milliseconds(points[-1][0])
    bars = series.read(symbol, interval, end, len(points) + 2, milliseconds(begin))
    by_time = {moment(bar.time): bar.close for bar in bars}
    if not by_time:
        return []
    last = by_time[min(by_time)]
    found = []
    for at, _ in points:
        last = by_time.get(at, last)
        found.append(last)
    return found


def windows(chosen: int) -> list[tuple[int, str, bool]]:
    """The stretches that are offered, and which one is shown."""
    return [(hours, name, hours == chosen) for hours, (_, name) in WINDOWS.items()]


def fills_by_hour(bot: Bot | None = None) -> Row:
    """Orders filled in each hour of each weekday, the last seven days of the exchange's clock.

    Of one bot, or of all.
    """
    given = {"bot": bot and bot.pk, "since": now() - timedelta(days=HEAT_DAYS)}
    with connection.cursor() as cursor:
        cursor.execute(_FILLS, given)
        counted = {(day, hour): count for day, hour, count in cursor.fetchall()}
    days = [
        {
            "name": name,
            "hours": [_shade(counted.get((day, hour), 0)) for hour in range(24)],
        }
        for day, name in enumerate(DAYS, start=1)
    ]
    return {"days": days, "all": sum(counted.values()), "most": STEPS[-1]}


def _shade(count: int) -> Row:
    return {"count": count, "shade": sum(count >= step for step in STEPS)}
