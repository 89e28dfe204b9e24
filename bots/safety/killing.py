"""The kill: cancels our orders until the exchange shows none of them, twice.

It needs the exchange alone. The database makes it hold (risk/halts.py) and keeps the times; while
it is away, orders are told to be ours by their client ids, and a file stands for the halt.
"""

import logging
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone

from bots import runner
from bots.books import reconcile
from bots.grid import ids
from bots.models import Bot, Order
from market.exchange import USUAL, Exchange, ExchangeError, Trigger
from market.types import OPEN, OrderStatus
from risk import halts
from risk.models import Halt

log = logging.getLogger(__name__)

# What was signed before the kill may arrive until recv_window has passed: look again after it.
SECOND_LOOK = USUAL.recv_window + timedelta(milliseconds=500)
IN_TIME = timedelta(seconds=5)  # not seen empty by then is INCOMPLETE
PAUSE_S = 0.1  # between two looks
ALARM_EVERY_S = 5.0
CALM_PAUSE_S = 0.5  # while waiting for the second look
AGREE_WITHIN_S = 10.0
UNTENDED = timedelta(seconds=4)  # then somebody else carries the kill on
WATCH_S = 5.0  # between two looks while a kill that is done stands
IN_FLIGHT_FOR = timedelta(minutes=1)  # older orders of unknown fate are listed, or are nowhere

DATABASE_AWAY = (DatabaseError, InterfaceError)

State = Halt.State
Named = tuple[str, str]  # symbol, client id


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


def step(exchange: Exchange, course: Course, *, database: bool = True) -> Course:
    """One look at the exchange, and a cancel for each order of ours that it shows.

    Of any order, where the kill is for `foreign` ones too. Without `database` only the ids tell
    what is ours, and nothing is asked of it.
    """
    tags = _tags() if database else set()
    try:
        resting = exchange.open_orders()
        listed = [each for each in resting if course.foreign or ids.is_ours(each.client_id, tags)]
        waiting = [] if listed else _waiting(exchange, course, tags)
    except ExchangeError as error:
        course = _with_trouble(course, f"open orders are not to be seen: {error}")
        _cancel(exchange, _thought_alive() if database else [])  # blind, but better than waiting
        return course
    now = timezone.now()
    wanted = [(order.symbol, order.client_id) for order in listed]
    if course.sent_at is None and database:
        wanted += [name for name in _in_flight() if name not in wanted]
    if not wanted and not waiting:
        return _seen_empty(course, now)
    taken = _cancel(exchange, wanted) + _cancel_waiting(exchange, waiting)
    seen = len(listed) + len(waiting)
    course = replace(
        course,
        sent_at=course.sent_at or timezone.now(),
        cancelled=course.cancelled + taken,
        open_orders=seen,
    )
    if not seen:
        return _seen_empty(course, now)
    late = timezone.now() - course.committed_at > IN_TIME
    trouble = f"{seen} orders were still open at the last look" if late else ""
    state = State.INCOMPLETE if late else State.CANCELLING
    return replace(course, state=state, trouble=trouble, first_empty_at=None, done_at=None)


def _seen_empty(course: Course, now: datetime) -> Course:
    """Nothing of ours is open. The second time, far enough from the first, is proof."""
    course = replace(course, open_orders=0, trouble="", sent_at=course.sent_at or now)
    if course.first_empty_at is None:
        return replace(course, state=State.VERIFYING, first_empty_at=now)
    if now - course.first_empty_at < SECOND_LOOK:
        return replace(course, state=State.VERIFYING)
    return replace(course, state=State.DONE, done_at=course.done_at or now)


def _with_trouble(course: Course, trouble: str) -> Course:
    late = timezone.now() - course.committed_at > IN_TIME
    state = State.INCOMPLETE if late and course.first_empty_at is None else course.state
    return replace(course, trouble=trouble[:300], state=state)


def _waiting(exchange: Exchange, course: Course, tags: Collection[str]) -> list[Trigger]:
    """What waits for a price, looked for when nothing rests: it is part of being empty."""
    found = exchange.triggers()
    return [each for each in found if course.foreign or ids.is_ours(each.client_id, tags)]


def _cancel_waiting(exchange: Exchange, waiting: Sequence[Trigger]) -> int:
    taken = 0
    for trigger in waiting:
        try:
            exchange.cancel_trigger(trigger)
        except ExchangeError as error:
            log.warning("%s %s is not cancelled yet: %s", trigger.kind, trigger.order_id, error)
        else:
            taken += 1
    return taken


def _tags() -> set[str]:
    try:
        return set(Bot.objects.values_list("tag", flat=True))
    except DATABASE_AWAY:
        connection.close()
        return set()


def _in_flight() -> list[Named]:
    """Orders that may be on the wire: too new for the exchange's list to show them."""
    lately = timezone.now() - IN_FLIGHT_FOR
    return _named(status__in=(OrderStatus.SENT, OrderStatus.UNKNOWN), sent_at__gt=lately)


def _thought_alive() -> list[Named]:
    return _named(status__in=(*OPEN, OrderStatus.SENT, OrderStatus.UNKNOWN))


def _named(**which: object) -> list[Named]:
    try:
        found = Order.objects.filter(settled=False, **which).values_list("symbol", "client_id")
        return list(found)
    except DATABASE_AWAY as error:
        log.warning("orders in flight are not known: %s", _line(error))
        connection.close()
        return []


def _cancel(exchange: Exchange, orders: Sequence[Named]) -> int:
    """Ask for these cancels; how many the exchange took. What it refused shows at the next look."""
    if not orders:
        return 0
    came = exchange.cancel_many(orders)
    return sum(1 for outcome in came if outcome is None)


Save = Callable[[Course], None]


def run(
    exchange: Exchange,
    course: Course,
    save: Save,
    *,
    enough: Callable[[Course], bool],
    database: Callable[[], bool] = lambda: True,
) -> Course:
    """Look and cancel until it is DONE, or until `enough` says so; every step is saved.

    `database` tells, before each step, whether there is one to ask.
    """
    alarmed = float("-inf")
    while not enough(course):
        course = step(exchange, course, database=database())
        save(course)
        if course.is_over:
            log.critical("ALARM the kill is done: no order of ours was open at two looks")
            break
        if course.state == State.INCOMPLETE and time.monotonic() - alarmed > ALARM_EVERY_S:
            log.critical("ALARM the kill is INCOMPLETE and goes on: %s", course.trouble)
            alarmed = time.monotonic()
        time.sleep(CALM_PAUSE_S if course.state == State.VERIFYING else PAUSE_S)
    return course


def saved_to(halt: Halt) -> Save:
    """Write the course on its halt; a database that is away is no reason to stop cancelling."""

    def save(course: Course) -> None:
        try:
            halts.progress(halt, **_facts(course))
        except DATABASE_AWAY as error:
            log.warning("how far the kill has come is not kept: %s", _line(error))
            connection.close()

    return save


def _facts(course: Course) -> dict[str, object]:
    facts = asdict(course) | {"state": str(course.state)}
    del facts["foreign"]  # a wish, not a fact; another call may have just made it
    return facts


def kill(
    exchange: Exchange,
    *,
    reason: str,
    by: str,
    origin: str,
    sell: bool = False,
    foreign: bool = False,
    enough: Callable[[Course], bool] = lambda course: course.is_over,
) -> Halt:
    """Commit the halt, then cancel everything of ours, or with `foreign` just everything.

    Raises DatabaseError when it cannot commit.

    It returns when `enough` is so; what is left is carried on by the watchdog.
    """
    halt = halts.arm(reason=reason, by=by, origin=origin, sell=sell, foreign=foreign)
    run(exchange, course_of(halt), saved_to(halt), enough=enough)
    return halt


def seen_empty_within(seconds: float) -> Callable[[Course], bool]:
    """Enough is: seen empty once, or so much time is over."""
    end = time.monotonic() + seconds
    return lambda course: course.first_empty_at is not None or time.monotonic() > end


def rearm(
    exchange: Exchange, *, by: str, reason: str, origin: str = "", drill: bool = False
) -> None:
    """Lift the kill once our books agree with the exchange's; with `drill` none but a drill.

    Raises halts.NotPossible when it is not done yet or they do not, ExchangeError when the
    exchange does not answer. That the caller is an admin is the door's to know.
    """
    halt = halts.killed()
    if halt is None:
        return
    if halt.state != State.DONE:
        raise halts.NotPossible(f"the kill is {halt.state}; it can be lifted once it is DONE")
    found = agreed(exchange)
    if not found.agrees:
        first = "; ".join(f"{d.what}: {d.ours} / {d.theirs}" for d in found.differences[:3])
        raise halts.NotPossible(
            f"our books and the exchange's differ in {len(found.differences)} places ({first}); "
            "mend that first: manage.py reconcile"
        )
    halts.lift(halt, by=by, reason=reason, origin=origin, drill=drill)


def agreed(exchange: Exchange, within_s: float = AGREE_WITHIN_S) -> reconcile.Comparison:
    """Catch up and compare, again while they differ and there is time. Raises ExchangeError.

    Ticks look up what became of each order; they place nothing while a halt stands.
    """
    end = time.monotonic() + within_s
    while True:
        reconcile.sweep(exchange)
        for bot_id in Bot.objects.exclude(config=None).values_list("pk", flat=True):
            runner.run_once(bot_id, exchange, lambda _: None)
        found = reconcile.compare(exchange)
        if found.agrees or time.monotonic() > end:
            return found
        time.sleep(0.3)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


class Tender:
    """Carries on what others began: a kill that nobody works on, or that a file stands for."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._blind: Course | None = None
        self._taken = 0  # the halt that is in our care
        self._looked = 0.0
        self._alarmed = float("-inf")

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
            log.critical("ALARM the kill is done: no order of ours was open at two looks")
            self._settle()
        self._alarm(after)
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
        self._alarm(self._blind)

    def _alarm(self, course: Course) -> None:
        """Say again and again that it is not over; guards and their messages need the database."""
        if course.state == State.INCOMPLETE and time.monotonic() - self._alarmed > ALARM_EVERY_S:
            log.critical("ALARM the kill is INCOMPLETE and goes on: %s", course.trouble)
            self._alarmed = time.monotonic()
