"""A listener without threads: frames are fetched when they are asked for, all there are by then."""

import json
from itertools import count
from typing import Any

import websocket

from integrations.bybit.simulator.auth import Keys
from integrations.bybit.simulator.wire import machine_ms

ANSWER_S = 0.5  # a connection that answers no ping in this time is dead


class Gone(Exception):
    """The connection ended, or says nothing any more."""


class Ear:
    """One connection, built anew when it is gone, as a feed of ours would."""

    def __init__(self, url: str, topics: list[str], keys: Keys | None = None) -> None:
        self._url = url
        self._topics = topics
        self._keys = keys
        self._numbers = count(1)
        self._socket: websocket.WebSocket | None = None

    @property
    def is_open(self) -> bool:
        return self._socket is not None

    def connect(self) -> bool:
        """Log in and subscribe; False when anything of that is refused or not answered."""
        try:
            self._socket = websocket.create_connection(self._url, timeout=ANSWER_S)
            if self._keys is not None:
                expires = machine_ms() + 10_000
                signed = self._keys.sign(f"GET/realtime{expires}")
                self._ask("auth", [self._keys.key, expires, signed])
            for first in range(0, len(self._topics), 10):
                self._ask("subscribe", self._topics[first : first + 10])
        except (OSError, websocket.WebSocketException, Gone):
            self.close()
            return False
        return True

    def hear(self) -> list[dict[str, Any]]:
        """All topic frames that were sent by now. Raises Gone."""
        if self._socket is None:
            raise Gone
        frames: list[dict[str, Any]] = []
        try:
            self._socket.send(json.dumps({"op": "ping", "req_id": str(next(self._numbers))}))
            while "topic" in (frame := json.loads(self._socket.recv())):
                frames.append(frame)
        except (OSError, ValueError, websocket.WebSocketException) as error:
            self.close()
            if frames:
                return frames
            raise Gone from error
        return frames

    def _ask(self, op: str, args: list[Any]) -> None:
        assert self._socket is not None
        number = str(next(self._numbers))
        self._socket.send(json.dumps({"op": op, "args": args, "req_id": number}))
        while True:
            frame = json.loads(self._socket.recv())
            if frame.get("op") == op:
                if frame.get("success") is not True:
                    raise Gone
                return

    def close(self) -> None:
        if self._socket is not None:
            self._socket.shutdown()
            self._socket = None
