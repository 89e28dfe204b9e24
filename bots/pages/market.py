"""The market page: the whole market for orientation, and how good our own record of it is."""

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from bots.pages.shell import for_readers, frame
from bots.reports import candles, overview
from market.models import Instrument
from market.types import plain


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


@for_readers
@require_safe
def pair(request: HttpRequest, symbol: str) -> HttpResponse:
    """A pair's candles: chart, table and file, and how much the price moves."""
    found, interval = get_object_or_404(Instrument, symbol=symbol), _interval(request)
    context = frame(request)
    cards = context["state"]["bots"].values()
    context |= {
        "pair": found,
        "tick": plain(found.tick),
        "interval": interval,
        "intervals": candles.INTERVALS.items(),
        "reach": candles.reach(interval),
        "rows": candles.rows(candles.bars(symbol, interval)),
        "movement": candles.movement(symbol),
        "card": next((card for card in cards if card["symbol"] == symbol), None),
    }
    return render(request, "pair.html", context)


@for_readers
@require_safe
def figure(request: HttpRequest, symbol: str) -> JsonResponse:
    """The chart of a pair, as Plotly reads it."""
    found = get_object_or_404(Instrument, symbol=symbol)
    return JsonResponse(candles.figure(found.symbol, _interval(request)))


def _interval(request: HttpRequest) -> str:
    """The length of bars that the address asks for. Raises Http404."""
    interval = request.GET.get("interval", candles.USUAL)
    if interval not in candles.INTERVALS:
        raise Http404(f"interval: accepted are {', '.join(candles.INTERVALS)}")
    return interval
