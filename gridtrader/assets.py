"""Serves our static files before Django is asked: a page needs a dozen of them at once.

WhiteNoise finds them and says what is asked for; here they are sent without a thread, without a
look at the session, and compressed once.
"""

import gzip
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

from django.conf import settings
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.responders import StaticFile

from gridtrader.csp import POLICY

Scope = Mapping[str, Any]
Application = Callable[[Scope, Any, Any], Awaitable[None]]

WORTH_IT = 500  # bytes; shorter texts are sent as they are
ALWAYS = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": POLICY}


class Assets:
    """ASGI middleware for what lies under STATIC_URL."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self._noise = WhiteNoiseMiddleware(lambda _: None)
        self._zipped: dict[tuple[str, str], bytes] = {}

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI's
        found = self._found(scope)
        if found is None:
            await self.application(scope, receive, send)
            return
        status, headers, body = self._answer(scope, found)
        lines = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": lines})
        await send({"type": "http.response.body", "body": body})

    def _found(self, scope: Scope) -> StaticFile | None:
        path = scope.get("path", "")
        if scope["type"] != "http" or not path.startswith(settings.STATIC_URL):
            return None
        if self._noise.autorefresh:
            return self._noise.find_file(path)
        return self._noise.files.get(path)

    def _answer(self, scope: Scope, found: StaticFile) -> tuple[int, dict[str, str], bytes]:
        asked = {
            f"HTTP_{name.decode('latin-1').upper().replace('-', '_')}": value.decode("latin-1")
            for name, value in scope["headers"]
        }
        answer = found.get_response(scope["method"], asked)
        headers = dict(answer.headers) | ALWAYS
        if answer.file is None:
            return int(answer.status), headers, b""
        with answer.file as file:
            body = file.read()
        if answer.status == HTTPStatus.OK and self._may_zip(asked, headers, body):
            body = self._compressed(scope["path"], headers.get("ETag", ""), body)
            headers |= {
                "Content-Encoding": "gzip", "Content-Length": str(len(body)),
                "Vary": "Accept-Encoding",
            }  # fmt: skip
        return int(answer.status), headers, body

    @staticmethod
    def _may_zip(asked: Mapping[str, str], headers: Mapping[str, str], body: bytes) -> bool:
        kind = headers.get("Content-Type", "")
        is_text = kind.startswith("text/") or "xml" in kind or "json" in kind
        wants = "gzip" in asked.get("HTTP_ACCEPT_ENCODING", "")
        return wants and is_text and "Content-Encoding" not in headers and len(body) > WORTH_IT

    def _compressed(self, path: str, version: str, body: bytes) -> bytes:
        if (path, version) not in self._zipped:
            self._zipped[path, version] = gzip.compress(body, 9, mtime=0)
        return self._zipped[path, version]
