"""What becomes a row outside: round trips, stops and halts for Notion, events for people's phones.

Reads what the bots wrote and puts parcels into the outbox, each fact once. How far a table was
read stands in a mark; a stretch before it is read again each time, since rows of transactions
that ran side by side do not appear in the order of their ids.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Greatest
from django.utils import timezone

from bots.models import Bot, RoundTrip
from bots.outside import portfolio, standing
from bots.outside.alerts import KILLED_ALREADY
from bots.outside.marks import last_id as _last_id
from bots.outside.marks import mark as _mark
from bots.outside.marks import told as _told
from bots.reports import cards
from integrations.models import Alert, Mark, Parcel
from integrations.notify.channels import announce, channels
from integrations.notion import notebook
from integrations.notion.properties import TRADES
from integrations.outbox import Item, Level, end_turn, put, take_turn
from market.types import plain
from risk.models import Guard, GuardEvent, Halt

AT_ONCE = 500  # rows of a table in one run
OVERLAP = 500  # ids before the mark that are read again
_LANE = "journals"  # one reader at a time


def collect() -> None:
    """Put everything new into the outbox."""
    turn = take_turn(_LANE)
    if turn is None:
        return
    try:
        if notebook.databases():
            _journal()
        if channels():
            _events()
    finally:
        end_turn(turn)


def backfill(since: datetime | None = None) -> int:
    """Have the journal go back to facts from a time on (exchange clock), or to the first of all.

    Answers how many round trips are still to be read; what Notion has is not written again.
    """
    trips = RoundTrip.objects.filter(closed__lt=since) if since else RoundTrip.objects.none()
    halts = Halt.objects.filter(opened_at__lt=since) if since else Halt.objects.none()
    start = _last_id(trips)
    for name, first in (("notion:round trips", start), ("notion:halts", _last_id(halts))):
        Mark.objects.update_or_create(name=name, defaults={"start": first, "seen": first})
    return RoundTrip.objects.filter(pk__gt=start).count()


def contradiction(source: str, name: str) -> None:
    """An alert came with the id of another: a mistake in its script, or a forgery."""
    title = f"Alert refused: {source} sent another alert with the id of one before"
    announce(f"contradiction:{source}:{name}"[:120], Level.WARNING, title, f"id {name}")


# --- Notion --------------------------------------------------------------------------------------


def _journal() -> None:
    rows = RoundTrip.objects.select_related("bot", "config")
    _put_new("notion:round trips", rows, lambda trip: f"trip:{trip.pk}", _trip)
    _put_new("notion:halts", Halt.objects.all(), lambda halt: f"halt:{halt.pk}", _halt)
    put([notebook.LANE], [_stop(bot) for bot in _stopped("notion:stops")])
    portfolio.put_days()


def _put_new(
    name: str,
    rows: QuerySet[Any],
    key: Callable[[Any], str],
    facts: Callable[[Any], dict[str, Any]],
) -> None:
    """Put rows that have no parcel yet, and move the mark."""
    newest = _last_id(rows)
    mark = _mark(name, newest)
    after = max(mark.start, mark.seen - OVERLAP)
    found = list(rows.filter(pk__gt=after).order_by("pk")[: OVERLAP + AT_ONCE])
    keys = [key(row) for row in found]
    known = set(
        Parcel.objects.filter(lane=notebook.LANE, key__in=keys).values_list("key", flat=True)
    )
    put([notebook.LANE], [Item(key(row), facts(row)) for row in found if key(row) not in known])
    if found:
        Mark.objects.filter(name=name).update(seen=Greatest("seen", found[-1].pk))


def _trip(trip: RoundTrip) -> dict[str, Any]:
    return {
        "database": TRADES,
        "title": f"{trip.bot.name} cell {trip.cell}, trip {trip.trip}",
        "facts": {
            "Kind": "Round trip",
            "Bot": trip.bot.name,
            "Symbol": trip.bot.symbol,
            "Cell": str(trip.cell),
            "Opened": cards.iso(trip.opened),
            "Closed": cards.iso(trip.closed),
            "Bought": plain(trip.bought),
            "Sold": plain(trip.sold),
            "Cost": plain(trip.cost),
            "Proceeds": plain(trip.proceeds),
            "Grid profit": plain(trip.grid_profit),
            "Inventory PnL": plain(trip.inventory_pnl),
        },
    }


def _halt(halt: Halt) -> dict[str, Any]:
    return {
        "database": TRADES,
        "title": f"Halt of {_subject(halt.subject)}",
        "facts": {
            "Kind": "Halt",
            "Bot": _subject(halt.subject),
            "Opened": cards.iso(halt.opened_at),
            "Reason": f"{halt.reason} (by {halt.opened_by})",
        },
    }


def _stop(bot: Bot) -> Item:
    facts = {
        "Kind": "Stop",
        "Bot": bot.name,
        "Symbol": bot.symbol,
        "Closed": cards.iso(bot.state_since),
        "Reason": bot.reason,
    }
    title = f"{bot.name} stopped"
    return Item(_stop_key(bot), {"database": TRADES, "title": title, "facts": facts})


# --- notifications -------------------------------------------------------------------------------


def _events() -> None:
    for halt in _new("notify:halts", Halt.objects.all(), lambda halt: f"halt:{halt.pk}"):
        title = f"Halt of {_subject(halt.subject)}: {halt.reason}"
        announce(f"halt:{halt.pk}", Level.CRITICAL, title, f"opened by {halt.opened_by}")
    for bot in _stopped("notify:stops"):
        announce(_stop_key(bot), Level.CRITICAL, f"{bot.name} stopped", bot.reason)
    for alert in _unheard():
        title = f"TradingView asked to kill; nothing was done: {alert.reason}"
        announce(f"alert:{alert.pk}", Level.CRITICAL, title, f"alert {alert.name}")
    alarms = GuardEvent.objects.exclude(state=Guard.State.CLEAR)
    for event in _new("notify:guards", alarms, lambda event: f"guard:{event.pk}"):
        title = f"{event.name} of {_subject(event.subject)} is {event.get_state_display().lower()}"
        announce(f"guard:{event.pk}", Level.WARNING, title, event.did)
    standing.tell()


def _new(name: str, rows: QuerySet[Any], key: Callable[[Any], str]) -> Iterator[Any]:
    """Rows that nobody was told of; the mark moves when all were taken."""
    mark = _mark(name, _last_id(rows))
    after = max(mark.start, mark.seen - OVERLAP)
    found = list(rows.filter(pk__gt=after).order_by("pk")[: OVERLAP + AT_ONCE])
    told = _told(key(row) for row in found)
    yield from (row for row in found if key(row) not in told)
    if found:
        Mark.objects.filter(pk=mark.pk).update(seen=Greatest("seen", found[-1].pk))


def _stopped(name: str) -> list[Bot]:
    """Bots that were stopped since the mark was made."""
    mark = _mark(name, int(timezone.now().timestamp()))
    since = datetime.fromtimestamp(mark.start, timezone.get_current_timezone())
    return list(Bot.objects.filter(state=Bot.State.STOPPED, state_since__gt=since))


def _unheard() -> QuerySet[Alert]:
    """Alerts for a kill that killed nothing."""
    lately = timezone.now() - timedelta(hours=1)
    asked = Alert.objects.filter(action="kill", done_at__gt=lately)
    return asked.exclude(state=Alert.State.APPLIED).exclude(reason__startswith=KILLED_ALREADY)


def _stop_key(bot: Bot) -> str:
    return f"stop:{bot.pk}:{bot.state_since.isoformat()}"


def _subject(subject: str) -> str:
    """Risk's word for whom a halt is, in words for people."""
    if subject == "all":
        return "all bots"
    kind, _, name = subject.partition(":")
    bot = Bot.objects.filter(pk=name).first() if kind == "bot" and name.isdigit() else None
    return bot.name if bot else name or subject
