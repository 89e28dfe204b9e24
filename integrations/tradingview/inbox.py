"""Takes alerts in, each once: stored before anything is answered, applied by somebody else later.

Rows go RECEIVED -> CLAIMED -> APPLIED | IGNORED, or EXPIRED when nobody came within a minute.
"""

import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

import redis
from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from redis.backoff import NoBackoff
from redis.retry import Retry

from integrations.models import Alert
from integrations.tradingview.message import Message

LATEST, EARLIEST = timedelta(seconds=120), timedelta(seconds=10)  # how old, how far ahead
EXPIRES = timedelta(seconds=60)
CLAIM = timedelta(seconds=20)  # a claim that is not done by then belonged to a dead worker
KEPT = timedelta(days=30)
PER_WINDOW, WINDOW_S = 300, 10
_REDIS_PATIENCE_S = 0.1

State = Alert.State
log = logging.getLogger(__name__)


class Stale(Exception):
    """The alert was sent too long ago, or will be sent in the future."""


class Contradiction(Exception):
    """Another alert with the same id came before."""


class Outcome(Enum):
    """What became of an alert at the door."""

    NEW = "new"
    SEEN = "seen"


@dataclass(frozen=True, slots=True)
class Taken:
    """An alert that is stored, and whether it was before."""

    alert: Alert
    outcome: Outcome


def take(message: Message, now: datetime) -> Taken:
    """Store an alert, once whatever happens. Raises Stale, Contradiction, OperationalError.

    One that was stored before is known again however late its repetition comes.
    """
    mine = Q(source=message.source, name=message.id)
    known = Alert.objects.filter(mine).first()
    if known is None:
        if not now - LATEST <= message.time <= now + EARLIEST:
            raise Stale(
                f"sent at {message.time:%Y-%m-%dT%H:%M:%SZ}, it is {now:%Y-%m-%dT%H:%M:%SZ}; "
                f"accepted: at most {LATEST.seconds} s ago or {EARLIEST.seconds} s ahead"
            )
        known = _insert(message, now)
        if known is not None:
            return Taken(known, Outcome.NEW)
        known = Alert.objects.get(mine)
    if known.body_hash != message.digest:
        raise Contradiction(
            f"an alert with id {message.id!r} and another content came before; "
            "accepted: an id of its own for each alert"
        )
    return Taken(known, Outcome.SEEN)


def _insert(message: Message, now: datetime) -> Alert | None:
    """The new row; None when another request was faster (INSERT ... ON CONFLICT DO NOTHING)."""
    row = Alert(
        source=message.source,
        name=message.id,
        body_hash=message.digest,
        sent_at=message.time,
        symbol=message.symbol,
        action=message.action,
        details=dict(message.details),
        received_at=now,
    )
    Alert.objects.bulk_create([row], ignore_conflicts=True)
    # No id comes back from such an INSERT; only the writer's own row has its time to the µs.
    return Alert.objects.filter(
        source=message.source, name=message.id, body_hash=message.digest, received_at=now
    ).first()


def claim(alert_id: int) -> Alert | None:
    """Take an alert to apply it; None when somebody else has it, had it, or it is too old."""
    now = timezone.now()
    free = Q(state=State.RECEIVED) | Q(state=State.CLAIMED, claimed_at__lt=now - CLAIM)
    mine = Alert.objects.filter(free, pk=alert_id, received_at__gt=now - EXPIRES)
    if not mine.update(state=State.CLAIMED, claimed_at=now):
        return None
    return Alert.objects.get(pk=alert_id)


def finish(alert: Alert, state: str, reason: str) -> None:
    """Write down what came of a claimed alert."""
    Alert.objects.filter(pk=alert.pk, state=State.CLAIMED).update(
        state=state, reason=reason[:500], done_at=timezone.now()
    )


def expire() -> int:
    """End what nobody applied in time; answers how many those were."""
    now = timezone.now()
    old = Alert.objects.filter(done_at=None, received_at__lte=now - EXPIRES)
    waited = f"not applied within {EXPIRES.seconds} s"
    begun = old.filter(state=State.CLAIMED, claimed_at__lt=now - CLAIM)
    words = f"{waited}: begun, and its worker ended; see what it did to each bot"
    ended = begun.update(state=State.EXPIRED, reason=words, done_at=now)
    return ended + old.filter(state=State.RECEIVED).update(
        state=State.EXPIRED, reason=waited, done_at=now
    )


def waiting() -> list[int]:
    """Ids of alerts that somebody should claim."""
    now = timezone.now()
    free = Q(state=State.RECEIVED) | Q(state=State.CLAIMED, claimed_at__lt=now - CLAIM)
    return list(
        Alert.objects.filter(free, done_at=None).order_by("id").values_list("pk", flat=True)
    )


def forget_old() -> None:
    """Delete alerts that are older than any repetition could be."""
    Alert.objects.filter(received_at__lt=timezone.now() - KEPT, done_at__isnull=False).delete()


class Pace:
    """How many of a kind came in this window, counted in Redis for all processes at once."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._complained = float("-inf")
        self._redis = redis.Redis.from_url(
            settings.REDIS_URL,
            socket_connect_timeout=_REDIS_PATIENCE_S,
            socket_timeout=_REDIS_PATIENCE_S,
            retry=Retry(NoBackoff(), 0),  # by itself it would try for seconds
        )

    def count(self) -> int | None:
        """Count one more; None when Redis does not answer: a limit must not stop the alerts."""
        window = int(timezone.now().timestamp()) // WINDOW_S
        name = f"gridtrader:{self._kind}:{window}"
        try:
            with self._redis.pipeline(transaction=True) as both:
                both.incr(name)
                both.expire(name, 2 * WINDOW_S)
                count, _ = both.execute()
        except redis.RedisError as error:
            if time.monotonic() - self._complained > WINDOW_S:
                self._complained = time.monotonic()
                log.warning("%s are not counted: %s", self._kind, error)
            return None
        return int(count)
