"""The kill on the whole running system: how fast it holds, cancels, sees emptiness, and is done.

BENCH_KILLS (100) and BENCH_FLOOD_KILLS (20, under 500 forged alerts a second) say how often.
"""

import asyncio
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from multiprocessing import Process
from pathlib import Path
from typing import Any

import aiohttp

ROOT = Path(__file__).resolve().parents[1]
RESTING = 69
FLOOD_PER_S, FLOOD_CONNECTIONS = 500, 16
SPANS = ("committed_at", "sent_at", "first_empty_at", "done_at")


class House:
    """One `manage.py up` in a folder of its own, and calls of its API."""

    def __init__(self, home: Path, **variables: str) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = listener.getsockname()[1]
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("GRIDTRADER", "DJANGO"))}
        self.env = clean | {
            "GRIDTRADER_ENV_FILE": os.devnull,
            "GRIDTRADER_DATA_DIR": str(home / "var"),
            "PAPER_SPEED": "1",
            **variables,
        }
        self._log = (home / "log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "up", "--port", str(self.port)],
            cwd=ROOT, env=self.env, stdout=self._log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self._token = ""
        self._home = home

    def ready(self) -> None:
        """Wait for the pages, and get a key."""
        until(lambda: self.call("GET", "/api/health")[0] == 200, 90)  # noqa: PLR2004 - HTTP's OK
        made = subprocess.run(
            [sys.executable, "manage.py", "token", "bench", "--role", "admin"],
            cwd=ROOT, env=self.env, capture_output=True, text=True, check=True,
        )  # fmt: skip
        self._token = made.stdout.strip()

    def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Status and answer; 0 while nobody listens."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"Content-Type": "application/json", "Authorization": f"Token {self._token}"}
        try:
            line.request(
                method, path, json.dumps(body) if body is not None else None,
                headers if self._token else {},
            )  # fmt: skip
            answer = line.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        except OSError:
            return 0, None
        finally:
            line.close()

    def resting(self) -> int:
        """Our orders on the exchange, as the simulator itself tells."""
        port = json.loads((self._home / "var" / "ports.json").read_text())["simulator"]
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        line.request("GET", "/sim/state")
        rows = json.loads(line.getresponse().read())["orders"]
        line.close()
        return sum(row["orderStatus"] in {"New", "PartiallyFilled"} for row in rows)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        self._log.close()


def run() -> Iterator[dict[str, object]]:
    """Figures without and with a flood of forged alerts."""
    with tempfile.TemporaryDirectory(prefix="gridtrader-bench-") as home:
        house = House(Path(home))
        try:
            house.ready()
            yield measured(house, int(os.environ.get("BENCH_KILLS", "100")), "kill")
            with flood(house.port):
                count = int(os.environ.get("BENCH_FLOOD_KILLS", "20"))
                yield measured(house, count, f"kill under {FLOOD_PER_S} forged alerts a second")
        finally:
            house.stop()


def measured(house: House, kills: int, name: str) -> dict[str, object]:
    """So many kills, each with every cell's order resting; ms since the request was sent."""
    found = [one(house) for _ in range(kills)]
    figures: dict[str, object] = {"bench": name, "kills": kills, "load": os.getloadavg()[0]}
    figures["least_cancelled"] = min((each["cancelled"] for each in found), default=0)
    for span in SPANS:
        times = sorted(each[span] for each in found)
        if times:
            worst, middle = times[-1], times[len(times) // 2]
            p99 = times[min(len(times) - 1, round(len(times) * 0.99))]
            figures[span.removesuffix("_at") + "_ms"] = {"p50": middle, "p99": p99, "max": worst}
    return figures


def one(house: House) -> Mapping[str, int]:
    """Wait until all rest, kill, wait until it is done, go on."""
    until(lambda: house.resting() >= RESTING, 120)
    began = time.time()
    status, answer = house.call("POST", "/api/kill", {"reason": "measured"})
    if status != http.HTTPStatus.OK:
        raise RuntimeError(f"the kill was answered with {status}: {answer}")

    def done() -> Mapping[str, Any] | None:
        _, risk = house.call("GET", "/api/risk")
        return next((halt for halt in risk["halts"] if halt["done_at"]), None)

    halt = until(done, 60)
    wish = {"all": True, "rearm": True, "reason": "measured"}
    until(lambda: house.call("POST", "/api/resume", wish)[0] == http.HTTPStatus.OK, 60)
    return {
        "cancelled": halt["cancelled"],
        **_spans(halt, began),
    }


def _spans(halt: Mapping[str, Any], began: float) -> dict[str, int]:
    return {
        span: round((datetime.fromisoformat(halt[span]).timestamp() - began) * 1000)
        for span in SPANS
    }


@contextmanager
def flood(port: int) -> Iterator[None]:
    """Forged alerts from a process of their own."""
    process = Process(target=_pour, args=(port,), daemon=True)
    process.start()
    try:
        yield
    finally:
        process.terminate()
        process.join()


def _pour(port: int) -> None:
    asyncio.run(_alerts(f"http://127.0.0.1:{port}/api/tv-alert"))


async def _alerts(url: str) -> None:
    body = {"secret": "x" * 40, "id": "1", "time": "2026-01-01T00:00:00Z", "action": "pause"}

    async def one_after_another(session: aiohttp.ClientSession) -> None:
        pause = FLOOD_CONNECTIONS / FLOOD_PER_S
        while True:
            began = time.monotonic()
            try:
                async with session.post(url, json=body) as answer:
                    await answer.read()
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(max(0.0, pause - (time.monotonic() - began)))

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(one_after_another(session) for _ in range(FLOOD_CONNECTIONS)))


def until(done: Callable[[], Any], seconds: float) -> Any:  # noqa: ANN401 - what `done` answers
    """Wait until something is so, and answer it. Raises TimeoutError."""
    end = time.monotonic() + seconds
    while not (found := done()):
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds:g} s")
        time.sleep(0.1)
    return found
