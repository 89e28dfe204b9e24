"""What the house says about itself: its health, its words, and how a visitor likes to see it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from bots.models import Bot
from bots.pages.shell import for_readers, frame
from bots.reports import charts, health
from bots.reports.history import iso
from risk.models import LatencySample

THEMES = (("", "As the system"), ("light", "Light"), ("dark", "Dark"))
MONEY = (("", "Green and red"), ("cvd", "Blue and orange, for colour-blind eyes"))
ZONES = (("", "UTC, as the exchange"), ("browser", "This browser's zone"))
SHORTCUTS = (("", "On"), ("off", "Off"))
CHOICES = {
    "theme": ("Theme", THEMES),
    "money": ("Colours of profit and loss", MONEY),
    "zone": ("Times", ZONES),
    "keys": ("Keyboard shortcuts", SHORTCUTS),
}
_A_YEAR_S = 365 * 86_400
_NAMES = {
    "database": ("Database", "keeps every order, fill and decision"),
    "redis": ("Redis", "carries tasks and live updates"),
    "worker": ("Worker", "looks at every bot"),
    "stream": ("Prices", "the exchange's stream"),
    "candles": ("Candles", "bars of every pair"),
    "beat": ("Beat", "sends what is due"),
    "watchdog": ("Watchdog", "judges the guards, carries kills on"),
    "exchange": ("Exchange", "where orders rest"),
}


@for_readers
@require_safe
def health_page(request: HttpRequest) -> HttpResponse:
    """Every part, whether it works, and how fresh it is."""
    found = health.report()
    parts = [_part(name, facts) for name, facts in found["parts"].items()]
    context = frame(request) | {
        "status": found["status"],
        "parts": parts,
        "pairs": {symbol: _bars(facts) for symbol, facts in _pairs(found)},
        "latencies": [_latency(bot) for bot in Bot.objects.exclude(config=None)],
    }
    return render(request, "health.html", context)


def _pairs(found: dict[str, Any]) -> Iterable[tuple[str, dict[str, Any]]]:
    pairs: dict[str, dict[str, Any]] = found["parts"].get("candles", {}).get("pairs", {})
    return pairs.items()


def _bars(facts: dict[str, Any]) -> dict[str, Any]:
    refused = facts["refused"]
    told = ", ".join(f"{count} {reason}" for reason, count in dict(refused).items())
    return {**facts, "refused": told or "0"}


def _part(name: str, facts: dict[str, Any]) -> dict[str, Any]:
    title, words = _NAMES.get(name, (name.capitalize(), ""))
    seen = next((value for value in facts.values() if isinstance(value, datetime)), None)
    return {
        "title": title,
        "words": words,
        "status": facts["status"],
        "seen": iso(seen) if seen else None,
        "age": facts.get("age_s"),
        "reason": facts.get("reason", ""),
    }


def _latency(bot: Bot) -> dict[str, Any]:
    told = charts.latency(bot).get("told", "")
    return {"bot": bot, "told": told or "no counter order was answered yet", "count": _count(bot)}


def _count(bot: Bot) -> int:
    return LatencySample.objects.filter(subject=bot.subject).count()


@for_readers
@require_safe
def help_page(request: HttpRequest) -> HttpResponse:
    """What every number means and what every state does."""
    return render(request, "help.html", frame(request))


@for_readers
@require_http_methods(["GET", "POST"])
def preferences(request: HttpRequest) -> HttpResponse:
    """Theme, colours, times and keys: kept in cookies of this browser, as they are about its eyes.

    A value that is not offered is taken for the usual one.
    """
    if request.method == "POST":
        answer = redirect("preferences")
        for name, (_, offers) in CHOICES.items():
            wanted = request.POST.get(name, "")
            kept = wanted if wanted in {value for value, _ in offers} else ""
            answer.set_cookie(
                f"look_{name}",
                kept,
                max_age=_A_YEAR_S,
                samesite="Strict",
                secure=request.is_secure(),
            )
        return answer
    chosen = [
        (name, title, offers, request.COOKIES.get(f"look_{name}", ""))
        for name, (title, offers) in CHOICES.items()
    ]
    return render(request, "preferences.html", frame(request) | {"choices": chosen})
