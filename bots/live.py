"""Messages to the live page: hints and prices from producers, and a client's pace of frames."""

import logging
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from asgiref.sync import async_to_sync
from channels.exceptions import ChannelFull
from channels.layers import get_channel_layer
from redis.exceptions import RedisError

from market.types import Tick, plain

GROUP = "live"
What = Literal["price", "orders", "fill", "state"]

log = logging.getLogger(__name__)


class _Reach:
    """Whether the channel layer could be reached last time, so that an outage is logged once."""

    lost = False


def hint(slug: str | None, what: What) -> None:
    """Tell open pages that something of a bot (None: of any bot) has changed. Best effort.

    Synchronous callers only: it must not be called from a running event loop.
    """
    _send({"type": "live.hint", "bot": slug, "what": what})


def price(slug: str, tick: Tick) -> None:
    """Give open pages the newest price of a bot's pair. Best effort, as `hint`."""
    _send(
        {
            "type": "live.tick",
            "bot": slug,
            "last": plain(tick.last),
            "bid": plain(tick.bid),
            "ask": plain(tick.ask),
            "time": iso(tick.time),
        }
    )


def rights_changed() -> None:
    """Have open pages look whether they may still be open. Best effort, as `hint`."""
    _send({"type": "live.rights"})


def iso(time_ms: int) -> str:
    """A time in ms since 1970 as ISO 8601 UTC."""
    at = datetime.fromtimestamp(time_ms / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _send(message: Mapping[str, Any]) -> None:
    layer = get_channel_layer()
    try:
        async_to_sync(layer.group_send)(GROUP, dict(message))
    except (RedisError, OSError, ChannelFull) as error:
        if not _Reach.lost:
            log.warning("open pages get no live updates for now: %s", error)
        _Reach.lost = True
    else:
        if _Reach.lost:
            log.info("open pages get live updates again")
        _Reach.lost = False


class Pacer:
    """Frames waiting for one client: so many a second of each type, the newest of each subject.

    `clock` gives seconds; `interval` is the least time between two frames of a type. Of a type in
    `bursts` so many may follow each other at once, and no more in that many intervals.
    """

    def __init__(
        self, clock: Callable[[], float], interval: float, bursts: Mapping[str, int] | None = None
    ) -> None:
        self._clock = clock
        self._interval = interval
        self._bursts = bursts or {}
        self._waiting: dict[str, dict[str, Any]] = {}
        self._sent: dict[str, deque[float]] = {}  # the last ones of each type

    def put(self, kind: str, subject: str, data: object) -> None:
        """Queue a frame. A waiting frame about the same subject is replaced and keeps its turn."""
        self._waiting.setdefault(kind, {})[subject] = data

    def due(self) -> list[tuple[str, Any]]:
        """Take the frames that may go out now, of each type the longest waiting first."""
        now = self._clock()
        ready = []
        for kind, subjects in self._waiting.items():
            sent = self._sent.setdefault(kind, deque(maxlen=self._bursts.get(kind, 1)))
            while subjects and self._may(sent, now):
                ready.append((kind, subjects.pop(next(iter(subjects)))))
                sent.append(now)
        return ready

    def _may(self, sent: "deque[float]", now: float) -> bool:
        most = sent.maxlen or 1
        return len(sent) < most or now - sent[0] >= most * self._interval

    def clear(self) -> None:
        """Forget what waits: a snapshot says it all."""
        self._waiting.clear()
