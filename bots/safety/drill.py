"""A drill: a kill in earnest, measured against what is promised, and lifted again.

Orders are really cancelled, so each drill costs the places that they had in the queue.
"""

import json
import time
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db.models import Max
from django.utils import timezone

from bots.models import Order
from bots.safety import killing, rearming
from bots.safety.course import course_of, saved_to
from market.exchange import Exchange, ExchangeError
from market.types import OPEN
from risk import audit, halts
from risk.models import Halt

#: What is promised of a kill, ms since it was asked for.
PROMISED = {"committed": 200, "cancels_sent": 2_000, "first_seen_empty": 5_000, "done": 10_000}
#: No order is signed later than that after the commit; it is marked as sent before it is signed.
SIGNED_WITHIN_MS = 250
GIVE_UP = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Report:
    """What a drill found. Times are ms since it was asked for, by the machine's clock."""

    began: str
    by: str
    reason: str
    resting: int  # orders of ours before it
    cancelled: int
    state: str
    ms: dict[str, int]
    promised_ms: dict[str, int]
    last_marked_ms: int | None  # the newest order marked as sent, against the commit
    broken: list[str]  # promises that were not kept
    lifted: str  # why trading goes on, or why it does not

    @property
    def is_good(self) -> bool:
        return not self.broken


def run(exchange: Exchange, *, reason: str, by: str, origin: str = "") -> Report:
    """Kill, measure, lift. The report is kept as a file, and as a row of the audit trail.

    Raises halts.NotPossible when a halt on all stands already, DatabaseError when it cannot be
    committed; in both cases nothing was done.
    """
    resting = Order.objects.filter(status__in=OPEN).count()
    began, end = timezone.now(), time.monotonic() + GIVE_UP.total_seconds()
    halt = halts.arm(reason=reason, by=by, origin=origin, drill=True)
    killing.run(
        exchange, course_of(halt), saved_to(halt),
        enough=lambda course: course.is_over or time.monotonic() > end,
    )  # fmt: skip
    halt.refresh_from_db()
    report = _measured(halt, began, resting, lifted=_lift(exchange, halt, by, origin))
    _keep(report, began, origin)
    return report


def _measured(halt: Halt, began: datetime, resting: int, *, lifted: str) -> Report:
    moments = {
        "committed": halt.committed_at,
        "cancels_sent": halt.sent_at,
        "first_seen_empty": halt.first_empty_at,
        "done": halt.done_at,
    }
    ms = {name: _ms(at - began) for name, at in moments.items() if at is not None}
    marked = Order.objects.filter(sent_at__lte=halt.lifted_at or timezone.now())
    newest = marked.aggregate(newest=Max("sent_at"))["newest"]
    last = _ms(newest - halt.committed_at) if newest and halt.committed_at else None
    broken = [
        f"{name} after {ms[name]} ms, promised {most}" if name in ms else f"{name}: never"
        for name, most in PROMISED.items()
        if ms.get(name, most + 1) > most
    ]
    if last is not None and last > SIGNED_WITHIN_MS:
        broken.append(f"an order was marked as sent {last} ms after the commit")
    return Report(
        began=began.isoformat(timespec="milliseconds"),
        by=halt.opened_by,
        reason=halt.reason,
        resting=resting,
        cancelled=halt.cancelled,
        state=halt.state,
        ms=ms,
        promised_ms=PROMISED,
        last_marked_ms=last,
        broken=broken,
        lifted=lifted,
    )


def _lift(exchange: Exchange, halt: Halt, by: str, origin: str) -> str:
    """Have trading go on, when both sides' books agree; else the kill stays for a person to see."""
    try:
        rearming.rearm(exchange, by=by, reason="end of the drill", origin=origin, drill=True)
    except (halts.NotPossible, ExchangeError) as error:
        return f"the kill stays: {error}"
    halt.refresh_from_db()
    return "trading goes on: both sides' books agree"


def _keep(report: Report, began: datetime, origin: str) -> None:
    facts = asdict(report)
    audit.record(
        "drill report", halts.ALL, who=report.by, origin=origin, reason=report.reason,
        after={name: facts[name] for name in ("cancelled", "ms", "broken", "lifted")},
    )  # fmt: skip
    path_of(began).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def path_of(began: datetime) -> Path:
    """Where the report of a drill is kept."""
    folder = Path(settings.DATA_DIR) / "drills"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / f"kill-{began:%Y%m%dT%H%M%S}.json"


def _ms(span: timedelta) -> int:
    return round(span.total_seconds() * 1000)
