"""What all our tasks have in common: they are nudges, so they may be dropped, doubled or ended.

A task carries ids, reads everything again, and what it would have done the next beat does. So a
queue that nobody works off is cut, what waited too long is not done any more, and a worker with a
task that hangs ends itself: its supervisor starts another.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import redis
from celery import Task
from django.conf import settings
from kombu.exceptions import OperationalError
from redis.backoff import NoBackoff
from redis.retry import Retry

log = logging.getLogger(__name__)

MOST_WAITING = 1_000  # messages; four bots send some ten a second at their busiest
STALE_S = 30  # a tick that waited longer is dropped: younger ones came meanwhile
_LOOK_S = 0.25
_COMPLAINTS_S = 10.0
_PATIENCE_S = 0.5


def queue_name() -> str:
    """Redis's name of the list in which tasks wait."""
    prefix: str = settings.CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"]
    return f"{prefix}{settings.CELERY_TASK_DEFAULT_QUEUE}"


class Queue:
    """How many tasks wait, as of a moment ago. For any number of threads."""

    def __init__(self, look_s: float = _LOOK_S) -> None:
        self._look_s = look_s
        self._looked, self._length = float("-inf"), 0
        self._complained = float("-inf")
        self._redis: redis.Redis | None = None

    def is_full(self) -> bool:
        """Whether no more is taken. Raises OperationalError at once when Redis does not answer."""
        now = time.monotonic()
        if now - self._looked >= self._look_s:
            self._length = self.length()
            self._looked = now
        if self._length < MOST_WAITING:
            return False
        if now - self._complained >= _COMPLAINTS_S:
            self._complained = now
            log.warning("%s tasks wait and nobody works them off: no more are sent", self._length)
        return True

    def length(self) -> int:
        """How many wait now. Raises OperationalError."""
        if self._redis is None:
            self._redis = redis.Redis.from_url(
                settings.REDIS_URL,
                socket_connect_timeout=_PATIENCE_S,
                socket_timeout=_PATIENCE_S,
                retry=Retry(NoBackoff(), 0),
            )
        try:
            return int(self._redis.llen(queue_name()))
        except redis.RedisError as error:
            raise OperationalError(f"the queue does not answer: {error}") from None


_queue = Queue()


class Nudge(Task):
    """A task of ours. Sent while the queue has room, done while it is fresh."""

    expires = STALE_S

    def apply_async(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - as Celery's own
        """Send it; None when the queue is full. Raises OperationalError without a broker."""
        return None if _queue.is_full() else super().apply_async(*args, **options)


class TimeLimit:
    """Ends the process when a task runs too long: a thread cannot be ended, and Celery does not.

    `end` gets the exit code; it must not return.
    """

    def __init__(self, seconds: float, end: Callable[[int], object] = os._exit) -> None:
        self._seconds = seconds
        self._end = end
        self._running: dict[str, tuple[str, float]] = {}

    def begun(self, task_id: str, name: str) -> None:
        self._running[task_id] = name, time.monotonic()

    def done(self, task_id: str) -> None:
        self._running.pop(task_id, None)

    def look(self) -> None:
        """End the process if a task is overdue."""
        for name, since in list(self._running.values()):
            if time.monotonic() - since > self._seconds:
                log.critical("%s runs for more than %g s: this worker ends", name, self._seconds)
                logging.shutdown()
                self._end(os.EX_TEMPFAIL)

    def watch(self) -> None:
        """Look each second, in a thread of its own."""
        threading.Thread(target=self._forever, daemon=True, name="time limit").start()

    def _forever(self) -> None:
        while True:
            time.sleep(1.0)
            self.look()
