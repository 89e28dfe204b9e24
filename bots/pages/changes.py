"""Changes with a look at what they would do first: an edit, a rebalance, a pause of all bots."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from bots import balancing, control, edits, switches
from bots.control import NotPossible
from bots.grid.levels import InvalidGrid
from bots.models import Bot
from bots.pages.edit_form import EditForm
from bots.pages.grid import LABELS, grouped, told_errors, truth_of
from bots.pages.shell import bot_named, for_steerers, frame
from bots.preview import Preview
from bots.switches import look
from integrations.bybit.account import gateway_from_settings
from market.exchange import ExchangeError

RUNNING = (Bot.State.DEPLOYING, Bot.State.RUNNING)


@for_steerers
@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, slug: str) -> HttpResponse:
    """A bot's grid as a form, and beside it what the change would touch.

    `step` is "card" for the card alone, "check" for the page, "go" to carry it out as previewed.
    """
    bot = bot_named(slug)
    form = EditForm(bot, request.POST) if request.method == "POST" else EditForm(bot)
    context: dict[str, Any] = {"bot": bot, "form": form, **_looked_at(form)}
    step = request.POST.get("step", "")
    if step == "card":
        return render(request, "includes/edit_card.html", context | {"errors": told_errors(form)})
    found = context["preview"]
    if step == "go" and found and not form.errors and (done := _edit(request, form, found)):
        return done
    context |= frame(request) | {"groups": grouped(form), "errors": told_errors(form)}
    status = 400 if form.is_bound and form.errors else 200
    return render(request, "edit.html", context, status=status)


def _looked_at(form: EditForm) -> dict[str, Any]:
    """The truth about the new version and what it touches; what is wrong goes to its field."""
    if not form.is_bound or not form.is_valid():
        return {"truth": None, "touched": None, "preview": None}
    try:
        found, touched = edits.weigh(gateway_from_settings(), form.bot, form.changes())
    except InvalidGrid as error:
        form.add_error(error.field if error.field in form.fields else None, str(error))
    except NotPossible as error:
        form.add_error(None, f"{error}.")
    except ExchangeError as error:
        form.add_error(None, f"The exchange does not answer, so nothing can be told: {error}")
    else:
        for objection in found.objections:
            place = objection.field if objection.field in form.fields else None
            form.add_error(place, str(objection))
        differences = [
            {**each, "name": LABELS.get(each["name"], each["name"].replace("_", " ").capitalize())}
            for each in form.differences()
        ]
        touched = touched | {"differences": differences}
        return {"truth": truth_of(found), "touched": touched, "preview": found}
    return {"truth": None, "touched": None, "preview": None}


def _edit(request: HttpRequest, form: EditForm, found: Preview) -> HttpResponse | None:
    who = request.user.get_username()
    try:
        config = control.edit(form.bot, form.changes(), by=who, unless=found.beyond)
    except InvalidGrid as error:
        form.add_error(error.field if error.field in form.fields else None, str(error))
    except NotPossible as error:
        form.add_error(None, f"{error}.")
    else:
        look(form.bot)
        words = f"{form.bot.name} takes version {config.version} over with its next looks."
        messages.success(request, words)
        return redirect("bot", form.bot.slug)
    return None


@for_steerers
@require_http_methods(["GET", "POST"])
def rebalance(request: HttpRequest) -> HttpResponse:
    """What would be moved between the bots that share capital; do it when that was confirmed."""
    trouble, told = "", None
    exchange = gateway_from_settings()
    try:
        moves = balancing.plan(exchange)
        told = balancing.tell(exchange, moves)
        if request.method == "POST":
            moved = balancing.carry_out(moves, by=request.user.get_username())
            for bot in moved:
                look(bot)
            told_moved = ", ".join(bot.name for bot in moved) or "nothing"
            messages.success(request, f"Capital is moved: {told_moved}.")
            return redirect("dashboard")
    except NotPossible as error:
        trouble = f"{error}."
    except InvalidGrid as error:
        trouble = f"The new capital would make no grid: {error}."
    except ExchangeError as error:
        trouble = f"The exchange does not answer, so nothing was done: {error}."
    names = dict(Bot.objects.values_list("slug", "name"))
    rows = [_row(row, names) for row in told["bots"]] if told else []
    context = frame(request) | {
        "rows": rows,
        "moved": told["moved"] if told else None,
        "moves": any(row["edit"] for row in rows),
        "trouble": trouble,
    }
    status = 409 if trouble and request.method == "POST" else 200
    return render(request, "rebalance.html", context, status=status)


def _row(row: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    edit_ = row["edit"] or {"kept": [], "cancelled": [], "placed": []}
    return row | {
        "name": names[row["bot"]],
        "percent": format(float(row["expected_per_day"]) * 100, ".3f"),
        "counts": {name: len(edit_[name]) for name in ("kept", "cancelled", "placed")},
    }


@for_steerers
@require_http_methods(["GET", "POST"])
def pause_all(request: HttpRequest) -> HttpResponse:
    """Pause every bot that runs, after one question."""
    bots = list(Bot.objects.filter(state__in=RUNNING))
    if request.method == "POST":
        refused = []
        for bot in bots:
            try:
                switches.pause(bot, by=request.user.get_username(), reason="all bots")
            except NotPossible as error:
                refused.append(str(error))
        if refused:
            messages.error(request, f"{'; '.join(refused)}.")
        else:
            messages.success(request, "All bots are paused: they buy no more, their sells stay.")
        return redirect("dashboard")
    return render(request, "pause_all.html", frame(request) | {"bots": bots})
