"""What watches over the house, told in words: guards, stop-losses, halts, limits, signs of life.

Money and prices are plain decimal texts, times ISO 8601 UTC.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.db.models import Q
from django.utils import timezone

from bots.models import Bot
from bots.reports import risk
from bots.reports.history import iso
from bots.safety.guarding import BTC_FILTERED, gates_of, subjects_of
from market.models import Instrument
from market.types import plain
from risk import catalogue, policy
from risk.catalogue import Kind
from risk.halts import ALL
from risk.models import Guard, GuardEvent, Halt, Pulse

LATEST_EVENTS = 20
LIFTED_SHOWN = 10
CENT = Decimal("0.01")
Row = dict[str, Any]
Names = Mapping[str, str]


# In the order in which they are shown: what can end everything comes first.
TITLES: Mapping[str, str] = {
    "equity": "Equity",
    "drawdown": "Drawdown",
    "API errors": "Exchange errors",
    "breakers": "Wild pairs",
    "volatility": "Volatility",
    "BTC gate": "BTC filter",
    "stop-loss": "Stop-loss",
    "trailing stop": "Trailing stop",
    "exit": "Leaving the market",
    "ticks": "Attention",
    "feed": "Prices",
    "clock": "Clock",
    "reconcile": "Orders agree",
    "accounting": "Coins agree",
    "foreign orders": "Orders of others",
}
WATCHED = ("equity", "drawdown", "API errors", "volatility", "BTC gate", "feed")
TONES = {Guard.State.TRIPPED: "bad", Guard.State.WARNING: "warn", Guard.State.CLEAR: "ok"}
#: How a guard with a limit looks that has measured nothing: green would promise too much.
_UNKNOWN: Mapping[str, str] = {"state_text": "Nothing measured", "tone": ""}
_SEVERITY = [Guard.State.CLEAR, Guard.State.WARNING, Guard.State.TRIPPED]


def names() -> Names:
    """What people call the subjects of guards, halts and audit rows."""
    bots = {bot.subject: bot.name for bot in Bot.objects.all()}
    pairs = Instrument.objects.values_list("symbol", "base", "quote")
    return {
        ALL: "All bots",
        BTC_FILTERED: "Bots with the BTC filter",
        **{f"pair:{symbol}": f"{base}/{quote}" for symbol, base, quote in pairs},
        **bots,
    }


def kinds() -> list[Row]:
    """Every guard, by kind; kinds with trouble come first."""
    called, words = names(), catalogue.told(policy.current())
    found: dict[str, list[Guard]] = {}
    for guard in Guard.objects.all():
        found.setdefault(guard.name, []).append(guard)
    order = sorted(found, key=_place)
    told = [_kind(name, found[name], catalogue.kind_of(name, words), called) for name in order]
    return sorted(told, key=lambda kind: -_SEVERITY.index(kind["state"]))


def _kind(name: str, guards: Sequence[Guard], words: Kind | None, called: Names) -> Row:
    return {
        "title": title_of(name),
        "trips": words.trips if words else "",
        "does": words.does if words else "",
        "clears": words.clears if words else "",
        "state": max((guard.state for guard in guards), key=_SEVERITY.index),
        "guards": [guard_row(guard, called) for guard in guards],
    }


def title_of(name: str) -> str:
    """A guard's name for people."""
    return TITLES.get(name, name.capitalize())


def worst() -> list[Row]:
    """Of the guards that people ask about first, each kind's one that is nearest to its limit."""
    called = names()
    found: dict[str, Row] = {}
    for guard in Guard.objects.filter(name__in=WATCHED):
        row = guard_row(guard, called)
        before = found.get(guard.name)
        if before is None or _urgency(row) > _urgency(before):
            found[guard.name] = row
    return [found[name] for name in WATCHED if name in found]


def _urgency(row: Row) -> tuple[int, Decimal]:
    return _SEVERITY.index(row["state"]), Decimal(row["filled"] or 0)


def of_bot(bot: Bot) -> list[Row]:
    """What watches over one bot: its own guards, its pair's, and those of the whole account."""
    called = names()
    found = Guard.objects.filter(subject__in={*subjects_of(bot), *gates_of(bot), ALL})
    rows = [guard_row(guard, called) for guard in found]
    return sorted(rows, key=lambda row: (-_SEVERITY.index(row["state"]), _place(row["name"])))


def _place(name: str) -> int:
    order = list(TITLES)
    return order.index(name) if name in order else len(order)


def guard_row(guard: Guard, called: Names) -> Row:
    """One guard as it stands; shares are told in percent, `filled` is value / limit up to 1."""
    told = risk.standing(guard) | _for_people(guard, guard.unit, called)
    value, limit = guard.value, guard.limit
    if value is None and limit is not None and guard.state == Guard.State.CLEAR:
        told |= _UNKNOWN
    return told | {
        "limit_unit": told["unit"].partition(" ")[0],
        "filled": _filled(value, limit),
    }


def _for_people(row: Guard | GuardEvent, unit: str, called: Names) -> Row:
    """What a person reads of a guard, or of what it did."""
    value, limit, unit = _percent(row.value, row.limit, unit)
    return {
        "title": title_of(row.name),
        "subject": called.get(row.subject, row.subject),
        "state_text": row.get_state_display(),
        "tone": TONES[Guard.State(row.state)],
        "value": text_of(value),
        "limit": text_of(limit),
        "unit": unit,
    }


def _percent(
    value: Decimal | None, limit: Decimal | None, unit: str
) -> tuple[Decimal | None, Decimal | None, str]:
    """Shares as percent, rounded for reading."""
    if not unit.startswith("share"):
        return value, limit, unit
    told = [None if part is None else (part * 100).quantize(CENT) for part in (value, limit)]
    return told[0], told[1], f"%{unit.removeprefix('share')}"


def _filled(value: Decimal | None, limit: Decimal | None) -> str | None:
    """How much of the limit is used up; without a limit above zero anything is all of it."""
    if value is None or limit is None:
        return None
    if limit <= 0:
        return "1" if value > 0 else "0"
    return plain(min(Decimal(1), max(Decimal(0), value / limit)).quantize(Decimal("0.001")))


def events(count: int = LATEST_EVENTS) -> list[Row]:
    """What guards did lately, the newest first."""
    called = names()
    return [_event(event, called) for event in GuardEvent.objects.all()[:count]]


def _event(event: GuardEvent, called: Names) -> Row:
    known = Guard.objects.filter(name=event.name).values_list("unit", flat=True).first()
    return {"at": iso(event.at), "did": event.did, **_for_people(event, known or "", called)}


def open_halts() -> list[Row]:
    """What stands now, a kill first, with how far it has come."""
    called = names()
    found = Halt.objects.filter(lifted_at=None, drill=False).order_by("-kind", "id")
    return [_halt(halt, called) for halt in found]


def lifted_halts() -> list[Row]:
    """The newest halts that are over, and drills."""
    called = names()
    over = Halt.objects.filter(Q(drill=True) | Q(lifted_at__isnull=False))
    found = over.order_by("-id")[:LIFTED_SHOWN]
    return [_halt(halt, called) for halt in found]


def _halt(halt: Halt, called: Names) -> Row:
    return {
        "id": halt.pk,
        "subject": called.get(halt.subject, halt.subject),
        "kind": halt.get_kind_display(),
        "kills": halt.kind == Halt.Kind.KILL,
        "reason": halt.reason,
        "by": halt.opened_by,
        "origin": halt.origin,
        "sell": halt.sell,
        "opened": iso(halt.opened_at),
        "state_text": halt.get_state_display() if halt.state else "Holds",
        "is_over": halt.kind != Halt.Kind.KILL or halt.state == Halt.State.DONE,
        "cancelled": halt.cancelled,
        "open_orders": halt.open_orders,
        "trouble": halt.trouble,
        "lifted": iso(halt.lifted_at) if halt.lifted_at else None,
        "lifted_by": halt.lifted_by,
        "drill": halt.drill,
        "empty_ms": risk.took(halt)["first_empty"],
    }


def alive() -> list[Row]:
    """When each loop was last seen at work, and how many seconds ago that is."""
    now = timezone.now()
    return [
        {
            "name": pulse.name,
            "seen": iso(pulse.at),
            "age": round((now - pulse.at).total_seconds()),
        }
        for pulse in Pulse.objects.order_by("name")
    ]


def verdict(kinds_: Iterable[Row], halts_: Sequence[Row]) -> Row:
    """The state of risk in a sentence: a level, what leads, and the particulars."""
    rows = [guard for kind in kinds_ for guard in kind["guards"]]
    if halts_:
        first = halts_[0]
        lead = "Everything is stopped." if first["kills"] else f"{first['subject']}: halted."
        return {"level": "bad", "lead": lead, "text": f"{first['reason']} ({first['by']})."}
    loud = [row for row in rows if row["state"] != Guard.State.CLEAR]
    if not loud:
        return {"level": "ok", "lead": "Nothing is tripped.", "text": f"{len(rows)} guards watch."}
    tripped = [row for row in loud if row["state"] == Guard.State.TRIPPED]
    word = "is tripped" if tripped else "warns"
    many = "are tripped" if tripped else "warn"
    count = len(tripped or loud)
    lead = f"One guard {word}." if count == 1 else f"{count} guards {many}."
    text = " ".join(f"{row['title']}, {row['subject']}: {row['did']}." for row in loud[:3])
    return {"level": "bad" if tripped else "warn", "lead": lead, "text": text}


def text_of(amount: Decimal | None) -> str | None:
    """A figure as plain text, if there is one."""
    return None if amount is None else plain(amount)
