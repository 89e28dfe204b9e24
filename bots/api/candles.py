"""GET /api/candles and /api/export/candles.csv: bars of any interval, to look at and to keep."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from bots.api.permissions import MayRead
from bots.api.serializers import Strict
from bots.reports.cards import iso
from market import merge, series
from market.intervals import LENGTH_MS
from market.models import Price
from market.types import Candle, milliseconds, moment, plain

USUAL, MOST = 200, 1_000
BARS_A_PAGE = 5_000
HEADER = "open_time_ms,open,high,low,close,volume,turnover\n"  # a candle file (README)


class Moment(serializers.Field[int, Any, int, Any]):
    """A time: ISO 8601, UTC where it names no zone, or milliseconds since 1970."""

    def to_internal_value(self, data: object) -> int:
        text = str(data)
        try:
            if re.fullmatch(r"\d{9,14}", text, re.ASCII):
                return milliseconds(moment(int(text)))
            time = datetime.fromisoformat(text)
        except (ValueError, OverflowError):
            raise serializers.ValidationError(
                "accepted: ISO 8601 such as 2026-01-31T12:00:00Z, or milliseconds since 1970"
            ) from None
        return milliseconds(time if time.tzinfo else time.replace(tzinfo=UTC))


class CandleQuery(Strict):
    """Which bars."""

    symbol = serializers.CharField(max_length=32)
    interval = serializers.ChoiceField(
        choices=list(LENGTH_MS),
        default="1",
        error_messages={"invalid_choice": f"accepted: {', '.join(LENGTH_MS)}"},
    )
    to = Moment(required=False)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """`from` is a word of Python's, so it cannot stand above."""
        return super().get_fields() | {"from": Moment(required=False)}

    def validate_symbol(self, value: str) -> str:
        symbols = list(Price.objects.order_by("symbol").values_list("symbol", flat=True))
        if value not in symbols:
            raise serializers.ValidationError(f"accepted: {', '.join(symbols) or 'none yet'}")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "from" in attrs and "to" in attrs and attrs["from"] > attrs["to"]:
            raise serializers.ValidationError({"from": ["must not be after `to`"]})
        return attrs


class CandlePageQuery(CandleQuery):
    """Which bars, and how many at most."""

    limit = serializers.IntegerField(min_value=1, max_value=MOST, default=USUAL)


class Candles(APIView):
    """The last bars of a time, oldest first; `older` is the `to` of the bars before them."""

    permission_classes = (MayRead,)

    def get(self, request: Request) -> Response:
        query = CandlePageQuery(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        wish = query.validated_data
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


class CandleExport(APIView):
    """Bars as a candle file, which `manage.py backfill --file` and `backtest` read."""

    permission_classes = (MayRead,)

    def get(self, request: Request) -> StreamingHttpResponse:
        query = CandleQuery(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        wish = query.validated_data
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
