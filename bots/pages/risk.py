"""Risk as a page: what stands in the way now, every guard with its limit, and lifting a halt."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from bots import live
from bots.pages.shell import demand, for_readers, frame
from bots.reports import bounds, guards
from bots.roles import Role, roles_of
from bots.safety import rearming
from integrations.bybit.account import gateway_from_settings
from market.exchange import ExchangeError
from risk import halts
from risk.models import Halt

LIFTERS = frozenset({Role.ADMIN})


@for_readers
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Halts, guards, stop-losses, what guards did, and the limits."""
    kinds, open_halts = guards.kinds(), guards.open_halts()
    context: dict[str, Any] = frame(request) | {
        "verdict": guards.verdict(kinds, open_halts),
        "kinds": kinds,
        "halts": open_halts,
        "lifted": guards.lifted_halts(),
        "stop_losses": bounds.stop_losses(),
        "stakes": bounds.stakes(),
        "events": guards.events(),
        "limits": bounds.limits(),
        "alive": guards.alive(),
        "may_lift": Role.ADMIN in roles_of(request.user),
    }
    return render(request, "risk.html", context)


@for_readers
@require_POST
def lift(request: HttpRequest, number: int) -> HttpResponse:
    """Let trading go on after a halt; a kill only once both sides' books agree."""
    demand(request, LIFTERS)
    halt = get_object_or_404(Halt, pk=number)
    by, reason = request.user.get_username(), request.POST.get("reason", "").strip()
    try:
        if halt.kind == Halt.Kind.KILL and halt.lifted_at is None and reason:
            rearming.rearm(gateway_from_settings(alone=True), by=by, reason=reason)
        else:
            halts.lift(halt, by=by, reason=reason)
    except halts.NotPossible as error:
        messages.error(request, f"Nothing is lifted: {error}.")
    except ExchangeError as error:
        messages.error(request, f"Nothing is lifted: the exchange does not answer ({error}).")
    else:
        live.hint(None, "state")
        messages.success(request, "It is lifted; the bots trade again at their next look.")
    return redirect("risk")
