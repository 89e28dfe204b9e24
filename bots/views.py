"""The pages of the bots, and their forms for a browser without JavaScript."""

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_safe

from bots import switches
from bots.control import NotPossible
from bots.models import Bot
from bots.pages.shell import demand, for_readers, frame
from bots.roles import STEERERS


@for_readers
@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    """Everything at a glance; the live connection keeps it true afterwards."""
    return render(request, "dashboard.html", frame(request))


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
        return redirect(_origin(request))
    demand(request, STEERERS)
    bot = get_object_or_404(Bot, slug=slug)
    try:
        change(bot, by=request.user.get_username())
    except NotPossible as error:
        messages.error(request, f"{error}.")
    else:
        messages.success(request, f"{bot.name} {words}.")
    return redirect(_origin(request))


def _origin(request: HttpRequest) -> str:
    """The page that the form was on, if it was one of ours."""
    wanted = request.POST.get("next", "")
    ours = url_has_allowed_host_and_scheme(wanted, allowed_hosts=None)
    return wanted if ours else "/"
