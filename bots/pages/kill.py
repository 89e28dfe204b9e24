"""The kill switch as a page: what it would do, a typed confirmation, and how far it came."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from bots import live
from bots.models import Order
from bots.pages.shell import demand, frame
from bots.roles import KILLERS, READERS
from bots.safety import killing
from integrations.bybit.account import gateway_from_settings
from risk.models import Halt

WORD = "KILL ALL"
ANSWER_WITHIN_S = 10.0


@login_required
@require_http_methods(["GET", "POST"])
def kill(request: HttpRequest) -> HttpResponse:
    """Stop everything once its words were typed; coins are kept unless selling was chosen."""
    demand(request, READERS)  # it shows what is held; who may only kill has the API
    demand(request, KILLERS)
    trouble = ""
    if request.method == "POST":
        if request.POST.get("word", "").strip() == WORD:
            _tell(request, _kill(request))
            return redirect("dashboard")
        trouble = f"Nothing was done: type {WORD} to confirm."
    context = frame(request) | {
        "word": WORD,
        "trouble": trouble,
        "orders": Order.objects.filter(settled=False).count(),
    }
    return render(request, "kill.html", context, status=400 if trouble else 200)


def _kill(request: HttpRequest) -> Halt:
    halt = killing.kill(
        gateway_from_settings(alone=True),
        reason=request.POST.get("reason", "").strip()[:200] or "by the page",
        by=request.user.get_username(),
        sell=request.POST.get("sell") == "yes",
        enough=killing.seen_empty_within(ANSWER_WITHIN_S),
    )
    live.hint(None, "state")
    return halt


def _tell(request: HttpRequest, halt: Halt) -> None:
    if halt.first_empty_at is not None:
        messages.success(request, "Everything is stopped: the exchange shows no order of ours.")
    else:
        messages.error(
            request,
            "The kill holds, and orders are still being cancelled: "
            f"{halt.trouble or 'the exchange has not shown them gone yet'}.",
        )
