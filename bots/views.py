"""The pages of the bots, and their forms for a browser without JavaScript."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from bots import control, reports
from bots.models import Bot


def page_state(state: dict[str, Any]) -> dict[str, Any]:
    """The dashboard's state as templates address it: bots by slug, fills with their pair's tick."""
    bots = {card["slug"]: card for card in state["bots"]}
    fills = [{**fill, "tick": bots.get(fill["bot"], {}).get("tick", "")} for fill in state["fills"]]
    return {**state, "bots": bots, "fills": fills}


@login_required
@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    """Everything at a glance; the live connection keeps it true afterwards."""
    context = {"state": page_state(reports.dashboard()), "empty_fill": {}}
    return render(request, "dashboard.html", context)
