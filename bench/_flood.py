"""Forged alerts at a steady rate, from a process of its own, whether they are answered or not."""

import asyncio
import json
import secrets
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing import Event, Process, Queue
from typing import Any, NamedTuple

import aiohttp

PATH = "/api/tv-alert"
PER_S = 500
OUTSTANDING = 500  # more than a second behind, no further one is sent: it counts as kept back


class Flood(NamedTuple):
    """How it was answered (0: hung up; -1: kept back), how many a second, how long each took, s."""

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
    told.put(asyncio.run(_pour(f"http://127.0.0.1:{port}{PATH}", over)))


async def _pour(url: str, over: Any) -> Flood:  # noqa: ANN401
    found: Counter[int] = Counter()
    took: list[float] = []
    under_way: set[asyncio.Task[None]] = set()

    async def send(session: aiohttp.ClientSession) -> None:
        body = json.dumps(alert("x" * 40, secrets.token_hex(8), symbol="ALL", action="kill"))
        sent = time.monotonic()
        try:
            async with session.post(url, data=body) as answer:
                await answer.read()
                found[answer.status] += 1
                took.append(time.monotonic() - sent)
        except aiohttp.ClientError:
            found[0] += 1

    began = time.monotonic()
    asked = 0
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        while not over.is_set():
            due = int((time.monotonic() - began) * PER_S)
            for _ in range(due - asked):
                if len(under_way) >= OUTSTANDING:
                    found[-1] += 1
                    continue
                task = asyncio.create_task(send(session))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
            asked = due
            await asyncio.sleep(0.005)
        seconds = time.monotonic() - began
        await asyncio.gather(*under_way)
    return Flood(dict(found), len(took) / seconds, took)
