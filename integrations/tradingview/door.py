"""Turns forged alerts away before they cost anything: no thread, no database, no Django.

An ASGI layer around the site. Whatever it lets through is checked again by the view, which alone
decides; what it refuses, the view would refuse in the same words.
"""

import logging
import time
from collections.abc import Callable, Collection

from integrations.bodies import App, Receive, Refusal, Scope, Send, again, read, refuse, too_long
from integrations.tradingview import message

PATH = "/api/tv-alert"
WRONG_SECRET = "the alert's secret is missing or wrong"  # noqa: S105 - words about one
OFF = "alerts are off: the server has no TRADINGVIEW_WEBHOOK_SECRET"
_NOTED_EVERY_S = 10.0

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
        raw = await read(receive, message.MAX_BYTES)
        if raw is None:
            return
        refusal = self._refusal(raw)
        if refusal is None:
            await self._app(scope, again(raw, receive), send)
        else:
            await refuse(send, *refusal)

    def _refusal(self, raw: bytes) -> Refusal | None:
        """Status, code and words for a body without the right secret; None for all others."""
        if len(raw) > message.MAX_BYTES:
            return too_long(message.MAX_BYTES)
        secrets = self._secrets()
        if not secrets:
            return 403, "forbidden", OFF
        try:
            known = message.knows(message.parse(raw), secrets)
        except message.Malformed as error:
            return 400, "malformed", str(error)
        if known:
            return None
        if time.monotonic() - self._noted > _NOTED_EVERY_S:  # a flood is one line, not a log full
            self._noted = time.monotonic()
            log.warning("an alert was refused: its secret is missing or wrong")
        return 403, "forbidden", WRONG_SECRET
