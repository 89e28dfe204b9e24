"""A new grid: its fields, the truth about it as they change, a review, and the start."""

from decimal import Decimal
from itertools import count
from typing import Any

from django.contrib import messages
from django.forms import BooleanField
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from bots import control, preview
from bots.control import Deployment, NotPossible
from bots.forms import DeployForm
from bots.grid.levels import InvalidGrid
from bots.models import Backtest, Bot
from bots.pages.shell import for_steerers, frame
from bots.preview import Preview
from bots.seeds import BOTS
from bots.switches import look
from integrations.bybit.account import gateway_from_settings
from market.exchange import ExchangeError, Refused
from market.types import plain

FIELDS = (
    ("The pair", ("symbol", "name", "slug")),
    ("The range", ("lower", "upper", "grids", "spacing")),
    ("The money", ("capital", "sizing", "reserve")),
    ("The limits", ("stop_loss", "take_profit", "trailing_stop", "on_exit", "trigger_price")),
    ("Following a rising price", ("trailing_up", "trailing_cap", "trailing_hourly")),
    ("Only while another pair is stable", ("btc_filter", "reference")),
)
LABELS = {
    "symbol": "Pair",
    "name": "Name",
    "slug": "Address",
    "lower": "Lower price",
    "upper": "Upper price",
    "grids": "Grids",
    "spacing": "Spacing",
    "capital": "Capital",
    "sizing": "Size of orders",
    "reserve": "Reserve",
    "stop_loss": "Stop-loss",
    "take_profit": "Take-profit",
    "trailing_stop": "Trailing stop",
    "on_exit": "When one of these ends it",
    "trailing_up": "Trail up",
    "trailing_cap": "Highest level",
    "trailing_hourly": "Steps an hour",
    "reference": "Another pair",
    "trigger_price": "Start at",
    "btc_filter": "Buy only while BTC is stable",
}


@for_steerers
@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """The form and its truth card; `step` says how far the visitor is.

    "card" answers with the truth card alone, "review" shows every order, "deploy" starts the bot
    when its coin's name was typed. Without JavaScript "check" shows the form again with its card.
    """
    step = request.POST.get("step", "")
    form = _form(request)
    found = _worked_out(form)
    context: dict[str, Any] = {"form": form, "truth": truth_of(found), "preview": found}
    if step == "card":
        return render(request, "includes/truth.html", context | {"errors": told_errors(form)})
    context |= frame(request)
    if found is not None and not form.errors and step in {"review", "deploy"}:
        return _review(request, context, form, found, starts=step == "deploy")
    context |= {"groups": grouped(form), "presets": BOTS, "errors": told_errors(form)}
    return render(
        request, "new.html", context, status=400 if form.is_bound and form.errors else 200
    )


def grouped(form: DeployForm) -> list[tuple[str, list[dict[str, Any]]]]:
    """The form's fields under their titles; what has no place in FIELDS comes last."""
    known = {name for _, names in FIELDS for name in names}
    others = tuple(name for name in form.fields if name not in known)
    return [
        (title, [_shown(form, name) for name in names if name in form.fields])
        for title, names in (*FIELDS, *([("And", others)] if others else []))
    ]


def _review(
    request: HttpRequest,
    context: dict[str, Any],
    form: DeployForm,
    found: Preview,
    *,
    starts: bool,
) -> HttpResponse:
    """Every order of the grid once more; start it when the coin's name was typed."""
    word = found.instrument.base
    trouble = ""
    if starts:
        if request.POST.get("word", "").strip() != word:
            trouble = f"Nothing was started: type {word} to confirm."
        else:
            try:
                who = request.user.get_username()
                bot = control.deploy(form.deployment(), by=who, unless=found.beyond)
            except (InvalidGrid, NotPossible) as error:
                trouble = f"Nothing was started: {error}."
            else:
                look(bot)
                messages.success(request, f"{bot.name} starts: its orders are placed now.")
                return redirect("bot", bot.slug)
    given = [(name, value) for name, value in _given(form).items() if value != ""]
    context |= {"given": given, "word": word, "trouble": trouble, "labels": LABELS}
    return render(request, "review.html", context, status=400 if trouble else 200)


def _form(request: HttpRequest) -> DeployForm:
    """What was sent; else one of the presets, or an empty form."""
    if request.method == "POST":
        return DeployForm(request.POST)
    for wish in BOTS:
        if wish.slug == request.GET.get("preset"):
            return DeployForm(initial=_preset(wish))
    run = request.GET.get("backtest", "")
    if run.isdecimal() and (tried := Backtest.objects.filter(pk=run).first()):
        return DeployForm(initial=_tried(tried))
    return DeployForm()


def _tried(run: Backtest) -> dict[str, Any]:
    """The fields of a grid that was backtested."""
    base = run.symbol.removesuffix("USDT")
    return {
        **_named(f"{base.lower()}-usdt", f"{base}/USDT"),
        "symbol": run.symbol,
        "lower": plain(run.lower),
        "upper": plain(run.upper),
        "grids": run.grids,
        "spacing": run.spacing,
        "capital": plain(run.capital),
        "sizing": run.sizing,
        "reserve": plain(run.reserve),
        "trailing_up": run.trailing_up,
        "trailing_cap": "" if run.trailing_cap is None else plain(run.trailing_cap),
        "trailing_hourly": run.trailing_hourly,
    }


def _preset(wish: Deployment) -> dict[str, Any]:
    spec = wish.spec
    return {
        **_named(wish.slug, wish.name),
        "symbol": wish.symbol,
        "lower": plain(spec.lower),
        "upper": plain(spec.upper),
        "grids": spec.grids,
        "spacing": spec.spacing.value,
        "capital": plain(spec.capital),
        "sizing": spec.sizing.value,
        "reserve": plain(spec.reserve),
        "stop_loss": "" if wish.stop_loss is None else plain(wish.stop_loss),
        "btc_filter": wish.btc_filter,
    }


def _named(slug: str, name: str) -> dict[str, str]:
    """What the bot is called; numbered, from 2 on, where one of that address exists already."""
    taken = set(Bot.objects.filter(slug__startswith=slug).values_list("slug", flat=True))
    if slug not in taken:
        return {"slug": slug, "name": name}
    number = next(each for each in count(2) if f"{slug}-{each}" not in taken)
    return {"slug": f"{slug}-{number}", "name": f"{name} {number}"}


def _worked_out(form: DeployForm) -> Preview | None:
    if not form.is_bound or not form.is_valid():
        return None
    return weighed(form)


def weighed(form: DeployForm) -> Preview | None:
    """The grid on this moment's market; what is wrong with it is added to the form's fields."""
    wish = form.deployment()
    try:
        found = preview.of_deployment(gateway_from_settings(), wish)
    except InvalidGrid as error:
        form.add_error(error.field if error.field in form.fields else None, str(error))
    except Refused as error:
        form.add_error("symbol", f"the exchange does not know it: {error.reason}")
    except ExchangeError as error:
        form.add_error(None, f"The exchange does not answer, so nothing can be told: {error}")
    else:
        for objection in found.objections:
            form.add_error(objection.field, str(objection))
        return found
    return None


def truth_of(found: Preview | None) -> dict[str, Any] | None:
    """The API's truth card, with shares as percent."""
    if found is None:
        return None
    card = preview.report(found)
    net = card["net_profit_per_cell"]
    return card | {
        "net_percent": [_percent(net["min"]), _percent(net["max"])],
        "fee_percent": _percent(card["fee_share"]),
        "cells": [{**cell, "percent": _percent(cell["net_rate"])} for cell in card["cells"]][::-1],
        "warnings": found.truth.warnings,
        "kept_percent": plain(100 - Decimal(_percent(card["fee_share"]))),
        "better": _better(card["cheaper"]),
        "history": _past(card["history"]),
        "lowest": card["capital_at_price"][0],
        "tick": plain(found.instrument.tick),
        "base": found.instrument.base,
        "quote": found.instrument.quote,
        "per_day": list(card["daily_profit"].items()),
        "needed": [
            (name.replace("apr 0.8", "80 % a year").replace("apr 1.2", "120 % a year")
             .replace("month 0.03", "3 % a month").replace("month 0.05", "5 % a month"), fills)
            for name, fills in card["fills_needed"].items()
        ],
    }  # fmt: skip


def _better(cheaper: dict[str, Any] | None) -> dict[str, Any] | None:
    if cheaper is None:
        return None
    net = cheaper["net_profit_per_cell"]
    return cheaper | {
        "keeps_percent": _percent(cheaper["keeps"]),
        "net_percent": [_percent(net["min"]), _percent(net["max"])],
    }


def _past(history: dict[str, Any]) -> dict[str, Any]:
    if history["source"] is None:
        return history
    return history | {
        "outside_percent": _percent(history["out_of_range_share"]),
        "drawdown_percent": _percent(history["max_drawdown"]),
    }


def _percent(share: str) -> str:
    return plain(Decimal(share) * 100)


def told_errors(form: DeployForm) -> list[tuple[str, str]]:
    """Fields and what is wrong with them; "" for the form as a whole. Fields left empty wait."""
    if not form.is_bound:
        return []
    return [
        ("" if name == "__all__" else name, str(text))
        for name, texts in form.errors.items()
        for text in texts
    ]


def _shown(form: DeployForm, name: str) -> dict[str, Any]:
    field = form[name]
    return {
        "name": name,
        "label": LABELS.get(name, field.label),
        "field": field,
        "help": field.help_text,
        "errors": field.errors,
        "is_switch": isinstance(field.field, BooleanField),
    }


def _given(form: DeployForm) -> dict[str, str]:
    """The fields as they were sent."""
    return {name: form.data.get(name, "") for name in form.fields}
