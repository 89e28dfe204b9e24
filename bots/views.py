"""The pages of the bots, and their forms for a browser without JavaScript."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from bots import control, live, reports
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
        "empty_fill": {},
        "may_steer": not STEERERS.isdisjoint(roles_of(request.user)),
    }
    return render(request, "dashboard.html", context)


@login_required
@require_POST
def pause(request: HttpRequest, slug: str) -> HttpResponse:
    """Pause a bot by a plain form."""
    _demand(request, STEERERS)
    bot = get_object_or_404(Bot, slug=slug)
    try:
        control.pause(bot, by=request.user.get_username())
    except control.NotPossible as error:
        messages.error(request, str(error))
    else:
        _tell(request, bot, "is paused: it buys no more, its sells stay")
    return redirect("dashboard")


@login_required
@require_POST
def resume(request: HttpRequest, slug: str) -> HttpResponse:
    """Let a paused bot buy again, by a plain form."""
    _demand(request, STEERERS)
    bot = get_object_or_404(Bot, slug=slug)
    try:
        control.resume(bot)
    except control.NotPossible as error:
        messages.error(request, str(error))
    else:
        _tell(request, bot, "runs again")
    return redirect("dashboard")


def _demand(request: HttpRequest, roles: frozenset[Role]) -> None:
    """Raise PermissionDenied unless the visitor has one of these roles."""
    if roles.isdisjoint(roles_of(request.user)):
        raise PermissionDenied


def _tell(request: HttpRequest, bot: Bot, words: str) -> None:
    messages.success(request, f"{bot.name} {words}.")
    live.hint(bot.slug, "state")
