"""The entry point of daphne: pages over HTTP, live updates over WebSocket."""

import os

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gridtrader.settings")
http = get_asgi_application()  # sets Django up; what uses models is imported below

from bots.urls import websocket_urlpatterns  # noqa: E402
from gridtrader.assets import Assets  # noqa: E402
from gridtrader.garbage import settle  # noqa: E402
from gridtrader.sockets import SameOrigin  # noqa: E402
from integrations.bodies import Bounded  # noqa: E402
from integrations.tradingview.door import Door  # noqa: E402


def _webhook_secrets() -> list[str]:
    return [secret.reveal() for secret in settings.TRADINGVIEW_WEBHOOK_SECRETS]


application = ProtocolTypeRouter(
    {
        "http": Assets(Door(Bounded(http, settings.DATA_UPLOAD_MAX_MEMORY_SIZE), _webhook_secrets)),
        "websocket": SameOrigin(AuthMiddlewareStack(URLRouter(websocket_urlpatterns))),
    }
)

_ = get_resolver().url_patterns  # every page is imported now, not at its first request
settle()
