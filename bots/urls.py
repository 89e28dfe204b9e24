"""Addresses of the bots: pages, forms, the API, and the live page's WebSocket."""

from django.urls import include, path

from bots import views
from bots.consumers import LiveConsumer
from bots.outside.views import metrics, webhook

urlpatterns = [
    path("", views.dashboard, name="dashboard"),
    path("figures/equity/", views.equity, name="equity"),
    path("bots/<slug:slug>/pause/", views.pause, name="pause"),
    path("bots/<slug:slug>/resume/", views.resume, name="resume"),
    path("webhook/", webhook, name="webhook"),
    path("metrics", metrics, name="metrics"),
    path("", include("bots.pages.urls")),
    path("api/", include("bots.api.urls")),
]
websocket_urlpatterns = [path("ws/live/", LiveConsumer.as_asgi())]
