"""Orders, fills and round trips: a page of rows, filters in its address, and the same as CSV."""

import csv
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from bots.models import Bot
from bots.pages.shell import for_readers, frame
from bots.reports import history
from bots.reports.history import KINDS, Wish
from bots.reports.tables import Line, safe, streamed
from integrations.models import LegacyTrade
from market.types import Side

TABS = (("resting", "Resting orders"), ("fills", "Fills"), ("trips", "Round trips"))
CELL_DIGITS = 4  # a grid has at most a thousand cells
LEGACY = ("legacy", "Legacy trades")  # shown once some were imported


@for_readers
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Fifty rows, the newest first; "older" leads to the next fifty."""
    name, wish = _asked(request)
    context = frame(request)
    found = history.page(name, wish)
    ticks = {slug: card["tick"] for slug, card in context["state"]["bots"].items()}
    context |= {
        "tab": name,
        "tabs": [(key, words, _query(key, replace(wish, before=None))) for key, words in _tabs()],
        "rows": [{**row, "tick": ticks.get(row["bot"], "")} for row in found.rows],
        "older": found.older and _query(name, wish, before=found.older),
        "newest": _query(name, wish) if wish.before is not None else "",
        "file": _query(name, wish),
        "bots": Bot.objects.exclude(config=None) if KINDS[name].has_bots else [],
        "wish": wish,
        "sides": [side.value for side in Side] if KINDS[name].has_sides else [],
    }
    return render(request, "orders.html", context)


def _tabs() -> Iterator[tuple[str, str]]:
    yield from TABS
    if LegacyTrade.objects.exists():
        yield LEGACY


@for_readers
@require_safe
def export(request: HttpRequest) -> StreamingHttpResponse:
    """Every row of the filter as CSV: UTF-8, times in UTC, full decimals."""
    name, wish = _asked(request)
    answer = StreamingHttpResponse(
        streamed(_lines(name, wish)), content_type="text/csv; charset=utf-8"
    )
    answer["Content-Disposition"] = f'attachment; filename="gridtrader-{name}.csv"'
    return answer


def _asked(request: HttpRequest) -> tuple[str, Wish]:
    """What the address asks for. Raises Http404 for what does not exist."""
    name = request.GET.get("tab", "resting")
    side, bot = request.GET.get("side", ""), request.GET.get("bot", "")
    before, cell = request.GET.get("before", ""), request.GET.get("cell", "")
    if name not in KINDS:
        raise Http404(f"tab: accepted are {', '.join(KINDS)}")
    if side and side not in list(Side):
        raise Http404(f"side: accepted are {', '.join(Side)}")
    if bot and not Bot.objects.filter(slug=bot).exists():
        raise Http404(f"no bot is named {bot}")
    if before and not (before.isascii() and before.isdigit() and len(before) < 19):  # noqa: PLR2004 - bigint
        raise Http404("before: the number of a row is accepted")
    if cell and not (cell.isascii() and cell.isdigit() and len(cell) <= CELL_DIGITS):
        raise Http404("cell: the number of a cell is accepted")
    return name, Wish(bot, side, int(before) if before else None, int(cell) if cell else None)


def _query(name: str, wish: Wish, *, before: int | None = None) -> str:
    given = {"tab": name, "bot": wish.bot, "side": wish.side, "cell": wish.cell, "before": before}
    return urlencode({key: value for key, value in given.items() if value not in {"", None}})


def _lines(name: str, wish: Wish) -> Iterator[str]:
    writer = csv.writer(Line())
    for row in history.lines(name, wish):
        yield writer.writerow([safe(text) for text in row])
