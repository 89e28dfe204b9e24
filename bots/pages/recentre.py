"""The page that moves a bot's range around the price: what it would do, then a typed word."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from bots import control, edits
from bots.grid.levels import InvalidGrid
from bots.models import Bot
from bots.pages.shell import bot_named, for_steerers, frame
from bots.preview import Preview
from bots.switches import look
from integrations.bybit.account import gateway_from_settings
from market.exchange import ExchangeError
from market.types import plain


@for_steerers
@require_http_methods(["GET", "POST"])
def recentre(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the range, the orders and the loss; have it done when the coin's name was typed."""
    bot = bot_named(slug)
    context = frame(request)
    card = context["state"]["bots"][slug]
    word = card["base"] or bot.symbol
    context |= {"bot": bot, "card": card, "word": word, "trouble": "", "told": None}
    exchange = gateway_from_settings()
    try:
        changes = dict(edits.centred(exchange, bot))
        found, told = edits.look_at(exchange, bot, changes)
        context |= {
            "told": told,
            "lower": plain(changes["lower"]),
            "upper": plain(changes["upper"]),
        }
        if request.method == "POST":
            if request.POST.get("word", "").strip() == word:
                return _carry_out(request, bot, changes, found)
            context["trouble"] = f"Nothing was done: type {word} to confirm."
    except (InvalidGrid, control.NotPossible, ExchangeError) as error:
        context["trouble"] = f"Nothing was done: {error}."
    status = 400 if context["trouble"] and request.method == "POST" else 200
    return render(request, "recentre.html", context, status=status)


def _carry_out(
    request: HttpRequest, bot: Bot, changes: dict[str, Any], found: Preview
) -> HttpResponse:
    for objection in found.objections:
        raise objection
    control.edit(bot, changes, by=request.user.get_username(), unless=found.beyond)
    look(bot)
    messages.success(request, f"{bot.name} moves around the price with its next ticks.")
    return redirect("bot", bot.slug)
