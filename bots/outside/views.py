"""The page `/webhook/` (what to paste into TradingView, what came of alerts), and `/metrics`."""

import ipaddress
import json

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST
from rest_framework.exceptions import AuthenticationFailed

from bots.api.authentication import TokenAuthentication
from bots.api.permissions import opens
from bots.models import Bot
from bots.outside import meters
from bots.roles import READERS, STEERERS, roles_of
from integrations.models import Alert
from integrations.tradingview.message import ACTIONS, EVERY, MAX_BYTES

LATEST = 50
PINE = settings.BASE_DIR / "integrations" / "tradingview" / "pine"
_SECRET = "YOUR SECRET"  # noqa: S105 - what stands in its place; the real one is never shown


@login_required
@require_safe
def webhook(request: HttpRequest) -> HttpResponse:
    """The visitor's URL and messages, the scripts, and the latest alerts."""
    if STEERERS.isdisjoint(roles_of(request.user)):
        raise PermissionDenied
    alerts = Alert.objects.prefetch_related("effects")[:LATEST]
    symbols = Bot.objects.exclude(config=None).order_by("position").values_list("symbol", flat=True)
    context = {
        "url": request.build_absolute_uri("/api/tv-alert"),
        "on": bool(settings.TRADINGVIEW_WEBHOOK_SECRETS),
        "alert_message": _message(request, "pause"),
        "strategy_message": _message(request, "{{strategy.order.alert_message}}"),
        "actions": ACTIONS,
        "symbols": [*dict.fromkeys(symbols), EVERY],
        "bytes": MAX_BYTES,
        "scripts": [
            {"name": path.name, "text": path.read_text(encoding="utf-8")}
            for path in sorted(PINE.glob("*.pine"))
        ],
        "alerts": alerts,
    }
    return render(request, "webhook.html", context)


def _message(request: HttpRequest, action: str) -> str:
    """The alert message to paste; TradingView fills in what stands in double braces."""
    body = {
        "secret": _SECRET,
        "id": "{{ticker}}-{{interval}}-{{timenow}}-" + action,
        "time": "{{timenow}}",
        "symbol": "{{ticker}}",
        "action": action,
        "source": request.user.get_username()[:40],
    }
    return json.dumps(body, ensure_ascii=False)


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Figures for Prometheus: for programs of this machine, and for tokens that may read."""
    if not (_is_of_this_machine(request) or _token_reads(request)):
        words = (
            "accepted: a request from this machine's loopback address without a proxy, or the"
            " header `Authorization: Token KEY` of an account that may read\n"
        )
        return HttpResponse(words, status=403, content_type="text/plain; charset=utf-8")
    return HttpResponse(meters.scrape(), content_type=CONTENT_TYPE_LATEST)


def _is_of_this_machine(request: HttpRequest) -> bool:
    """Whether the other end is a program here; behind a proxy everybody would seem to be."""
    forwarded = {"X-Forwarded-For", "X-Forwarded-Proto", "Forwarded", "Via", "X-Real-Ip"}
    if settings.BEHIND_HTTPS or forwarded & set(request.headers):
        return False
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


def _token_reads(request: HttpRequest) -> bool:
    try:
        found = TokenAuthentication().authenticate(request)  # type: ignore[arg-type]
    except AuthenticationFailed:
        return False
    if found is None:
        return False
    request.user, request.auth = found  # type: ignore[attr-defined]
    return opens(request, READERS)  # type: ignore[arg-type]
