"""Supervised streams: a feed keeps one connection alive for ever and says when it was gone."""

import logging
import queue
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from integrations.bybit.client import Revealing
from integrations.bybit.connection import Connection, Hear, NotConnected

log = logging.getLogger(__name__)

PRIVATE_TOPICS = ("order", "execution", "wallet")
BEATS = "orderbook.1."  # the topic that repeats itself after 3 s of quiet (Bybit v5, orderbook)
PUBLIC_SILENCE_S = 5.0
PRIVATE_SILENCE_S = 12.0  # two pings may stay unanswered
PING_S = 5.0
ANSWER_S = 5.0  # for the answer to a login or a subscription
PACE_S = 0.25  # how often a feed looks after its connection
FIRST_DELAY_S, LONGEST_DELAY_S, STEADY_AFTER_S = 0.25, 5.0, 10.0
CONNECTS, CONNECTS_WITHIN_S = 100, 300.0  # Bybit allows 500 in five minutes to all of a host


@dataclass(frozen=True, slots=True)
class Connected:
    """A feed is live (again). What happened before is not replayed: catch up by REST now."""

    feed: str


@dataclass(frozen=True, slots=True)
class Disconnected:
    """A feed, or an attempt to start it, ended; it goes on trying. The text holds no secret."""

    feed: str
    why: str


@dataclass(frozen=True, slots=True)
class Message:
    """A frame as it came. `heard` is the machine's monotonic clock, s."""

    feed: str
    frame: dict[str, Any]
    heard: float


Event = Connected | Disconnected | Message


@dataclass(frozen=True, slots=True)
class Limits:
    """Patience of a feed, in seconds; `connects` are allowed within `connects_within`.

    A connection is silent when nothing was heard for `silence`: no topic at all (or, where a pong
    is life, no frame), or one of the topics that never rest.
    """

    silence: float
    pong_is_life: bool  # a private stream is rightly quiet: there an answered ping is enough
    ping: float = PING_S
    answer: float = ANSWER_S
    first_delay: float = FIRST_DELAY_S
    longest_delay: float = LONGEST_DELAY_S
    steady_after: float = STEADY_AFTER_S
    connects: int = CONNECTS
    connects_within: float = CONNECTS_WITHIN_S


class Feed:
    """One stream, kept alive in a thread of its own; everything it has to say goes into a queue.

    The thread builds the connection, waits for login and subscriptions to be acknowledged, says
    Connected, then watches: a connection that ended, is silent for too long or was refused is
    thrown away, Disconnected is said, and after a growing, jittered delay it starts anew. Frames
    may come before Connected and more than once; consumers must not mind.
    """

    def __init__(
        self,
        name: str,
        connect: Callable[[Hear], Connection],
        topics: Sequence[str],
        out: "queue.Queue[Event]",
        limits: Limits,
        *,
        login: bool = False,
    ) -> None:
        self.name = name
        self._connect = connect
        self._topics = tuple(topics)
        self._out = out
        self._limits = limits
        self._login = login
        self._stopping = threading.Event()
        self._overrun = threading.Event()
        self._connects: deque[float] = deque()
        self._thread = threading.Thread(target=self._run, name=f"feed {name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def follow(self, topics: Sequence[str]) -> None:
        """Follow these topics from now on; where they are other ones, on a new connection."""
        self._topics = tuple(topics)

    def stop(self, timeout: float = 15.0) -> None:
        """Close the connection and end the thread, which takes 7 s at worst; says Disconnected."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    @property
    def is_running(self) -> bool:
        return self._thread.is_alive()

    # ---------------------------------------------------------------------------------------------

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            self._stopping.wait(self._until_next_connect())
            if self._stopping.is_set():
                return
            began = time.monotonic()
            self._connects.append(began)
            why = self._live_once()
            self._say(Disconnected(self.name, why))
            log.debug("%s: %s", self.name, why)  # consumers log it as they see fit
            steady = time.monotonic() - began > self._limits.steady_after
            failures = 0 if steady else failures + 1
            self._stopping.wait(self._delay(failures))

    def _live_once(self) -> str:
        """One connection from its start to its end; returns why it ended."""
        self._overrun.clear()
        try:
            connection = self._connect(self._hear)
        except NotConnected as error:
            return str(error)
        try:
            if self._login:
                connection.log_in_acknowledged(self._limits.answer)
            topics = self._topics
            connection.follow(topics, self._limits.answer)
            self._say(Connected(self.name))
            return self._watch(connection, topics)
        except NotConnected as error:
            return str(error)
        finally:
            connection.leave()

    def _watch(self, connection: Connection, topics: Sequence[str]) -> str:
        """Ping and look until something is wrong, or other topics are wanted; returns what."""
        next_ping = begun = time.monotonic()
        while not self._stopping.wait(PACE_S):
            now = time.monotonic()
            if connection.ended:
                return connection.ended
            if self._overrun.is_set():
                return "the consumer is too slow: its queue is full"
            if self._topics != topics:
                return "other topics are wanted"
            silent = self._silent(connection, topics, begun, now)
            if silent is not None:
                return f"nothing heard{silent} for {self._limits.silence:g} s"
            if now >= next_ping:
                connection.ping()
                next_ping = now + self._limits.ping
        return "stopped"

    def _silent(
        self, connection: Connection, topics: Sequence[str], begun: float, now: float
    ) -> str | None:
        """Of what nothing is heard, in words; None while all is well.

        A subscription can die alone: then the other topics hide it, but a pair has no price.
        """
        heard = connection.heard_frame if self._limits.pong_is_life else connection.heard_topic
        if now - heard > self._limits.silence:
            return ""
        for topic in topics:
            last = connection.heard.get(topic, begun)
            if topic.startswith(BEATS) and now - last > self._limits.silence:
                return f" of {topic}"
        return None

    def _hear(self, frame: dict[str, Any]) -> None:
        """Called in the reader thread: enqueue, nothing else."""
        try:
            self._out.put_nowait(Message(self.name, frame, time.monotonic()))
        except queue.Full:
            self._overrun.set()

    def _say(self, event: Connected | Disconnected) -> None:
        """Enqueue a change of state, waiting for room as long as the feed runs."""
        while True:
            try:
                self._out.put(event, timeout=PACE_S)
            except queue.Full:
                if self._stopping.is_set():
                    return
            else:
                return

    def _until_next_connect(self) -> float:
        """Seconds until one more connect is within the limit."""
        now = time.monotonic()
        while self._connects and now - self._connects[0] >= self._limits.connects_within:
            self._connects.popleft()
        if len(self._connects) < self._limits.connects:
            return 0.0
        return self._connects[0] + self._limits.connects_within - now

    def _delay(self, failures: int) -> float:
        """Growing with each failure in a row, and never the same for two clients."""
        longest = min(self._limits.longest_delay, self._limits.first_delay * 2 ** min(failures, 16))
        return random.uniform(longest / 2, longest)  # noqa: S311  # only jitter


def private_feed(
    ws_url: str, key: str | Revealing, secret: str | Revealing, out: "queue.Queue[Event]"
) -> Feed:
    """Orders, executions and wallet of an account."""

    def connect(hear: Hear) -> Connection:
        return Connection("private", ws_url, hear, key, secret)

    limits = Limits(PRIVATE_SILENCE_S, pong_is_life=True)
    return Feed("private", connect, PRIVATE_TOPICS, out, limits, login=True)


def public_feed(ws_url: str, symbols: Iterable[str], out: "queue.Queue[Event]") -> Feed:
    """Prices of spot pairs: top of book, trades, one-minute bars and tickers."""

    def connect(hear: Hear) -> Connection:
        return Connection("spot", ws_url, hear)

    limits = Limits(PUBLIC_SILENCE_S, pong_is_life=False)
    return Feed("public", connect, public_topics(symbols), out, limits)


def public_topics(symbols: Iterable[str]) -> list[str]:
    kinds = ("orderbook.1", "publicTrade", "kline.1", "tickers")
    return [f"{kind}.{symbol}" for symbol in symbols for kind in kinds]
