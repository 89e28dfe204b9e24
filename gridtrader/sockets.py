"""Lets WebSockets open for pages of this site alone: the same scheme, name and port."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from channels.security.websocket import WebsocketDenier
from django.conf import settings
from django.http.request import split_domain_port, validate_host

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[Any]]


class SameOrigin:
    """An ASGI layer. A cookie alone proves nothing: pages of another port send it too."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> Any:  # noqa: ANN401 - ASGI's
        """Open the socket, or refuse the handshake."""
        headers = dict(scope.get("headers", ()))
        origin = headers.get(b"origin", b"").decode("latin-1")
        host = headers.get(b"host", b"").decode("latin-1")
        if is_ours(origin, host):
            return await self._app(scope, receive, send)
        return await WebsocketDenier()(scope, receive, send)


def is_ours(origin: str, host: str) -> bool:
    """Whether a page of that origin may open a socket at that host; as Django's CSRF check asks."""
    domain, _ = split_domain_port(host)
    if not domain or not validate_host(domain, settings.ALLOWED_HOSTS):
        return False
    scheme = "https" if settings.BEHIND_HTTPS else "http"
    return origin.lower() in {f"{scheme}://{host}".lower(), *settings.CSRF_TRUSTED_ORIGINS}
