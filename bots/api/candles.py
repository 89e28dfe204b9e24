"""GET /api/candles and /api/export/candles.csv: bars of any interval, to look at and to keep."""

from collections.abc import AsyncIterator
from typing import Any

from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from bots.api import answers
from bots.api.asking import asked
from bots.api.errors import Unknown
from bots.api.fields import Symbol, Whole
from bots.api.permissions import MayRead
from bots.api.schema import csv_file
from bots.api.serializers import Span
from bots.reports.cards import iso
from market import merge, series
from market.intervals import LENGTH_MS
from market.models import Price
from market.types import Candle, milliseconds, moment, plain

USUAL, MOST = 200, 1_000
BARS_A_PAGE = 5_000
HEADER = "open_time_ms,open,high,low,close,volume,turnover\n"  # a candle file (README)


class CandleQuery(Span):
    """Which bars."""

    symbol = Symbol()
    interval = serializers.ChoiceField(
        choices=list(LENGTH_MS),
        default="1",
        error_messages={"invalid_choice": f"accepted: {', '.join(LENGTH_MS)}"},
    )

    def validate_symbol(self, value: str) -> str:
        symbols = list(Price.objects.order_by("symbol").values_list("symbol", flat=True))
        if value not in symbols:
            raise Unknown("symbol", f"accepted: {', '.join(symbols) or 'none yet'}")
        return value


class CandlePageQuery(CandleQuery):
    """Which bars, and how many at most."""

    limit = Whole(written=True, min_value=1, max_value=MOST, default=USUAL)


class Candles(APIView):
    """The last bars of a time, oldest first; `older` is the `to` of the bars before them."""

    permission_classes = (MayRead,)

    @extend_schema(parameters=[CandlePageQuery], responses=answers.Bars)
    def get(self, request: Request) -> Response:
        wish = asked(request, CandlePageQuery)
        bars = series.read(
            wish["symbol"], wish["interval"], _end(wish), wish["limit"], wish.get("from")
        )
        full = len(bars) == wish["limit"]
        return Response(
            {
                "symbol": wish["symbol"],
                "interval": wish["interval"],
                "candles": [_row(bar) for bar in bars],
                "older": iso(moment(bars[0].time - 1)) if full else None,
            }
        )


@csv_file(CandleQuery)
class CandleExport(APIView):
    """Bars as a candle file, which `manage.py backfill --file` and `backtest` read."""

    permission_classes = (MayRead,)

    def get(self, request: Request) -> StreamingHttpResponse:
        wish = asked(request, CandleQuery)
        symbol, interval = wish["symbol"], wish["interval"]
        start = wish.get("from", series.first(symbol, interval))
        answer = StreamingHttpResponse(
            _lines(symbol, interval, start, _end(wish)), content_type="text/csv; charset=utf-8"
        )
        answer["Content-Disposition"] = f'attachment; filename="{symbol}-{interval}.csv"'
        return answer


def _end(wish: dict[str, Any]) -> int:
    """Where the bars end: as asked, or now by the exchange's clock."""
    now = merge.market_clock() or milliseconds(timezone.now())
    return int(wish.get("to", now))


def _row(bar: Candle) -> dict[str, object]:
    return {
        "time": iso(moment(bar.time)),
        "open": plain(bar.open),
        "high": plain(bar.high),
        "low": plain(bar.low),
        "close": plain(bar.close),
        "volume": plain(bar.volume),
        "turnover": plain(bar.turnover),
        "closed": bar.closed,
    }


async def _lines(symbol: str, interval: str, start: int | None, end: int) -> AsyncIterator[str]:
    """The file, a page of closed bars at a time: memory stays flat however long it is."""
    yield HEADER
    while start is not None and start <= end:
        page_end = min(end, start + (BARS_A_PAGE - 1) * LENGTH_MS[interval])
        bars = await sync_to_async(series.read)(symbol, interval, page_end, BARS_A_PAGE, start)
        yield "".join(_line(bar) for bar in bars if bar.closed)
        start = page_end + 1


def _line(bar: Candle) -> str:
    numbers = (bar.open, bar.high, bar.low, bar.close, bar.volume, bar.turnover)
    return f"{bar.time},{','.join(map(plain, numbers))}\n"
