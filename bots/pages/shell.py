"""What every page has in common: who may see it, and the state that its frame shows."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404

from bots.models import Bot
from bots.reports import cards
from bots.roles import ADMINS, KILLERS, READERS, STEERERS, Role, roles_of

View = Callable[..., HttpResponseBase]


def demand(request: HttpRequest, roles: frozenset[Role]) -> None:
    """Raise PermissionDenied unless the visitor has one of these roles."""
    if roles.isdisjoint(roles_of(request.user)):
        raise PermissionDenied


def _for(roles: frozenset[Role]) -> Callable[[View], View]:
    """A page for those who have one of these roles; others log in first, or are refused."""

    def guard(view: View) -> View:
        @login_required
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:  # noqa: ANN401
            demand(request, roles)
            return view(request, *args, **kwargs)

        return guarded

    return guard


for_readers = _for(READERS)  # everybody who may look
for_steerers = _for(STEERERS)  # those who may change what bots do
for_admins = _for(ADMINS)  # those who may loosen what keeps bots safe


def page_state(state: dict[str, Any]) -> dict[str, Any]:
    """The dashboard's state as templates address it: bots by slug, fills with their pair's tick."""
    bots = {card["slug"]: card for card in state["bots"]}
    fills = [{**fill, "tick": bots.get(fill["bot"], {}).get("tick", "")} for fill in state["fills"]]
    return {**state, "bots": bots, "fills": fills}


def frame(request: HttpRequest) -> dict[str, Any]:
    """The context of every page: the state behind its live values, and what the visitor may do."""
    mine = roles_of(request.user)
    return {
        "state": page_state(cards.dashboard()),
        "nothing": {},  # a row that the browser copies has no values yet
        "may_steer": not STEERERS.isdisjoint(mine),
        "may_loosen": not ADMINS.isdisjoint(mine),
        "may_kill": not KILLERS.isdisjoint(mine),
    }


def bot_named(slug: str) -> Bot:
    """A deployed bot. Raises Http404."""
    return get_object_or_404(Bot.objects.exclude(config=None).select_related("config"), slug=slug)
