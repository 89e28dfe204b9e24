"""The audit trail as a page: filters in its address, keyset paging, CSV, and proof of the chain."""

import csv
from collections.abc import Iterator
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from bots.pages.shell import for_readers, frame
from bots.reports import trail
from bots.reports.guards import names
from bots.reports.tables import Line, safe
from bots.reports.trail import Wish
from risk import audit

_MOST_DIGITS = 18  # of a bigint


@for_readers
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Fifty rows, the newest first; "older" leads to the next fifty."""
    wish = _asked(request)
    found = trail.page(wish)
    called = names()
    offers = trail.choices()
    context = frame(request) | {
        "rows": found.rows,
        "older": found.older and _query(wish, before=found.older),
        "newest": _query(wish) if wish.before is not None else "",
        "file": _query(wish),
        "filters": [
            ("what", "Act", [(act, act) for act in offers["what"]], wish.what),
            ("who", "By", [(one, one) for one in offers["who"]], wish.who),
            (
                "subject",
                "Of",
                [(one, called.get(one, one)) for one in offers["subject"]],
                wish.subject,
            ),
        ],
        "is_filtered": bool(wish.what or wish.who or wish.subject),
    }
    return render(request, "audit.html", context)


@for_readers
@require_safe
def export(request: HttpRequest) -> StreamingHttpResponse:
    """Every row of the filter as CSV: UTF-8, times in UTC."""
    answer = StreamingHttpResponse(_lines(_asked(request)), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="gridtrader-audit.csv"'
    return answer


@for_readers
@require_POST
def verify(request: HttpRequest) -> HttpResponse:
    """Read the whole chain and say whether a row was changed, lost or put in."""
    found = audit.verify()
    if found.faults:
        first = found.faults[0]
        messages.error(
            request,
            f"The chain is broken in {len(found.faults)} places, first at row {first.number}: "
            f"{first.complaint}.",
        )
    else:
        messages.success(
            request,
            f"All {found.rows} rows are as they were written. Seal of the newest: {found.head}",
        )
    return redirect("audit")


def _asked(request: HttpRequest) -> Wish:
    """What the address asks for. Raises Http404 for what cannot be a row's number."""
    before = request.GET.get("before", "")
    if before and not (before.isascii() and before.isdigit() and len(before) <= _MOST_DIGITS):
        raise Http404("before: the number of a row is accepted")
    given = {name: request.GET.get(name, "").strip() for name in ("what", "who", "subject")}
    return Wish(**given, before=int(before) if before else None)


def _query(wish: Wish, *, before: int | None = None) -> str:
    given = {"what": wish.what, "who": wish.who, "subject": wish.subject, "before": before}
    return urlencode({key: value for key, value in given.items() if value})


def _lines(wish: Wish) -> Iterator[str]:
    writer = csv.writer(Line())
    for row in trail.lines(wish):
        yield writer.writerow([safe(text) for text in row])
