"""The pages of the bots, and their forms for a browser without JavaScript."""

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_safe

from bots import switches
from bots.control import NotPossible
from bots.models import Bot
from bots.pages.shell import demand, for_readers, frame
from bots.reports import account, guards, standing
from bots.roles import STEERERS


@for_readers
@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    """Everything at a glance; the live connection keeps it true afterwards."""
    hours = _window(request)
    context = frame(request) | {
        "targets": standing.of_account(),
        "watched": guards.worst(),
        "heat": account.fills_by_hour(),
        "windows": account.windows(hours),
        "hours": hours,
        "course": account.course(hours),
        # A browser writes the rows of a ladder when it is opened; the server does without it.
        "whole": "ladders" in request.GET,
    }
    return render(request, "dashboard.html", context)


@for_readers
@require_safe
def equity(request: HttpRequest) -> JsonResponse:
    """The account's equity and drawdown, as Plotly reads it."""
    return JsonResponse(account.equity(_window(request)))


def _window(request: HttpRequest) -> int:
    """The stretch of time that the address asks for. Raises Http404."""
    text = request.GET.get("hours", str(account.USUAL_WINDOW))
    if text not in {str(hours) for hours in account.WINDOWS}:
        raise Http404(f"hours: accepted are {', '.join(map(str, account.WINDOWS))}")
    return int(text)


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
