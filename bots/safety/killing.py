"""The kill: cancels our orders until the exchange shows none of them, twice.

It needs the exchange alone. The database makes it hold (risk/halts.py) and keeps the times; while
it is away, orders are told to be ours by their client ids, and a file stands for the halt.
"""

import logging
import time
from collections.abc import Callable, Collection, Sequence

from django.utils import timezone

from bots.grid import ids
from bots.safety import ours
from bots.safety.course import Course, Save, State, course_of, saved_to
from bots.safety.ours import Named
from market.exchange import Exchange, ExchangeError, Trigger
from risk import halts
from risk.models import Halt

log = logging.getLogger(__name__)

PAUSE_S = 0.1  # between two looks
ALARM_EVERY_S = 5.0
CALM_PAUSE_S = 0.5  # while waiting for the second look


def step(exchange: Exchange, course: Course, *, database: bool = True) -> Course:
    """One look at the exchange, and a cancel for each order of ours that it shows.

    Of any order, where the kill is for `foreign` ones too. Without `database` only the ids tell
    what is ours, and nothing is asked of it.
    """
    tags = ours.tags() if database else set()
    try:
        resting = exchange.open_orders()
        listed = [each for each in resting if course.foreign or ids.is_ours(each.client_id, tags)]
        waiting = [] if listed else _waiting(exchange, course, tags)
    except ExchangeError as error:
        _cancel(exchange, ours.thought_alive() if database else [])  # blind, better than waiting
        return course.not_seen(f"open orders are not to be seen: {error}")
    now = timezone.now()
    wanted = [(order.symbol, order.client_id) for order in listed]
    if course.sent_at is None and database:
        wanted += [name for name in ours.in_flight() if name not in wanted]
    if not wanted and not waiting:
        return course.seen_empty(now)
    taken = _cancel(exchange, wanted) + _cancel_waiting(exchange, waiting)
    course = course.asked(taken, seen=len(listed) + len(waiting))
    return course.seen_open() if course.open_orders else course.seen_empty(now)


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


def _cancel(exchange: Exchange, orders: Sequence[Named]) -> int:
    """Ask for these cancels; how many the exchange took. What it refused shows at the next look."""
    if not orders:
        return 0
    came = exchange.cancel_many(orders)
    return sum(1 for outcome in came if outcome is None)


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
    alarm = Alarm()
    while not enough(course):
        course = step(exchange, course, database=database())
        save(course)
        if course.is_over:
            alarm.done()
            break
        alarm.sound(course)
        time.sleep(CALM_PAUSE_S if course.state == State.VERIFYING else PAUSE_S)
    return course


class Alarm:
    """Says again and again that it is not over; guards and their messages need the database."""

    def __init__(self) -> None:
        self._sounded = float("-inf")

    def sound(self, course: Course) -> None:
        """Say so, if it takes too long and was not said lately."""
        if course.state == State.INCOMPLETE and time.monotonic() - self._sounded > ALARM_EVERY_S:
            log.critical("ALARM the kill is INCOMPLETE and goes on: %s", course.trouble)
            self._sounded = time.monotonic()

    def done(self) -> None:
        log.critical("ALARM the kill is done: no order of ours was open at two looks")


def kill(
    exchange: Exchange,
    *,
    reason: str,
    by: str,
    origin: str = "",
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
