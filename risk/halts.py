"""Opening and lifting halts: the one way to stop trading, committed before anything else."""

import json
import logging
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, OperationalError, connection, transaction
from django.utils import timezone

from market.locks import Lock, hold
from risk import audit
from risk import origin as origins
from risk.models import Halt

log = logging.getLogger(__name__)

ALL = "all"
_PATIENCE_MS = 100  # with others who hold a lock: one that hangs must not hold up a kill
_IMPATIENT = f"SET LOCAL lock_timeout = '{_PATIENCE_MS}ms'"

Kind = Halt.Kind
State = Halt.State


class NotPossible(Exception):
    """A halt that cannot be lifted like that; the text says what is missing."""


def is_open(subject: str = ALL) -> Halt | None:
    """The open halt of a subject."""
    return Halt.objects.filter(subject=subject, lifted_at=None).first()


def killed() -> Halt | None:
    """The kill that stands now, if one does."""
    return Halt.objects.filter(subject=ALL, lifted_at=None, kind=Kind.KILL).first()


def arm(
    *,
    reason: str,
    by: str,
    origin: str = "",
    sell: bool = False,
    foreign: bool = False,
    drill: bool = False,
) -> Halt:
    """Commit a kill: a halt on all that from now on refuses every order that is not sent yet.

    A second call joins the kill that stands and has it start over; what was asked for once stays,
    but a drill becomes a kill in earnest. Must not be called inside a transaction: the commit is
    what stops the others. Raises NotPossible for a drill while a halt on all stands.
    """
    origin = origin or origins.here()
    with transaction.atomic(durable=True):
        _wait_for_senders()
        halt, created = Halt.objects.select_for_update().get_or_create(
            subject=ALL,
            lifted_at=None,
            defaults={"reason": reason[:300], "opened_by": by[:150], "origin": origin[:100]},
        )
        if drill and not created:
            raise NotPossible(f"a halt on all stands already: {halt.reason}; a drill would lift it")
        if halt.kind != Kind.KILL or halt.drill:
            halt.reason, halt.opened_by, halt.origin = reason[:300], by[:150], origin[:100]
        halt.kind, halt.drill = Kind.KILL, drill
        halt.sell, halt.foreign = halt.sell or sell, halt.foreign or foreign
        halt.state, halt.audited = State.CANCELLING, False
        halt.sent_at = halt.first_empty_at = halt.done_at = None
        halt.cancelled, halt.open_orders, halt.trouble = 0, None, ""
        halt.tended_at = timezone.now()
        halt.save()
    now = timezone.now()
    Halt.objects.filter(pk=halt.pk).update(committed_at=now)
    halt.committed_at = now
    log.critical("ALARM %s by %s: %s", "drill" if drill else "kill", by, reason)
    write_down(halt)
    return halt


def _wait_for_senders() -> None:
    """Wait a moment for orders that are being marked SENT, so that their rows are to be seen."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_IMPATIENT)
            hold(Lock.SENDING)
    except OperationalError:
        log.warning("an order has been on its way to be sent for too long; not waiting for it")


def write_down(halt: Halt) -> None:
    """Put a kill into the audit trail; what stops it from being written is tried again later."""
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(_IMPATIENT)
            if not Halt.objects.filter(pk=halt.pk, audited=False).update(audited=True):
                return
            after = {"sell": halt.sell, "foreign": halt.foreign, "state": halt.state}
            audit.record(
                "drill" if halt.drill else "kill", ALL, who=halt.opened_by, origin=halt.origin,
                after=after, reason=halt.reason,
            )  # fmt: skip
    except DatabaseError as error:
        log.warning("the kill is not in the audit trail yet: %s", error)


def open_halt(subject: str, *, reason: str, by: str, origin: str = "") -> Halt:
    """Halt one bot or all of them: nothing rests until it is lifted."""
    with transaction.atomic():
        halt, created = Halt.objects.get_or_create(
            subject=subject,
            lifted_at=None,
            defaults={
                "reason": reason[:300],
                "opened_by": by[:150],
                "origin": (origin or origins.here())[:100],
                "committed_at": timezone.now(),
                "audited": True,
            },
        )
        if created:
            audit.record("halt", subject, who=by, origin=origin, reason=reason)
    return halt


def lift(halt: Halt, *, by: str, reason: str, origin: str = "", drill: bool = False) -> None:
    """Let trading go on. Raises NotPossible without a reason or before a kill is DONE.

    With `drill` nothing but a drill is lifted: somebody may have killed in earnest meanwhile.

    Who may, and whether both sides' books agree, is for the caller to know
    (bots/safety/rearming.py).
    """
    if not reason.strip():
        raise NotPossible("say why it may go on: a reason is needed")
    with transaction.atomic():
        row = Halt.objects.select_for_update().get(pk=halt.pk)
        if row.lifted_at is not None:
            return
        if drill and not row.drill:
            raise NotPossible(f"this is no drill any more: {row.opened_by} killed: {row.reason}")
        if row.kind == Kind.KILL and row.state != State.DONE:
            raise NotPossible(f"the kill is {row.state}; it can be lifted once it is DONE")
        row.lifted_at, row.lifted_by = timezone.now(), by[:150]
        row.save(update_fields=["lifted_at", "lifted_by"])
        before = {"kind": row.kind, "reason": row.reason, "since": _iso(row.opened_at)}
        audit.record("lift", row.subject, who=by, origin=origin, before=before, reason=reason)


def progress(halt: Halt, **facts: object) -> None:
    """Write down how far a kill has come."""
    for name, value in facts.items():
        setattr(halt, name, value)
    halt.tended_at = timezone.now()
    Halt.objects.filter(pk=halt.pk, lifted_at=None).update(tended_at=halt.tended_at, **facts)


# A kill while the database is away: a file says so until the halt can be committed -----------


def flag() -> Path:
    """The file that stands for a halt on all which the database does not know of yet."""
    return Path(settings.DATA_DIR) / "kill.pending"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a kill was asked for."""

    reason: str
    sell: bool = False
    foreign: bool = False

    def is_more_than(self, halt: Halt) -> bool:
        return (self.sell and not halt.sell) or (self.foreign and not halt.foreign)


def raise_flag(wish: Wish) -> None:
    """Have every process of this machine treat all as halted, database or not."""
    whole = flag().with_suffix(".new")  # nobody is to read half of it
    whole.write_text(json.dumps(asdict(wish)), encoding="utf-8")
    whole.replace(flag())


def flagged() -> Wish | None:
    """What the file says; None when there is none.

    Whatever stands in it, it is a kill: somebody may have made it by hand.
    """
    try:
        text = flag().read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    try:
        said = json.loads(text)
        return Wish(str(said["reason"]), said["sell"] is True, said["foreign"] is True)
    except (ValueError, TypeError, KeyError):
        return Wish(text.strip()[:300] or "kill.pending was found")


def commit_flag(by: str) -> Halt | None:
    """Turn the file into a committed kill; None when there is none. Raises DatabaseError."""
    wish = flagged()
    if wish is None:
        return None
    halt = killed()
    if halt is None or halt.drill or wish.is_more_than(halt):
        halt = arm(
            reason=wish.reason, by=by, origin="kill.pending", sell=wish.sell, foreign=wish.foreign
        )
    flag().unlink(missing_ok=True)
    return halt


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")
