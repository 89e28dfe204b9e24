"""The audit trail as people read it: filtered, page by page, with what each act changed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bots.reports.guards import Names, names
from bots.reports.history import Page, iso
from risk.models import AuditRow

PAGE = 50
CHUNK = 1_000
RECENT = 5_000  # the newest rows, of which the acts and people to choose from are taken
COLUMNS = (
    "number", "at", "who", "origin", "what", "subject", "before", "after", "reason", "previous",
    "seal",
)  # fmt: skip
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wish:
    """Which rows: of one act, one person or guard, one subject, and older than a number."""

    what: str = ""
    who: str = ""
    subject: str = ""
    before: int | None = None


def page(wish: Wish, size: int = PAGE) -> Page:
    """A page of rows, the newest first."""
    called = names()
    found = list(_filtered(wish)[: size + 1])
    older = found[size - 1].number if len(found) > size else None
    return Page([_told(row, called) for row in found[:size]], older)


def choices() -> dict[str, list[str]]:
    """The acts, the people and the subjects of the newest rows."""
    newest = AuditRow.objects.order_by("-number").values_list("what", "who", "subject")[:RECENT]
    acts, people, subjects = (
        (sorted(set(column)) for column in zip(*newest, strict=True)) if newest else ([], [], [])
    )
    return {"what": acts, "who": people, "subject": subjects}


def lines(wish: Wish) -> Iterator[Sequence[str]]:
    """Every row of that wish as fields of a table, its head first; memory stays flat."""
    yield COLUMNS
    before = wish.before
    while True:
        found = list(_filtered(Wish(wish.what, wish.who, wish.subject, before))[:CHUNK])
        for row in found:
            yield [iso(row.at) if name == "at" else str(getattr(row, name)) for name in COLUMNS]
        if len(found) < CHUNK:
            return
        before = found[-1].number


def _filtered(wish: Wish) -> Any:  # noqa: ANN401 - a query set
    given = {"what": wish.what, "who": wish.who, "subject": wish.subject}
    rows = AuditRow.objects.filter(**{name: value for name, value in given.items() if value})
    return rows if wish.before is None else rows.filter(number__lt=wish.before)


def _told(row: AuditRow, called: Names) -> Row:
    return {
        "number": row.number,
        "at": iso(row.at),
        "who": row.who,
        "origin": row.origin,
        "what": row.what,
        "subject": called.get(row.subject, row.subject),
        "reason": row.reason,
        "changes": [
            {
                "name": name.replace("_", " "),
                "before": _value(row.before, name),
                "after": _value(row.after, name),
            }
            for name in {**row.before, **row.after}
        ],
        "seal": row.seal,
    }


def _value(facts: Row, name: str) -> str:
    """A fact in words; "" where there is none."""
    value = facts.get(name)
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
