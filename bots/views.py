"""The pages of the bots, and their forms for a browser without JavaScript."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from bots import reports, switches
from bots.control import NotPossible
from bots.models import Bot
from bots.roles import READERS, STEERERS, Role, roles_of


def page_state(state: dict[str, Any]) -> dict[str, Any]:
    """The dashboard's state as templates address it: bots by slug, fills with their pair's tick."""
    bots = {card["slug"]: card for card in state["bots"]}
    fills = [{**fill, "tick": bots.get(fill["bot"], {}).get("tick", "")} for fill in state["fills"]]
    return {**state, "bots": bots, "fills": fills}


@login_required
@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    """Everything at a glance; the live connection keeps it true afterwards."""
    _demand(request, READERS)
    context = {
        "state": page_state(reports.dashboard()),
        "nothing": {},  # the row that the browser copies has no values yet
        "may_steer": not STEERERS.isdisjoint(roles_of(request.user)),
    }
    return render(request, "dashboard.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def pause(request: HttpRequest, slug: str) -> HttpResponse:
    """Pause a bot by a plain form."""
    return _switch(request, slug, switches.pause, "is paused: it buys no more, its sells stay")


@login_required
@require_http_methods(["GET", "POST"])
def resume(request: HttpRequest, slug: str) -> HttpResponse:
    """Let a paused bot buy again, by a plain form."""
    return _switch(request, slug, switches.resume, "runs again")


def _switch(
    request: HttpRequest, slug: str, change: Callable[..., Bot], words: str
) -> HttpResponse:
    """Do what the API's switch does, and say on the next page how it went.

    A login in between turns the form's POST into a GET, which only leads back.
    """
    if request.method != "POST":
        return redirect("dashboard")
    _demand(request, STEERERS)
    bot = get_object_or_404(Bot, slug=slug)
    try:
        change(bot, by=request.user.get_username())
    except NotPossible as error:
        messages.error(request, f"{error}.")
    else:
        messages.success(request, f"{bot.name} {words}.")
    return redirect("dashboard")


def _demand(request: HttpRequest, roles: frozenset[Role]) -> None:
    """Raise PermissionDenied unless the visitor has one of these roles."""
    if roles.isdisjoint(roles_of(request.user)):
        raise PermissionDenied
