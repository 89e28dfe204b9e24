"""Turns forged alerts away before they cost anything: no thread, no database, no Django.

An ASGI layer around the site. Whatever it lets through is checked again by the view, which alone
decides; what it refuses, the view would refuse in the same words.
"""

import json
import logging
import time
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any

from integrations.tradingview import message

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

PATH = "/api/tv-alert"
WRONG_SECRET = "the alert's secret is missing or wrong"  # noqa: S105 - words about one
_NOTED_EVERY_S = 10.0
_REFUSED = (403, "forbidden", WRONG_SECRET)
_TOO_LARGE = (
    413,
    "too_large",
    f"the body is too long; accepted: at most {message.MAX_BYTES} bytes",
)

log = logging.getLogger(__name__)


class Door:
    """The layer: `secrets` are asked for at each alert, so a test may change them."""

    def __init__(self, app: App, secrets: Callable[[], Collection[str]]) -> None:
        self._app = app
        self._secrets = secrets
        self._noted = float("-inf")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope.get("path") != PATH or scope.get("method") != "POST":
            await self._app(scope, receive, send)
            return
        raw = await _body(receive)
        if raw is None:
            return
        refusal = self._refusal(raw)
        if refusal is None:
            await self._app(scope, _again(raw, receive), send)
        else:
            await _answer(send, *refusal)

    def _refusal(self, raw: bytes) -> tuple[int, str, str] | None:
        """Status, code and words for a body without the right secret; None for all others."""
        if len(raw) > message.MAX_BYTES:
            return _TOO_LARGE
        secrets = self._secrets()
        if not secrets:
            return None
        try:
            known = message.knows(message.parse(raw), secrets)
        except message.Malformed as error:
            return 400, "malformed", str(error)
        if known:
            return None
        if time.monotonic() - self._noted > _NOTED_EVERY_S:  # a flood is one line, not a log full
            self._noted = time.monotonic()
            log.warning("an alert was refused: its secret is missing or wrong")
        return _REFUSED


async def _body(receive: Receive) -> bytes | None:
    """The body, read no further than it may be long; None when the sender hung up."""
    raw = bytearray()
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            return None
        raw += event.get("body", b"")
        if not event.get("more_body") or len(raw) > message.MAX_BYTES:
            return bytes(raw)


def _again(raw: bytes, receive: Receive) -> Receive:
    """The same body for whoever reads next, then whatever comes."""
    given = False

    async def once() -> Event:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": raw, "more_body": False}

    return once


async def _answer(send: Send, status: int, code: str, words: str) -> None:
    content = json.dumps({"error": {"code": code, "message": words}}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content)).encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
