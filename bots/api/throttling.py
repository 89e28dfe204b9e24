"""How often an account may call. Views import this module, so it does not import them.

There are buckets for reads, for control, and one for the kill alone.

They are kept in this process, not in Redis: that may be away when the kill is needed. Several web
processes allow that many times more, which is fine: these bounds stop programs that run wild.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import ClassVar

from django.conf import settings
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

MINUTE_S = 60.0
MOST_CALLERS = 10_000  # whoever was away longest is forgotten: his bucket would be full again


class Bucket:
    """So many calls a minute for each caller; who was quiet may make them all at once."""

    def __init__(self, calls: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._calls = calls
        self._clock = clock
        self._lock = Lock()
        self._left: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()  # calls, as of

    def take(self, caller: Hashable) -> float:
        """Count a call; 0 when it is allowed, else the seconds until the next one would be."""
        with self._lock:
            now = self._clock()
            left, then = self._left.pop(caller, (float(self._calls), now))
            left = min(float(self._calls), left + (now - then) * self._calls / MINUTE_S)
            allowed = left >= 1
            self._left[caller] = (left - 1 if allowed else left, now)
            if len(self._left) > MOST_CALLERS:
                self._left.popitem(last=False)
            return 0.0 if allowed else (1 - left) * MINUTE_S / self._calls


class _Throttle(BaseThrottle):
    """DRF's way to ask a bucket."""

    def bucket(self, request: Request) -> Bucket:
        raise NotImplementedError

    def allow_request(self, request: Request, view: object) -> bool:  # noqa: ARG002
        address = request.META.get("REMOTE_ADDR", "")
        self._wait = self.bucket(request).take(request.user.pk or address)
        return not self._wait

    def wait(self) -> float:
        return self._wait


class CallThrottle(_Throttle):
    """Reads and control are counted apart, so that a page that polls stops no command."""

    reads: ClassVar = Bucket(settings.API_READS_A_MINUTE)
    control: ClassVar = Bucket(settings.API_COMMANDS_A_MINUTE)

    def bucket(self, request: Request) -> Bucket:
        return self.reads if request.method in SAFE_METHODS else self.control


class KillThrottle(_Throttle):
    """The kill shares nothing with other calls, so that no flood of those can use it up."""

    kills: ClassVar = Bucket(60)

    def bucket(self, request: Request) -> Bucket:  # noqa: ARG002
        return self.kills
