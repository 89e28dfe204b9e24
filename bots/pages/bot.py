"""A bot's own page, the figures on it, and the form that stops it."""

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from bots import control
from bots.models import Bot
from bots.pages.shell import bot_named, for_readers, for_steerers, frame
from bots.reports import account, cards, charts, guards, history, profit, rungs, standing
from bots.reports.plots import Figure
from bots.safety.guarding import gates_of, is_gate_open
from bots.switches import look

LATEST_FILLS = 12
STOPPABLE = (Bot.State.DEPLOYING, Bot.State.RUNNING, Bot.State.PAUSED, Bot.State.STOPPING)
WAYS = (
    (Bot.Exit.KEEP, "Keep the coins", "cancels its orders; what it holds stays on the account"),
    (Bot.Exit.SELL, "Sell the coins", "cancels its orders and sells what it holds at the market"),
    (Bot.Exit.LADDER, "Sell by the ladder", "buys no more; its sells rest until they are done"),
)


@for_readers
@require_safe
def page(request: HttpRequest, slug: str) -> HttpResponse:
    """Everything about one bot."""
    bot = bot_named(slug)
    context = frame(request)
    card = context["state"]["bots"][slug]
    every = rungs.levels(bot, card)
    levels = _shown(request, every)
    context |= {
        "bot": bot,
        "card": card,
        "levels": levels,
        "folded": len(every) - len(levels),
        "is_whole": _wants_all(request) and len(every) > rungs.MOST_LEVELS,
        "trips": rungs.round_trips(bot),
        "guards": guards.of_bot(bot),
        "has_gate": bool(gates_of(bot)),
        "is_gate_open": is_gate_open(bot),
        "versions": rungs.versions(bot),
        "standing": standing.of_bot(bot),
        "heat": account.fills_by_hour(bot),
        "latest": _latest_fills(bot, card),
        "course": profit.course(bot)[-1:],
        "windows": _windows(request),
        "shapes": [
            (shape, shape.capitalize(), shape == _shape(request)) for shape in charts.SHAPES
        ],
        "may_stop": bot.state in STOPPABLE,
    }
    return render(request, "bot.html", context)


def _latest_fills(bot: Bot, card: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**fill, "tick": card["tick"]} for fill in history.latest_fills(LATEST_FILLS, bot)]


def _windows(request: HttpRequest) -> list[tuple[int, str, bool]]:
    chosen = _hours(request)
    names = {6: "6 h", 24: "24 h", 168: "7 d"}
    return [(hours, names[hours], hours == chosen) for hours in charts.WINDOWS]


def _hours(request: HttpRequest) -> int:
    """The stretch of time that the address asks for. Raises Http404."""
    text = request.GET.get("hours", str(charts.USUAL_WINDOW))
    if text not in {str(hours) for hours in charts.WINDOWS}:
        raise Http404(f"hours: accepted are {', '.join(map(str, charts.WINDOWS))}")
    return int(text)


def _shape(request: HttpRequest) -> str:
    """How the price is to be drawn. Raises Http404."""
    text = request.GET.get("as", charts.SHAPES[0])
    if text not in charts.SHAPES:
        raise Http404(f"as: accepted are {', '.join(charts.SHAPES)}")
    return text


def _wants_all(request: HttpRequest) -> bool:
    """Whether many levels are not to be folded. Raises Http404."""
    text = request.GET.get("levels", "near")
    if text not in {"near", "all"}:
        raise Http404("levels: accepted are near, all")
    return text == "all"


def _shown(request: HttpRequest, rows: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    return rows if _wants_all(request) else rungs.near(rows)


@for_readers
@require_safe
def figure(request: HttpRequest, slug: str, name: str) -> JsonResponse:
    """One figure of the page, as Plotly reads it."""
    bot = bot_named(slug)
    if name == "ladder":
        return JsonResponse(_ladder(request, bot))
    if name == "earnings":
        return JsonResponse(charts.earnings(bot))
    if name == "latency":
        return JsonResponse(charts.latency(bot))
    raise Http404(f"no figure is named {name}")


def _ladder(request: HttpRequest, bot: Bot) -> Figure:
    card = cards.card(bot)
    levels = [row["price"] for row in _shown(request, rungs.places(card))]
    if not levels:
        return {"data": [], "layout": {}, "said": "", "empty": "No cells yet."}
    return charts.ladder(bot, card, levels, _hours(request), _shape(request))


@for_steerers
@require_http_methods(["GET", "POST"])
def stop(request: HttpRequest, slug: str) -> HttpResponse:
    """Show what a stop would do; do it when the coin's name was typed."""
    bot = bot_named(slug)
    context = frame(request)
    card = context["state"]["bots"][slug]
    word = card["base"] or bot.symbol
    trouble = ""
    if request.method == "POST":
        way = request.POST.get("exit", "")
        if request.POST.get("word", "").strip() != word:
            trouble = f"Nothing was done: type {word} to confirm."
        elif way not in Bot.Exit.values:
            trouble = "Nothing was done: choose what happens to the coins."
        elif not (trouble := _stop(request, bot, Bot.Exit(way))):
            return redirect("bot", slug)
    context |= {
        "bot": bot,
        "card": card,
        "word": word,
        "ways": WAYS,
        "chosen": request.POST.get("exit", Bot.Exit.KEEP),
        "leaving": rungs.leaving(bot, card),
        "trouble": trouble,
    }
    return render(request, "stop.html", context, status=400 if trouble else 200)


def _stop(request: HttpRequest, bot: Bot, way: Bot.Exit) -> str:
    """Stop it; why that was not possible, or ""."""
    try:
        control.stop(
            bot,
            exit=way,
            by=request.user.get_username(),
            reason=request.POST.get("reason", "").strip()[:200],
        )
    except control.NotPossible as error:
        return f"{error}."
    look(bot)
    told = {value: words for value, _, words in WAYS}[way]
    messages.success(request, f"{bot.name} is stopping: it {told}.")
    return ""
