"""Rows for Notion: how each bot and all of them stood at the end of each day (exchange clock)."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Max

from bots.models import Bot
from bots.outside.marks import mark as mark_of
from bots.reports import cards, earned
from bots.reports.earned import Earned
from integrations.models import Mark
from integrations.notion import notebook
from integrations.notion.properties import PORTFOLIO
from integrations.outbox import Item, put
from market.models import Price
from market.types import ZERO, plain
from risk.halts import ALL
from risk.models import EquityPoint

_DAY = timedelta(days=1)
_MOST = 366  # days that are caught up after the system was away


def put_days() -> None:
    """A row for each bot and one for all, for every day that has ended since the last look.

    The day that ended last is told as things stand, which is moments after its end; days on which
    nobody looked are told by what is recorded of them.
    """
    newest = Price.objects.aggregate(newest=Max("time"))["newest"]
    if newest is None:
        return
    today = newest.astimezone(UTC).date().toordinal()
    mark = mark_of("notion:days", today)
    if today <= mark.seen:
        return
    with transaction.atomic():
        for missed in range(max(mark.seen, today - _MOST), today - 1):
            put([notebook.LANE], list(_recorded(date.fromordinal(missed))))
        put([notebook.LANE], list(_now(date.fromordinal(today - 1))))
        Mark.objects.filter(pk=mark.pk).update(seen=today)


def _now(day: date) -> Iterator[Item]:
    state = cards.dashboard()
    for card in [*state["bots"], {**state["totals"], "slug": "total", "name": "Total"}]:
        price = card.get("price") or {}
        facts = {
            "State": card.get("state_text"),
            "Price": price.get("last"),
            "Capital": card["capital"],
            "Equity": card.get("equity"),
            "Grid profit": card["grid_profit"],
            "Inventory PnL": card["inventory_pnl"],
            "Floating PnL": card["floating"],
            "Total PnL": card["total"],
            "Fees": card["fees"],
            "Round trips": str(card["round_trips"]),
            "Fills": str(card["fills"]),
            "Fills 24 h": str(card["fills_24h"]),
        }
        yield _row(day, card["slug"], card["name"], facts)


def _recorded(day: date) -> Iterator[Item]:
    """What facts say of a day that is long over; what nobody wrote down is left empty."""
    end = datetime.combine(day + _DAY, datetime.min.time(), UTC)
    bots = list(Bot.objects.filter(deployed_at__lt=end))
    each = earned.of(bots, until=day + _DAY)
    for bot in bots:
        found = _sums([each[bot.pk]]) | {"Equity": _worth(bot.subject, end)}
        yield _row(day, bot.slug, bot.name, found)
    found = _sums([each[bot.pk] for bot in bots]) | {"Equity": _worth(ALL, end)}
    yield _row(day, "total", "Total", found)


def _sums(each: Sequence[Earned]) -> dict[str, str]:
    def money(name: str) -> str:
        return plain(sum((getattr(one, name) for one in each), ZERO))

    def count(name: str) -> str:
        return str(sum(getattr(one, name) for one in each))

    return {
        "Grid profit": money("grid_profit"),
        "Inventory PnL": money("inventory_pnl"),
        "Fees": money("fees"),
        "Round trips": count("round_trips"),
        "Fills": count("fills"),
        "Fills 24 h": count("fills_24h"),
    }


def _worth(subject: str, end: datetime) -> str | None:
    """The last worth that was recorded on the day before `end`."""
    points = EquityPoint.objects.filter(subject=subject, time__gte=end - _DAY, time__lt=end)
    equity: Decimal | None = points.order_by("-time").values_list("equity", flat=True).first()
    return None if equity is None else plain(equity)


def _row(day: date, slug: str, name: str, facts: dict[str, Any]) -> Item:
    told = {"Date": day.isoformat(), "Bot": name, **facts}
    payload = {"database": PORTFOLIO, "title": f"{day} {name}", "facts": told}
    return Item(f"day:{day}:{slug}", payload)
