"""How far a kill has come, and how that is kept on its halt."""

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone

from market.exchange import USUAL
from risk import halts
from risk.models import Halt

log = logging.getLogger(__name__)

# What was signed before the kill may arrive until recv_window has passed: look again after it.
SECOND_LOOK = USUAL.recv_window + timedelta(milliseconds=500)
IN_TIME = timedelta(seconds=5)  # not seen empty by then is INCOMPLETE

DATABASE_AWAY = (DatabaseError, InterfaceError)

State = Halt.State


@dataclass(frozen=True, slots=True)
class Course:
    """How far a kill has come; the columns of a Halt of the same names."""

    committed_at: datetime
    state: str = State.CANCELLING
    sent_at: datetime | None = None
    first_empty_at: datetime | None = None
    done_at: datetime | None = None
    cancelled: int = 0
    open_orders: int | None = None
    trouble: str = ""
    foreign: bool = False

    @property
    def is_over(self) -> bool:
        return self.state == State.DONE

    @property
    def is_late(self) -> bool:
        return timezone.now() - self.committed_at > IN_TIME

    def asked(self, cancelled: int, seen: int) -> "Course":
        """Cancels were sent just now: so many were taken, and so many orders had been listed."""
        return replace(
            self,
            sent_at=self.sent_at or timezone.now(),
            cancelled=self.cancelled + cancelled,
            open_orders=seen,
        )

    def seen_open(self) -> "Course":
        """Orders were listed at the last look, so whatever was seen empty before counts no more."""
        trouble = f"{self.open_orders} orders were still open at the last look"
        return replace(
            self,
            state=State.INCOMPLETE if self.is_late else State.CANCELLING,
            trouble=trouble if self.is_late else "",
            first_empty_at=None,
            done_at=None,
        )

    def seen_empty(self, now: datetime) -> "Course":
        """Nothing of ours is open. The second time, far enough from the first, is proof."""
        course = replace(self, open_orders=0, trouble="", sent_at=self.sent_at or now)
        if course.first_empty_at is None:
            return replace(course, state=State.VERIFYING, first_empty_at=now)
        if now - course.first_empty_at < SECOND_LOOK:
            return replace(course, state=State.VERIFYING)
        return replace(course, state=State.DONE, done_at=course.done_at or now)

    def not_seen(self, trouble: str) -> "Course":
        """The exchange did not show its orders."""
        late = self.is_late and self.first_empty_at is None
        return replace(self, trouble=trouble[:300], state=State.INCOMPLETE if late else self.state)


def course_of(halt: Halt) -> Course:
    """The course of a kill that somebody began."""
    return Course(
        committed_at=halt.committed_at or halt.opened_at,
        state=halt.state or State.CANCELLING,
        sent_at=halt.sent_at,
        first_empty_at=halt.first_empty_at,
        done_at=halt.done_at,
        cancelled=halt.cancelled,
        open_orders=halt.open_orders,
        trouble=halt.trouble,
        foreign=halt.foreign,
    )


Save = Callable[[Course], None]


def saved_to(halt: Halt) -> Save:
    """Write the course on its halt; a database that is away is no reason to stop cancelling."""

    def save(course: Course) -> None:
        try:
            halts.progress(halt, **_facts(course))
        except DATABASE_AWAY as error:
            log.warning("how far the kill has come is not kept: %s", " ".join(str(error).split()))
            connection.close()

    return save


def _facts(course: Course) -> dict[str, object]:
    facts = asdict(course) | {"state": str(course.state)}
    del facts["foreign"]  # a wish, not a fact; another call may have just made it
    return facts
