"""The market page: the whole market for orientation, and how good our own record of it is."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from bots.pages.shell import for_readers, frame
from bots.reports import overview


@for_readers
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """What is known now: looking at it asks no outside service."""
    context = frame(request)
    found = overview.report()
    bots = {card["symbol"]: card for card in reversed(context["state"]["bots"].values())}
    for symbol, pair in found["pairs"].items():
        pair["card"] = bots.get(symbol)
    return render(request, "market.html", context | {"report": found})
