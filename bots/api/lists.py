"""GET /api/orders, /api/fills, /api/round-trips, and the same rows as CSV files."""

import csv
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from django.http import StreamingHttpResponse
from rest_framework.request import Request
from rest_framework.views import APIView

from bots.api.asking import asked
from bots.api.paging import Rows
from bots.api.permissions import MayRead
from bots.api.schema import csv_file, listed
from bots.api.serializers import BotQuery, FillQuery, FillRow, OrderQuery, OrderRow, RoundTripRow
from bots.models import Fill, Order, RoundTrip
from bots.reports.tables import Line, safe, streamed

CHUNK = 1_000


@listed(OrderQuery, OrderRow)
class Orders(Rows):
    """Orders of ours; the newest first."""

    query = OrderQuery
    row = OrderRow
    rows = Order.objects.select_related("bot", "config")
    time = "created_at"


@listed(FillQuery, FillRow)
class Fills(Rows):
    """Executions of our orders, `from` and `to` by the exchange's clock; the newest first."""

    query = FillQuery
    row = FillRow
    rows = Fill.objects.select_related("bot", "order")
    time = "time"


@listed(BotQuery, RoundTripRow)
class RoundTrips(Rows):
    """Bought-and-sold passages of cells, `from` and `to` by their ends; the newest first."""

    query = BotQuery
    row = RoundTripRow
    rows = RoundTrip.objects.select_related("bot", "config")
    time = "closed"


class Export(APIView):
    """Every row of a list as CSV: UTF-8, times in UTC, full decimals; the newest first."""

    permission_classes = (MayRead,)
    of: ClassVar[type[Rows]]
    name: ClassVar[str]

    def get(self, request: Request) -> StreamingHttpResponse:
        wish = asked(request, self.of.query)
        answer = StreamingHttpResponse(
            streamed(_lines(self.of, wish)), content_type="text/csv; charset=utf-8"
        )
        answer["Content-Disposition"] = f'attachment; filename="gridtrader-{self.name}.csv"'
        return answer


@csv_file(OrderQuery)
class OrderExport(Export):
    __doc__ = Export.__doc__
    of, name = Orders, "orders"


@csv_file(FillQuery)
class FillExport(Export):
    __doc__ = Export.__doc__
    of, name = Fills, "fills"


@csv_file(BotQuery)
class RoundTripExport(Export):
    __doc__ = Export.__doc__
    of, name = RoundTrips, "round-trips"


def _lines(of: type[Rows], wish: Mapping[str, Any]) -> Iterator[str]:
    """The file, some rows at a time: memory stays flat however long it is."""
    writer = csv.writer(Line())
    yield writer.writerow(of.row().fields)
    rows, before = of.chosen(wish).order_by("-pk"), None
    while True:
        chunk = list((rows if before is None else rows.filter(pk__lt=before))[:CHUNK])
        for line in of.row(chunk, many=True).data:
            yield writer.writerow([_cell(value) for value in line.values()])
        if len(chunk) < CHUNK:
            return
        before = chunk[-1].pk


def _cell(value: object) -> str:
    return "" if value is None else safe(str(value))
