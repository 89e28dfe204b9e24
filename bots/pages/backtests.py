"""Backtests as pages: the list, a form, a run with its progress and result, and comparing."""

import csv
from collections.abc import Iterator
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from kombu.exceptions import OperationalError

from bots.backtest import runs, tapes
from bots.models import RECORDED, Backtest, Bot
from bots.pages.backtest_form import BacktestForm
from bots.pages.shell import for_readers, for_steerers, frame
from bots.reports import backtests
from bots.reports.tables import Line
from bots.roles import ADMINS, STEERERS, roles_of
from bots.tasks import run_backtest
from market.types import plain

FIELDS = (
    ("The prices", ("candles", "first_day", "last_day")),
    ("The grid", ("lower", "upper", "grids", "spacing")),
    ("The money", ("capital", "sizing", "reserve")),
    ("Following a rising price", ("trailing_up", "trailing_cap", "trailing_hourly")),
    ("The rules", ("maker", "taker", "path", "rule")),
)
State = Backtest.State


@for_readers
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """The newest backtests; two or more that are done can be compared."""
    found = backtests.rows()
    context = frame(request) | {"rows": found, "compares": sum(row["done"] for row in found) > 1}
    return render(request, "backtests.html", context)


@for_steerers
@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """The form; what was sent and can be replayed waits for the worker from then on."""
    form = BacktestForm(request.POST) if request.method == "POST" else _filled(request)
    if form.is_bound and form.is_valid():
        row = form.asked(request.user.get_username())
        _hand_over(request, row)
        return redirect("backtest", row.pk)
    context = frame(request) | {
        "form": form,
        "groups": [(title, [form[name] for name in names]) for title, names in FIELDS],
        "bots": Bot.objects.exclude(config=None).select_related("config"),
        "sources": tapes.recorded(),
        "tapes": tapes.tapes(),
    }
    return render(request, "backtest_new.html", context, status=400 if form.errors else 200)


def _hand_over(request: HttpRequest, row: Backtest) -> None:
    try:
        run_backtest.delay(row.pk)
    except OperationalError:
        messages.warning(request, "The worker cannot be told just now. Start it again from here.")


def _filled(request: HttpRequest) -> BacktestForm:
    """An empty form, or one with the grid of a bot or of another backtest."""
    if bot := Bot.objects.select_related("config").filter(slug=request.GET.get("bot", "")).first():
        return BacktestForm(initial=_initial(bot.config) | {"candles": f"{RECORDED}:{bot.symbol}"})
    again = request.GET.get("again", "")
    row = Backtest.objects.filter(pk=again).first() if again.isdecimal() else None
    if row is not None:
        fees = {"maker": plain(row.maker * 100), "taker": plain(row.taker * 100)}
        rules = {"path": row.path, "rule": row.rule, "candles": f"{row.source}:{row.symbol}"}
        return BacktestForm(initial=_initial(row) | fees | rules)
    return BacktestForm()


def _initial(grid: Any) -> dict[str, Any]:  # noqa: ANN401 - a GridConfig or a Backtest
    if grid is None:
        return {}
    numbers = {
        name: plain(getattr(grid, name)) for name in ("lower", "upper", "capital", "reserve")
    }
    if grid.trailing_cap is not None:
        numbers["trailing_cap"] = plain(grid.trailing_cap)
    others = ("grids", "spacing", "sizing", "trailing_up", "trailing_hourly")
    return numbers | {name: getattr(grid, name) for name in others}


@for_readers
@require_safe
def run(request: HttpRequest, number: int) -> HttpResponse:
    """A run: how far it is, or what came of it."""
    row = get_object_or_404(Backtest, pk=number)
    context = frame(request) | {"run": backtests.told(row), "may_change": _may_change(request, row)}
    if row.state == State.DONE:
        context |= {"result": backtests.result(row)}
    return render(request, "backtest.html", context)


@for_readers
@require_safe
def progress(request: HttpRequest, number: int) -> JsonResponse:  # noqa: ARG001
    """How far a run is, for the page's bar."""
    told = backtests.told(get_object_or_404(Backtest.objects.defer(*backtests.HEAVY), pk=number))
    names = ("state", "state_text", "stage", "percent", "eta_s", "is_over", "is_lost")
    return JsonResponse({name: told[name] for name in names})


@for_steerers
@require_POST
def change(request: HttpRequest, number: int) -> HttpResponse:
    """Cancel a run, or start one again that was lost: one's own, or any as an admin."""
    row = get_object_or_404(Backtest, pk=number)
    if not _may_change(request, row):
        raise PermissionDenied
    if request.POST.get("do") == "cancel":
        runs.cancel(row.pk)
    elif request.POST.get("do") == "restart":
        _hand_over(request, row)
    return redirect("backtest", number)


def _may_change(request: HttpRequest, row: Backtest) -> bool:
    mine = roles_of(request.user)
    is_own = row.asked_by == request.user.get_username() and not STEERERS.isdisjoint(mine)
    return is_own or not ADMINS.isdisjoint(mine)


@for_readers
@require_safe
def figure(request: HttpRequest, number: int, name: str) -> JsonResponse:  # noqa: ARG001
    """One figure of a result, as Plotly reads it."""
    row = _done(number)
    if name not in backtests.FIGURES:
        raise Http404(f"no figure is named {name}")
    return JsonResponse(backtests.FIGURES[name](row))


@for_readers
@require_safe
def export(request: HttpRequest, number: int, kind: str) -> HttpResponse:  # noqa: ARG001
    """A result for other programs: its fills as CSV, or its figures as JSON."""
    row = _done(number)
    if kind not in {"csv", "json"}:
        raise Http404("csv and json are accepted")
    answer: HttpResponse | StreamingHttpResponse
    if kind == "json":
        answer = JsonResponse(row.figures, json_dumps_params={"indent": 2})
    else:
        answer = StreamingHttpResponse(_lines(row), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="backtest-{number}.{kind}"'
    return answer  # type: ignore[return-value]


def _lines(row: Backtest) -> Iterator[str]:
    writer = csv.writer(Line())
    for fields in backtests.fills(row):
        yield writer.writerow(fields)


def _done(number: int) -> Backtest:
    return get_object_or_404(Backtest, pk=number, state=State.DONE)


@for_readers
@require_safe
def compare(request: HttpRequest) -> HttpResponse:
    """Several results side by side."""
    found = _chosen(request)
    context = frame(request) | {
        "runs": [backtests.told(row) for row in found],
        "query": request.GET.urlencode(),
    }
    return render(request, "compare.html", context)


@for_readers
@require_safe
def compare_figure(request: HttpRequest) -> JsonResponse:
    """Their equity in one figure."""
    return JsonResponse(backtests.compared(_chosen(request)))


def _chosen(request: HttpRequest) -> list[Backtest]:
    """The runs that the address names. Raises Http404 unless two or more of them are done."""
    numbers = [text for text in request.GET.getlist("run") if text.isdecimal() and len(text) < 19]  # noqa: PLR2004 - bigint
    wanted = numbers[: backtests.MOST_COMPARED]
    found = list(Backtest.objects.filter(pk__in=wanted, state=State.DONE).order_by("pk"))
    if len(found) < 2:  # noqa: PLR2004 - one alone is compared with nothing
        raise Http404("run: the numbers of two or more finished backtests are accepted")
    return found
