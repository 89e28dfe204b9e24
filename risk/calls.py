"""Calls of the exchange, counted by every process and added up in the database."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import DatabaseError, InterfaceError, connection
from django.db.models import Sum
from django.utils import timezone

from risk.models import ApiCalls

log = logging.getLogger(__name__)

WINDOW = timedelta(minutes=5)
KEPT = timedelta(hours=1)
OUTAGE_S = 30.0
_BUCKET_S = 5
_PACE_S = 1.0  # between two writes of one process

_ADD = """
INSERT INTO risk_apicalls (at, calls, failures) VALUES (%s, %s, %s)
ON CONFLICT (at) DO UPDATE SET calls = risk_apicalls.calls + excluded.calls,
    failures = risk_apicalls.failures + excluded.failures
"""


_ADD_OUTCOME = """
INSERT INTO risk_apioutcome (code, calls) VALUES (%s, %s)
ON CONFLICT (code) DO UPDATE SET calls = risk_apioutcome.calls + excluded.calls
"""


@dataclass(frozen=True, slots=True)
class Rate:
    """Calls of the last five minutes, and those that failed."""

    calls: int
    failures: int


class Tally:
    """Counts of this process, written to the database now and then. For any number of threads.

    While the exchange cannot be reached at all every loop tries again and again what it wanted
    once: the tries of one outage are one call that failed, and one more for each `OUTAGE_S` that
    it lasts (docs/adr/0012).
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._unreached: float | None = None  # since when, as counted
        self._lock = threading.Lock()
        self._calls: Counter[int] = Counter()
        self._failures: Counter[int] = Counter()
        self._codes: Counter[str] = Counter()
        self._written = 0.0

    def note(self, *, failed: bool, unreached: bool = False, code: int | None = None) -> None:
        """Count a call: a failure is a timeout, a broken connection, a 5xx or a 10000 or 10016.

        `unreached`: it failed because no connection could be made. `code` is the exchange's, 0
        when all went well, None when it gave none.
        """
        bucket, now = int(time.time()) // _BUCKET_S * _BUCKET_S, self._clock()
        with self._lock:
            if not unreached:
                self._unreached = None
            elif self._unreached is not None and now - self._unreached < OUTAGE_S:
                return
            else:
                self._unreached = now
            self._calls[bucket] += 1
            self._failures[bucket] += failed
            self._codes["none" if code is None else str(code)] += 1

    def write(self) -> None:
        """Add to the database what was counted, at most once a second; kept while it is away."""
        now = time.monotonic()
        with self._lock:
            if not self._calls or now - self._written < _PACE_S:
                return
            calls, failures, codes = self._calls, self._failures, self._codes
            self._calls, self._failures, self._codes = Counter(), Counter(), Counter()
            self._written = now
        try:
            with connection.cursor() as cursor:
                cursor.executemany(_ADD_OUTCOME, sorted(codes.items()))
        except (DatabaseError, InterfaceError):
            connection.close()
            with self._lock:
                self._codes += codes
        for bucket in sorted(calls):
            try:
                with connection.cursor() as cursor:
                    at = datetime.fromtimestamp(bucket, UTC)
                    cursor.execute(_ADD, [at, calls[bucket], failures[bucket]])
            except (DatabaseError, InterfaceError) as error:
                log.warning("calls of the exchange are not counted yet: %s", error)
                connection.close()
                with self._lock:
                    self._calls[bucket] += calls[bucket]
                    self._failures[bucket] += failures[bucket]


def rate() -> Rate:
    """What all processes together counted."""
    found = ApiCalls.objects.filter(at__gte=timezone.now() - WINDOW)
    sums = found.aggregate(calls=Sum("calls", default=0), failures=Sum("failures", default=0))
    return Rate(**sums)


def forget_old() -> None:
    ApiCalls.objects.filter(at__lt=timezone.now() - KEPT).delete()
