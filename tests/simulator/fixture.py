"""A simulator inside the test process, on real sockets, whose time stands until a test steps it.

Use it anywhere with `from tests.simulator.fixture import simulator  # noqa: F401` in a conftest,
or `-p tests.simulator.fixture` for all tests. `RunningSimulator(Options(...))` gives other ones.
"""

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import requests

from integrations.bybit.simulator.auth import Keys
from integrations.bybit.simulator.pairs import load_pairs
from integrations.bybit.simulator.server import Options, Simulator
from integrations.bybit.simulator.tape import Tape, open_tape

KEYS = Keys("test-key", "test-secret-of-play-money")
PATIENCE = 10  # s


@cache
def played(source: str) -> Tape:
    """Tapes do not change while they play, so that all tests can share one."""
    return open_tape(source, load_pairs())


class RunningSimulator:
    """A simulator in a thread of its own. It keeps its port, and its state when it has a file."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.server: Simulator | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None

    @property
    def key(self) -> str:
        return self.options.keys.key

    @property
    def secret(self) -> str:
        return self.options.keys.secret

    @property
    def port(self) -> int:
        return self.options.port

    @property
    def rest_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start, or start again. Raises what the simulator raises when it cannot."""
        ready: Future[int] = Future()
        tape = None if self.options.tape == "bybit" else played(self.options.tape)
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._live(tape, ready)), daemon=True
        )
        self._thread.start()
        self.options = replace(self.options, port=ready.result(PATIENCE))

    def stop(self) -> None:
        """Stop cleanly; nothing happens when it does not run."""
        if self._thread is not None and self._loop is not None and self._stopping is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(PATIENCE)
            assert not self._thread.is_alive(), "the simulator does not stop"
        self._thread = self._loop = self._stopping = None

    async def _live(self, tape: Tape | None, ready: Future[int]) -> None:
        try:
            server = Simulator(self.options, tape)
            await server.start()
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits for us
            ready.set_exception(error)
            return
        self.server = server
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        ready.set_result(server.port)
        await self._stopping.wait()
        await server.stop()

    def step(self, prices: dict[str, str] | None = None, seconds: int = 60) -> dict[str, Any]:
        """Move prices straight to their goals while market time passes; the clock is returned."""
        body = {"prices": prices or {}, "seconds": seconds}
        answer = requests.post(f"{self.rest_url}/sim/step", json=body, timeout=PATIENCE)
        assert answer.ok, answer.text
        return answer.json()

    def wait_for_topics(self, *topics: str) -> None:
        """Return when somebody listens to all of these: pybit does not wait for its acks."""
        deadline = time.monotonic() + PATIENCE
        while not set(topics) <= set(self.server.topics if self.server else ()):
            assert time.monotonic() < deadline, f"nobody listens to all of {topics}"
            time.sleep(0.01)

    def state(self) -> dict[str, Any]:
        """Every order, execution and wallet line, the clock and the prices."""
        return requests.get(f"{self.rest_url}/sim/state", timeout=PATIENCE).json()


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[RunningSimulator]:
    """34,000 USDT and a little of each coin; BTC starts at 96383.21, all on the bundled tapes."""
    balances = {"USDT": "34000", "BTC": "1", "MNT": "1000", "DOGE": "10000", "PEPE": "100000000"}
    running = RunningSimulator(
        Options(
            keys=KEYS,
            speed=0,
            balances={coin: Decimal(amount) for coin, amount in balances.items()},
            state=tmp_path / "simulator" / "state.jsonl",
        )
    )
    running.start()
    yield running
    running.stop()
