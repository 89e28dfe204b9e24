"""How a bot's profit came about: grid profit, inventory and floating PnL along the way."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import connection

from bots.models import Bot
from market import series
from market.intervals import LENGTH_MS, opening
from market.models import Price
from market.types import ZERO, milliseconds, moment

MOST_POINTS = 240
_INTERVALS = ("1", "3", "5", "15", "30", "60", "120", "240")

# What each stretch of time added: quote and base by fills, as the ledger has them; closed trips.
_FLOWS = """
    SELECT date_bin(%(step)s, booking.at, 'epoch') AS bin,
           sum(CASE WHEN line.coin = pair.quote THEN line.amount ELSE 0 END),
           sum(CASE WHEN line.coin = pair.base THEN line.amount ELSE 0 END)
    FROM bots_bookline line
    JOIN bots_booking booking ON booking.id = line.booking_id AND booking.fill_id IS NOT NULL
    JOIN bots_bot bot ON bot.id = line.bot_id
    JOIN market_instrument pair ON pair.symbol = bot.symbol
    WHERE line.bot_id = %(bot)s AND line.account = 'bot' GROUP BY bin"""
_TRIPS = """
    SELECT date_bin(%(step)s, closed, 'epoch') AS bin, sum(grid_profit), sum(inventory_pnl)
    FROM bots_roundtrip WHERE bot_id = %(bot)s GROUP BY bin"""

# The same by days, which are kept added up.
_DAILY_FLOWS = """
    SELECT book.day::timestamp AT TIME ZONE 'UTC' AS bin,
           sum(CASE WHEN book.coin = pair.quote THEN book.amount ELSE 0 END),
           sum(CASE WHEN book.coin = pair.base THEN book.amount ELSE 0 END)
    FROM bots_books_by_day book
    JOIN bots_bot bot ON bot.id = book.bot_id
    JOIN market_instrument pair ON pair.symbol = bot.symbol
    WHERE book.bot_id = %(bot)s AND book.account = 'bot' AND book.traded GROUP BY bin"""
_DAILY_TRIPS = """
    SELECT day::timestamp AT TIME ZONE 'UTC' AS bin, sum(grid_profit), sum(inventory_pnl)
    FROM bots_trips_by_day WHERE bot_id = %(bot)s GROUP BY bin"""


@dataclass(frozen=True, slots=True)
class Point:
    """Where a bot stood. Money is quote; grid + inventory + floating is the total."""

    time: datetime
    grid: Decimal
    inventory: Decimal
    floating: Decimal
    total: Decimal


def course(bot: Bot) -> list[Point]:
    """The points from nothing on, the newest at the newest price; none without fills.

    All versions of the bot's grid count. The total is the quote that its fills brought or took
    and the base they left, at the price of the time.
    """
    price = Price.objects.filter(symbol=bot.symbol).first()
    first = bot.fills.order_by("time").values_list("time", flat=True).first()
    if price is None or first is None:
        return []
    interval = _interval(price.time - first)
    step = timedelta(milliseconds=LENGTH_MS[interval])
    sums = (_DAILY_FLOWS, _DAILY_TRIPS) if interval == "D" else (_FLOWS, _TRIPS)
    flows, trips = (_binned(query, bot, step) for query in sums)
    bars = series.read(
        bot.symbol, interval, milliseconds(price.time), MOST_POINTS + 1, milliseconds(first - step)
    )
    closes = {moment(bar.time): bar.close for bar in bars}
    closes[max([*closes, *flows, price.time])] = price.last
    quote = base = grid = inventory = ZERO
    points, close = (
        [Point(moment(opening(interval, milliseconds(first - step))), *[ZERO] * 4)],
        None,
    )
    for time in sorted({*closes, *flows, *trips}):
        money, coins = flows.get(time, (ZERO, ZERO))
        earned, entered = trips.get(time, (ZERO, ZERO))
        quote, base = quote + money, base + coins
        grid, inventory = grid + earned, inventory + entered
        close = closes.get(time, close)
        if close is not None and time > points[0].time:
            total = quote + base * close
            points.append(Point(time, grid, inventory, total - grid - inventory, total))
    return points


def _interval(age: timedelta) -> str:
    """The shortest bars that tell such a time in MOST_POINTS; beyond four hours, days.

    Shorter stretches are added up from the facts, so only young bots have them.
    """
    wanted = age / MOST_POINTS
    fitting = (name for name in _INTERVALS if timedelta(milliseconds=LENGTH_MS[name]) >= wanted)
    return next(fitting, "D")


def _binned(query: str, bot: Bot, step: timedelta) -> dict[datetime, tuple[Decimal, Decimal]]:
    with connection.cursor() as cursor:
        cursor.execute(query, {"step": step, "bot": bot.pk})
        return {time: (one, two) for time, one, two in cursor.fetchall()}
