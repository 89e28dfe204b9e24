"""The audit trail: who changed what, from where and why, in rows that are sealed in a chain.

The database refuses to change, delete or truncate them (migration 0004). What the chain cannot
show by itself is that its newest rows were cut off by somebody who got around that: keep the seal
that `manage.py audit --verify` prints somewhere else to prove that too.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone

from market.locks import Lock, hold
from market.types import plain
from risk import origin as origins
from risk.models import AuditRow

START = "none: this is the first row"
_SEALED = ("number", "who", "origin", "what", "subject", "before", "after", "reason", "previous")

Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Fault:
    """A row that is not as it was written, or not in its place."""

    number: int
    complaint: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a look at the whole chain found."""

    rows: int
    head: str
    faults: tuple[Fault, ...]


def record(
    what: str,
    subject: str,
    *,
    who: str,
    origin: str = "",
    before: Facts | None = None,
    after: Facts | None = None,
    reason: str = "",
) -> AuditRow:
    """Append a row, in the caller's transaction when there is one: no change without its row.

    `what` names the act ("pause", "kill", "policy"), `subject` what it was done to ("all",
    "bot:7"), `before` and `after` hold what it changed. Who names no `origin` is told to have acted
    where it runs (risk/origin.py). The chain is locked until the transaction ends, so it must be
    short.
    """
    with transaction.atomic():
        hold(Lock.AUDIT)
        last = AuditRow.objects.order_by("-number").first()
        row = AuditRow(
            number=last.number + 1 if last else 1,
            at=timezone.now(),
            who=who[:150],
            origin=(origin or origins.here())[:100],
            what=what[:60],
            subject=subject[:64],
            before=_plain(before or {}),
            after=_plain(after or {}),
            reason=reason[:300],
            previous=last.seal if last else START,
        )
        row.seal = seal_of(row)
        row.save(force_insert=True)
    return row


def seal_of(row: AuditRow) -> str:
    """SHA-256 over everything a row says and the seal of the row before it."""
    facts = {name: getattr(row, name) for name in _SEALED}
    facts["at"] = row.at.astimezone(UTC).isoformat(timespec="microseconds")
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def verify() -> Verdict:
    """Read the whole chain, oldest first, and compare every seal, number and link."""
    previous, number, count = START, 0, 0
    faults: list[Fault] = []
    for row in AuditRow.objects.order_by("number").iterator(chunk_size=2_000):
        faults.extend(_faults(row, previous, number + 1))
        previous, number, count = row.seal, row.number, count + 1
    return Verdict(rows=count, head=previous, faults=tuple(faults))


def _faults(row: AuditRow, previous: str, number: int) -> Iterator[Fault]:
    if row.number != number:
        yield Fault(row.number, f"row {number} is missing before it")
    elif row.previous != previous:
        yield Fault(row.number, "it does not follow the row before it")
    if row.seal != seal_of(row):
        yield Fault(row.number, "it is not as it was written")


def _plain(facts: Facts) -> dict[str, Any]:
    """Facts as JSON: decimals as plain text, anything unusual as its text, no floats."""
    return {name: _plain_value(value) for name, value in facts.items()}


def _plain_value(value: Any) -> Any:  # noqa: ANN401 - any value that a column may hold
    if isinstance(value, Decimal):
        return plain(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, Mapping):
        return _plain(value)
    if isinstance(value, list | tuple):
        return [_plain_value(one) for one in value]
    return str(value)
