"""One connection to Bybit's streams: pybit's WebSocket without its unseen ways to die."""

import json
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import websocket
from pybit.unified_trading import WebSocket

from integrations.bybit.client import Revealing, revealed

HANDSHAKE_S = 5.0  # to connect and to become a WebSocket
FRAME_S = 10.0  # for the rest of a frame that has begun
CLOSE_S = 1.0  # for the peer's goodbye, and then for the reader thread to end
AUTH_EXPIRES_S = 10  # pybit's own 1 s is too short for a slow link
ARGS_A_REQUEST = 10  # Bybit v5, websocket connect, spot

Hear = Callable[[dict[str, Any]], None]


class NotConnected(ConnectionError):
    """There is no connection (any more). The text says why and holds no secret."""


class Connection(WebSocket):  # type: ignore[misc]  # pybit has no types
    """A single connection that is built, used, and thrown away when anything is wrong with it.

    From pybit it takes the paths, the signature of the login and the text of the ping. Four of its
    methods are replaced, because in pybit 5.17 (each measured) `_connect` waits for a handshake
    without end and burns its retries without a pause, `_on_message` closes the connection for good
    when a callback raises or a topic is not known, `_on_error` raises inside the reader thread or
    reconnects without telling anyone, and `subscribe` spins for ever on a dead connection.
    Reconnecting is the business of the Feed, which alone knows how often, and who must catch up.

    `hear` is called in the reader thread with every topic frame and must neither raise nor block.
    """

    def __init__(
        self,
        channel: str,
        origin: str,
        hear: Hear,
        key: str | Revealing = "",
        secret: str | Revealing = "",
    ) -> None:
        """Connect. `channel` is "private", "spot", ...; `origin` like wss://stream.bybit.com.

        Raises NotConnected.
        """
        self._origin = origin.rstrip("/")
        self._hear = hear
        self._change = threading.Condition()
        self._is_open = False
        self._why = ""  # the first reason why this connection ended
        self._answers: dict[str, Mapping[str, Any]] = {}  # by req_id; the login's under "auth"
        self.heard_frame = self.heard_topic = time.monotonic()
        self.heard: dict[str, float] = {}  # by topic, its last frame
        # Of the whole process, but nobody else here uses websocket-client. Without it a server
        # that stalls in the middle of a frame would hold the reader thread for ever.
        websocket.setdefaulttimeout(FRAME_S)
        super().__init__(
            channel,
            testnet=False,
            api_key=revealed(key) or None,
            api_secret=revealed(secret) or None,
            private_auth_expire=AUTH_EXPIRES_S,
            restart_on_error=False,
            trace_logging=False,
        )

    def __repr__(self) -> str:
        return f"Connection({self._origin})"

    @property
    def ended(self) -> str:
        """Why the connection is gone; "" while it lives."""
        return self._why

    def log_in_acknowledged(self, timeout: float) -> None:
        """Wait for the answer to the login that was sent on connecting. Raises NotConnected."""
        answer = self._answer("auth", timeout)
        if answer.get("success") is not True:
            raise NotConnected(f"the login was refused: {_words(answer)}")

    def follow(self, topics: Sequence[str], timeout: float) -> None:
        """Subscribe, and wait until every request is acknowledged. Raises NotConnected."""
        asked = []
        for first in range(0, len(topics), ARGS_A_REQUEST):
            asked.append(str(uuid4()))
            some = list(topics[first : first + ARGS_A_REQUEST])
            self._send({"op": "subscribe", "req_id": asked[-1], "args": some})
        for request in asked:
            answer = self._answer(request, timeout)
            if answer.get("success") is not True:
                raise NotConnected(f"a subscription was refused: {_words(answer)}")

    def ping(self) -> None:
        """Ask for a sign of life; the pong counts as a frame heard. Raises NotConnected."""
        self._send(json.loads(self.custom_ping_message))

    def leave(self) -> None:
        """Close, whatever state the connection is in; returns within about two seconds.

        Not by the library's close, which competes with the reader thread for the peer's answer.
        """
        self._end("closed by us")
        app = getattr(self, "ws", None)
        sock = app.sock if app is not None else None
        if app is None or sock is None:
            return
        app.keep_running = False
        with suppress(OSError, websocket.WebSocketException):
            sock.send_close()
        self.wst.join(CLOSE_S)
        if self.wst.is_alive() and sock.sock is not None:
            with suppress(OSError):
                sock.sock.shutdown(socket.SHUT_RDWR)  # wakes the reader
            self.wst.join(CLOSE_S)

    # What pybit calls ----------------------------------------------------------------------------

    def _connect(self, url: str) -> None:
        """Replaces pybit's: our origin, one attempt, bounded waiting, login if there is a key."""
        self.endpoint = self._origin + urlsplit(url).path
        self.ws = websocket.WebSocketApp(
            self.endpoint,
            on_open=lambda _: self._on_open(),
            on_message=lambda _, message: self._on_message(message),
            on_error=lambda _, error: self._on_error(error),
            on_close=lambda *_: self._on_close(),
        )
        self.wst = threading.Thread(target=self._read, name=f"bybit {url}", daemon=True)
        self.wst.start()
        with self._change:
            self._change.wait_for(lambda: self._is_open or self._why, HANDSHAKE_S)
        if not self._is_open or self._why:
            why = self._why or "no handshake in time"
            self.leave()
            raise NotConnected(why)
        if self.api_key:
            self._auth()

    def _read(self) -> None:
        self.ws.run_forever(http_no_proxy=["*"])
        self._end("the connection ended")

    def _on_open(self) -> None:
        with self._change:
            self._is_open = True
            self._change.notify_all()

    def _on_message(self, message: str | bytes) -> None:
        """Replaces pybit's: hand on topic frames, keep answers, note the sign of life."""
        self.heard_frame = time.monotonic()
        try:
            frame = json.loads(message)
        except (ValueError, RecursionError):
            frame = None
        if not isinstance(frame, dict):
            # It may have been a fill. A new connection comes with a catch-up, so nothing is lost.
            self._end("a frame was not a JSON object")
        elif "topic" in frame:
            self.heard_topic = self.heard[str(frame["topic"])] = self.heard_frame
            self._hear(frame)
        elif frame.get("op") in ("auth", "subscribe"):
            name = "auth" if frame["op"] == "auth" else str(frame.get("req_id") or "")
            with self._change:
                self._answers[name] = frame
                self._change.notify_all()

    def _on_error(self, error: Exception) -> None:
        """Replaces pybit's: note why. The library ends the connection by itself."""
        said = str(error) if isinstance(error, OSError | websocket.WebSocketException) else ""
        self._end(f"{type(error).__name__}: {said}"[:200].rstrip(": "))

    def _on_close(self) -> None:
        self._end("closed by the exchange")

    # ---------------------------------------------------------------------------------------------

    def _end(self, why: str) -> None:
        with self._change:
            self._why = self._why or why
            self._change.notify_all()

    def _answer(self, name: str, timeout: float) -> Mapping[str, Any]:
        with self._change:
            self._change.wait_for(lambda: name in self._answers or self._why, timeout)
            if name in self._answers:
                return self._answers[name]
        raise NotConnected(self._why or f"no answer in {timeout:g} s to a login or subscription")

    def _send(self, message: Mapping[str, Any]) -> None:
        try:
            self.ws.send(json.dumps(message))
        except (OSError, websocket.WebSocketException) as error:
            self._end(f"{type(error).__name__} while sending")
            raise NotConnected(self._why) from error


def _words(answer: Mapping[str, Any]) -> str:
    """What the exchange said to a refusal, without its echo of the request and our signature."""
    return str(answer.get("ret_msg") or answer.get("retMsg") or "no reason given")[:200]
