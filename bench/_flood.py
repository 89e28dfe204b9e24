"""Forged alerts at a steady rate, from a process of its own, whether they are answered or not."""

import asyncio
import json
import re
import secrets
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing import Event, Process, Queue
from typing import Any, NamedTuple, cast

PATH = "/api/tv-alert"
PER_S = 500
OUTSTANDING = 500  # a second behind, no further one is sent
HUNG_UP, KEPT_BACK = 0, -1  # among the statuses
HEAD = (
    f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: "
).encode()
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class Flood(NamedTuple):
    """How it was answered, how many a second, how long each took, s."""

    statuses: dict[int, int]
    answered_a_second: float
    took: list[float]


def alert(secret: str, name: str, **others: str) -> dict[str, str]:
    """An alert as TradingView sends it."""
    body = {"id": name, "time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", "action": "pause"}
    return {"secret": secret, "symbol": "XRPUSDT", **body, **others}


@contextmanager
def poured(port: int) -> Iterator["Pouring"]:
    """Pour while the block runs."""
    pouring = Pouring(port)
    try:
        yield pouring
    finally:
        pouring.stop()


class Pouring:
    """A flood that goes on until its end is asked for."""

    def __init__(self, port: int) -> None:
        self._over = Event()
        self._told: Queue[Flood] = Queue()
        self._process = Process(target=_run, args=(port, self._over, self._told), daemon=True)
        self._process.start()
        self._came: Flood | None = None

    def stop(self) -> Flood:
        """End it, and learn how it was answered."""
        if self._came is None:
            self._over.set()
            self._came = self._told.get(timeout=60)
            self._process.join()
        return self._came


def _run(port: int, over: Any, told: "Queue[Flood]") -> None:  # noqa: ANN401 - multiprocessing's
    told.put(asyncio.run(_pour(port, over)))


async def _pour(port: int, over: Any) -> Flood:  # noqa: ANN401
    pool = Pool(port)
    began, asked = time.monotonic(), 0
    while not over.is_set():
        due = int((time.monotonic() - began) * PER_S)
        for _ in range(due - asked):
            await pool.send(alert("x" * 40, secrets.token_hex(8), symbol="ALL", action="kill"))
        asked = due
        await asyncio.sleep(0.005)
    seconds = time.monotonic() - began
    await pool.close()
    return Flood(dict(pool.statuses), len(pool.took) / seconds, pool.took)


class Pool:
    """Connections kept open. Bare ones: a client library would take half a core of this machine."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[Line] = []
        self._busy: set[Line] = set()
        self.statuses: Counter[int] = Counter()
        self.took: list[float] = []

    async def send(self, body: object) -> None:
        """Send one request, without waiting for its answer."""
        if len(self._busy) >= OUTSTANDING:
            self.statuses[KEPT_BACK] += 1
            return
        if self._idle:
            line = self._idle.pop()
        else:
            loop = asyncio.get_running_loop()
            _, line = await loop.create_connection(lambda: Line(self), "127.0.0.1", self._port)
        self._busy.add(line)
        line.send(json.dumps(body).encode())

    def answered(self, line: "Line", status: int, seconds: float) -> None:
        """What came on a line, which is free again."""
        self.statuses[status] += 1
        self.took.append(seconds)
        self._busy.discard(line)
        self._idle.append(line)

    def lost(self, line: "Line") -> None:
        """The other side hung up."""
        if line in self._busy:
            self._busy.discard(line)
            self.statuses[HUNG_UP] += 1
        elif line in self._idle:
            self._idle.remove(line)

    async def close(self) -> None:
        """Leave what is under way two seconds, and hang up."""
        await asyncio.sleep(2.0)
        for line in [*self._idle, *self._busy]:
            line.transport.abort()


class Line(asyncio.Protocol):
    """One connection, one request at a time."""

    transport: asyncio.Transport

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._heard = b""
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        self.transport = cast("asyncio.Transport", transport)

    def send(self, body: bytes) -> None:
        """Post it."""
        self._heard, self._sent = b"", time.monotonic()
        self.transport.write(HEAD + b"%d\r\n\r\n" % len(body) + body)

    def data_received(self, data: bytes) -> None:
        """Tell the status once the answer is whole."""
        self._heard += data
        head, _, content = self._heard.partition(b"\r\n\r\n")
        length = LENGTH.search(head)
        if length and len(content) >= int(length[1]):
            status = int(head.split(b" ", 2)[1])
            self._pool.answered(self, status, time.monotonic() - self._sent)

    def connection_lost(self, _: Exception | None) -> None:
        """It cannot be used again."""
        self._pool.lost(self)
