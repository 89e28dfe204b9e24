"""Unmodified pybit pointed at a simulator: HTTP, and WebSockets whose frames can be awaited."""

import threading
from collections.abc import Callable
from copy import deepcopy
from typing import Any
from urllib.parse import urlsplit

import pytest
from pybit.exceptions import InvalidRequestError
from pybit.unified_trading import HTTP, WebSocket

PATIENCE = 10  # s
Frame = dict[str, Any]


def http(running: Any, **settings: Any) -> HTTP:
    """pybit's REST client, its own retries off."""
    keys = {"api_key": running.key, "api_secret": running.secret}
    client = HTTP(**{"retry_codes": {-1}, "max_retries": 1, **keys, **settings})
    client.endpoint = running.rest_url
    return client


def refused(call: Callable[..., Any], **arguments: Any) -> int:
    """The retCode with which a call is refused."""
    with pytest.raises(InvalidRequestError) as caught:
        call(**arguments)
    return caught.value.status_code


def limit(**changes: Any) -> dict[str, Any]:
    """A post-only buy of 0.01 BTC at 96000, with changes."""
    order = {"category": "spot", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit"}
    order |= {"qty": "0.01", "price": "96000", "timeInForce": "PostOnly"}
    return order | changes


class LocalWebSocket(WebSocket):
    """pybit's WebSocket, on another host."""

    def __init__(self, origin: str, channel: str, **settings: Any) -> None:
        self._origin = origin
        super().__init__(channel_type=channel, testnet=False, **settings)

    def _connect(self, url: str) -> None:
        path = urlsplit(url.format(SUBDOMAIN="s", DOMAIN="d", TLD="t", CHANNEL_TYPE="spot")).path
        super()._connect(self._origin + path)


class Streams:
    """A public and a private connection; every frame is kept and can be waited for."""

    def __init__(self, running: Any, **settings: Any) -> None:
        self._running = running
        self.frames: list[Frame] = []
        self._changed = threading.Condition()
        keys = {"api_key": running.key, "api_secret": running.secret, "private_auth_expire": 10}
        self.public = LocalWebSocket(running.ws_url, "spot", **settings)
        self.private = LocalWebSocket(running.ws_url, "private", **keys, **settings)

    def hear(self, frame: Frame) -> None:
        with self._changed:
            self.frames.append(deepcopy(frame))  # pybit goes on changing the book it hands out
            self._changed.notify_all()

    def wait(self, matches: Callable[[Frame], bool]) -> Frame:
        """The first frame, past or coming, that matches."""

        def found() -> Frame | None:
            return next((frame for frame in self.frames if matches(frame)), None)

        with self._changed:
            frame = self._changed.wait_for(found, PATIENCE)
        assert frame, f"not heard among {[frame['topic'] for frame in self.frames]}"
        return frame

    def row(self, topic: str, **values: Any) -> Frame:
        """The first row of a topic's frames that has these values."""
        rows: list[Frame] = []

        def matches(frame: Frame) -> bool:
            rows[:] = [
                row
                for row in frame["data"]
                if frame["topic"] == topic and values.items() <= row.items()
            ]
            return bool(rows)

        self.wait(matches)
        return rows[0]

    def account(self) -> None:
        """Listen to the private topics, and return when the server has acked them."""
        for subscribe in ("order_stream", "execution_stream", "wallet_stream"):
            getattr(self.private, subscribe)(self.hear)
        self._running.wait_for_topics("order", "execution", "wallet")

    def close(self) -> None:
        for socket in (self.public, self.private):
            socket.exit()
