"""A simulator that moves minute by minute when told to, and a line to it that can be cut."""

import asyncio
import json
import socket
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

from integrations.bybit.simulator.auth import Keys
from integrations.bybit.simulator.server import Options, Simulator

PAIR = "DOGEUSDT"
KEY, SECRET = "kEy0fTheT3st", "s3cret0fTheT3st-never-shown"


@contextmanager
def simulator() -> Iterator[Simulator]:
    """Runs in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    running = Simulator(Options(keys=Keys(KEY, SECRET), speed=0))
    asyncio.run_coroutine_threadsafe(running.start(), loop).result(20)
    try:
        yield running
    finally:
        asyncio.run_coroutine_threadsafe(running.stop(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()


def pass_minutes(venue: Simulator, count: int) -> None:
    """Let so many minutes of market time pass, with a price that moves in each."""
    for _ in range(count):
        price = venue.venue.markets[PAIR].price
        swing = Decimal("1.002") if (venue.venue.now // 60_000) % 3 else Decimal("0.997")
        body = json.dumps({"prices": {PAIR: format(price * swing, ".5f")}, "seconds": 60}).encode()
        request = urllib.request.Request(f"{venue.url}/sim/step", data=body, method="POST")  # noqa: S310
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
            assert answer.status == 200


class Line:
    """Passes bytes on to a server on loopback, until it is cut and after it is mended."""

    def __init__(self, port: int) -> None:
        self._goal = port
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._whole = threading.Event()
        self._whole.set()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        self._whole.clear()
        for end in self._open:
            end.close() if end.fileno() < 0 else end.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def mend(self) -> None:
        self._whole.set()

    def close(self) -> None:
        self.cut()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if not self._whole.is_set():
                near.close()
                continue
            far = socket.create_connection(("127.0.0.1", self._goal))
            self._open += [near, far]
            for source, goal in ((near, far), (far, near)):
                threading.Thread(target=_pump, args=(source, goal), daemon=True).start()


def _pump(source: socket.socket, goal: socket.socket) -> None:
    try:
        while data := source.recv(65_536):
            goal.sendall(data)
    except OSError:
        pass
    for end in (source, goal):
        end.close()
