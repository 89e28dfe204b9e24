"""The way out to outside services: rows that wait until a service has them.

A parcel is written with the fact that it tells; a sender that holds the lane takes it, writes down
that an attempt begins, sends, and writes down how it went. Whoever dies in between leaves a parcel
whose last attempt has no outcome: it comes again as doubtful, after the lane's lease has run out,
and the service's own sender decides what doubt means (Notion is asked; a person is told).
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from integrations.models import Lane, Parcel

LEASE = timedelta(seconds=60)  # longer than any attempt: each call has a time limit well below
DOUBT = LEASE + timedelta(seconds=5)  # a service may still work on a call that timed out for us
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=5), timedelta(hours=1)
KEPT = timedelta(days=30)

Level = Parcel.Level
log = logging.getLogger(__name__)


class NotTaken(Exception):
    """The service did not take it; the text says why.

    `wait` is how long to leave it, None for the usual back-off; `doubtful`: it may have taken it;
    `everything`: the next parcels would fare no better, so the lane pauses.
    """

    def __init__(
        self,
        text: str,
        *,
        wait: timedelta | None = None,
        doubtful: bool = False,
        everything: bool = False,
    ) -> None:
        super().__init__(text)
        self.wait = wait
        self.doubtful = doubtful
        self.everything = everything


class LostTurn(Exception):
    """Another sender has taken the lane over; nothing more may be sent on it."""


@dataclass(frozen=True, slots=True)
class Turn:
    """The right to send on a lane, for a while."""

    lane: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Item:
    """What is to be told: `key` names the fact, once in a lane; the payload's amounts are texts."""

    key: str
    payload: Mapping[str, object]
    level: int = Level.INFO


Send = Callable[[Sequence[Parcel]], str]
"""Sends parcels at once and answers the receipt; `begun_at` of a doubtful one is set. NotTaken."""


def put(lanes: Iterable[str], items: Iterable[Item]) -> None:
    """Write parcels, once for each lane and key; take part in the caller's transaction."""
    items, now = list(items), timezone.now()
    Parcel.objects.bulk_create(
        [
            Parcel(
                lane=lane,
                key=item.key,
                payload=dict(item.payload),
                level=item.level,
                created_at=now,
                due_at=now,
            )
            for lane in lanes
            for item in items
        ],
        ignore_conflicts=True,
    )


def take_turn(name: str, *, urgent: bool = False) -> Turn | None:
    """The lane, if it is free and open; None else. The database's clock judges."""
    Lane.objects.bulk_create([Lane(name=name)], ignore_conflicts=True)
    free = Q(lease_until=None) | Q(lease_until__lt=Now())
    opened = Q() if urgent else Q(not_before=None) | Q(not_before__lte=Now())
    with transaction.atomic():
        taken = Lane.objects.filter(free, opened, name=name)
        if not taken.update(epoch=F("epoch") + 1, lease_until=Now() + LEASE):
            return None
        return Turn(name, Lane.objects.get(name=name).epoch)


def end_turn(turn: Turn, *, not_before: datetime | None = None, trouble: str = "") -> None:
    """Give the lane back, shut until a time or open."""
    Lane.objects.filter(name=turn.lane, epoch=turn.epoch).update(
        lease_until=None, not_before=not_before, trouble=trouble[:300]
    )


def deliver(
    turn: Turn, send: Send, *, at_once: int = 1, gap: timedelta | None = None, budget_s: float = 25
) -> int:
    """Send what is due on a lane, and end the turn; answers how many parcels were taken.

    `at_once` parcels go together; with a `gap` the lane then rests for so long.
    """
    sent, shut, trouble = 0, None, ""
    deadline = time.monotonic() + budget_s
    try:
        while time.monotonic() < deadline and shut is None:
            parcels = list(_due(turn.lane)[:at_once])
            if not parcels:
                break
            _begin(turn, parcels)
            try:
                receipt = send(parcels)
            except NotTaken as error:
                trouble, shut = str(error), _failed(turn.lane, parcels, error)
            else:
                _done(parcels, receipt)
                sent, trouble = sent + len(parcels), ""
                shut = timezone.now() + gap if gap else None
    except LostTurn as error:
        log.warning("%s", error)
    else:
        end_turn(turn, not_before=shut, trouble=trouble)
    return sent


def _due(lane: str) -> QuerySet[Parcel]:
    return Parcel.objects.filter(lane=lane, processed_at=None, due_at__lte=timezone.now()).order_by(
        "id"
    )


def _begin(turn: Turn, parcels: Sequence[Parcel]) -> None:
    """Commit that an attempt begins, under the lane's lease, renewed. Raises LostTurn.

    The objects keep the `begun_at` from before: set, it says that an attempt had no outcome.
    """
    with transaction.atomic():
        mine = Lane.objects.filter(name=turn.lane, epoch=turn.epoch)
        if not mine.update(lease_until=Now() + LEASE):
            raise LostTurn(f"the lane {turn.lane} was taken over after epoch {turn.epoch}")
        Parcel.objects.filter(pk__in=[parcel.pk for parcel in parcels]).update(
            begun_at=Now(), attempts=F("attempts") + 1
        )
    for parcel in parcels:
        parcel.attempts += 1


def _done(parcels: Sequence[Parcel], receipt: str) -> None:
    Parcel.objects.filter(pk__in=[parcel.pk for parcel in parcels]).update(
        processed_at=Now(), begun_at=None, receipt=receipt[:64], trouble=""
    )


def _failed(lane: str, parcels: Sequence[Parcel], error: NotTaken) -> datetime | None:
    """Write down why, and when to try again; answers until when the whole lane is shut."""
    now = timezone.now()
    wait = error.wait
    if wait is None:
        wait = (
            DOUBT
            if error.doubtful
            else min(FIRST_WAIT * 2 ** (parcels[0].attempts - 1), LONGEST_WAIT)
        )
    facts = {"due_at": now + wait, "trouble": str(error)[:300]}
    if not error.doubtful:  # a doubt from before stays: this attempt did not end it
        settled = [parcel.pk for parcel in parcels if parcel.begun_at is None]
        Parcel.objects.filter(pk__in=settled).update(begun_at=None)
    Parcel.objects.filter(pk__in=[parcel.pk for parcel in parcels]).update(**facts)
    log.warning("%s: %s; again in %.0f s", lane, error, wait.total_seconds())
    return now + wait if error.everything else None


def backoff(parcels: Sequence[Parcel]) -> timedelta:
    """How long to wait after so many attempts: 5 s, twice as long each time, at most an hour."""
    tries = min(max(parcel.attempts for parcel in parcels), 12)
    wait: timedelta = FIRST_WAIT * 2 ** (tries - 1)
    return min(wait, LONGEST_WAIT)


def forget_old() -> None:
    """Delete parcels that were delivered long ago."""
    Parcel.objects.filter(processed_at__lt=timezone.now() - KEPT).delete()
