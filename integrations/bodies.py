"""Request bodies before anything reads them: whole, and no longer than they may be. ASGI layers.

Django's own limit holds where Django reads a body itself; the API's parser reads the stream.
"""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Refusal = tuple[int, str, str]
"""Status, code and words of an answer in the API's shape."""


def too_long(most: int) -> Refusal:
    """What is answered to a body of more than `most` bytes."""
    return 413, "too_large", f"the body is too long; accepted: at most {most} bytes"


class Bounded:
    """A layer around the site: bodies of at most `most` bytes pass, for others there is a 413."""

    def __init__(self, app: App, most: int) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if _told_length(scope) > self._most:
            await refuse(send, *too_long(self._most))
            return
        body = await read(receive, self._most)
        if body is None:
            return
        if len(body) > self._most:
            await refuse(send, *too_long(self._most))
        else:
            await self._app(scope, again(body, receive), send)


def _told_length(scope: Scope) -> int:
    told = dict(scope.get("headers", ())).get(b"content-length", b"0")
    return int(told) if told.isdigit() and len(told) < 19 else 0  # noqa: PLR2004 - digits of a bigint


async def read(receive: Receive, most: int) -> bytes | None:
    """The body, read no further than it may be long; None when the sender hung up."""
    raw = bytearray()
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            return None
        raw += event.get("body", b"")
        if not event.get("more_body") or len(raw) > most:
            return bytes(raw)


def again(raw: bytes, receive: Receive) -> Receive:
    """The same body for whoever reads next, then whatever comes."""
    given = False

    async def once() -> Event:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": raw, "more_body": False}

    return once


async def refuse(send: Send, status: int, code: str, words: str) -> None:
    """Answer with an error, in the shape of the API."""
    content = json.dumps({"error": {"code": code, "message": words}}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content)).encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
