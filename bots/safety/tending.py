"""What the watchdog does for kills that others began."""

import logging
import time
from datetime import timedelta

from django.utils import timezone

from bots.books import reconcile
from bots.safety.course import Course, State, course_of, saved_to
from bots.safety.killing import CALM_PAUSE_S, Alarm, step
from market.exchange import Exchange, ExchangeError
from risk import halts
from risk.models import Halt

log = logging.getLogger(__name__)

UNTENDED = timedelta(seconds=4)  # then somebody else carries the kill on
WATCH_S = 5.0  # between two looks while a kill that is done stands


class Tender:
    """Carries on what others began: a kill that nobody works on, or that a file stands for."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._blind: Course | None = None
        self._taken = 0  # the halt that is in our care
        self._looked = 0.0
        self._alarm = Alarm()

    def tend(self) -> None:
        """One step, if one is due. Raises DatabaseError while the database is away."""
        self._blind = None
        if halts.flagged():
            halts.commit_flag("watchdog")
        halt = halts.killed()
        if halt is None:
            return
        if not halt.audited:
            halts.write_down(halt)
        course = course_of(halt)
        if not self._is_due(halt, course):
            return
        self._taken, self._looked = halt.pk, time.monotonic()
        after = step(self._exchange, course)
        if course.is_over and not after.is_over and after.open_orders:
            log.critical("ALARM %d orders of ours rest under a kill", after.open_orders)
        if after.is_over and not course.is_over:
            self._alarm.done()
            self._settle()
        self._alarm.sound(after)
        saved_to(halt)(after)

    def _is_due(self, halt: Halt, course: Course) -> bool:
        pause = time.monotonic() - self._looked
        if course.is_over:
            return pause > WATCH_S
        if course.state == State.VERIFYING and pause < CALM_PAUSE_S:
            return False
        left = halt.tended_at is None or timezone.now() - halt.tended_at > UNTENDED
        return left or halt.pk == self._taken

    def _settle(self) -> None:
        """Learn by REST what became of the orders that were cancelled."""
        try:
            reconcile.sweep(self._exchange)
        except ExchangeError as error:
            log.warning("no sweep after the kill: %s", error)

    def tend_blindly(self) -> None:
        """The same without a database, as long as the file says so."""
        wish = halts.flagged()
        if wish is None:
            return
        before = self._blind or Course(committed_at=timezone.now(), foreign=wish.foreign)
        self._blind = step(self._exchange, before, database=False)
        self._alarm.sound(self._blind)
