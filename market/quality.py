"""How complete and how fresh the recorded candles are, pair by pair."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Sum
from django.utils import timezone

from market.intervals import DAY_MS, MINUTE_MS
from market.models import Candle, Gap, Instrument, Price, RefusedBars, Rollup
from market.types import milliseconds, moment


@dataclass(frozen=True, slots=True)
class Quality:
    """One-minute bars of a pair. Times are the exchange's clock, ms; counts are bars."""

    symbol: str
    bars: int  # closed, as far as they are rolled up, and all since
    last: int | None  # opening of the newest closed bar
    age_ms: int | None  # from that bar's end to the newest price
    lag_s: float | None  # since the newest price came in, by the machine's clock
    missing: int  # may still be had
    absent: int  # the exchange was asked and has none
    refused: Mapping[str, int]  # ever, by reason

    def trouble(self, patience: timedelta) -> str:
        """What is wrong with them; "" when nothing is, or nothing came yet."""
        if self.missing:
            return f"{self.symbol} lacks {self.missing} bars"
        if self.age_ms is not None and self.age_ms > patience / timedelta(milliseconds=1):
            return f"{self.symbol}'s last bar is {self.age_ms // MINUTE_MS} minutes old"
        return ""


def qualities() -> list[Quality]:
    """All pairs that are followed, by name."""
    prices = {price.symbol: price for price in Price.objects.all()}
    gaps: dict[tuple[str, bool], int] = defaultdict(int)
    found = Gap.objects.filter(interval="1").order_by().values_list("symbol", "absent")
    for symbol, absent, bars in found.annotate(Sum("bars")):
        gaps[symbol, absent] = bars
    refused: dict[str, dict[str, int]] = defaultdict(dict)
    for row in RefusedBars.objects.all():
        refused[row.symbol][row.reason] = row.bars
    return [
        _quality(symbol, prices, gaps, refused[symbol])
        for symbol in Instrument.objects.order_by("symbol").values_list("symbol", flat=True)
    ]


def _quality(
    symbol: str,
    prices: Mapping[str, Price],
    gaps: Mapping[tuple[str, bool], int],
    refused: Mapping[str, int],
) -> Quality:
    rows = Candle.objects.filter(symbol=symbol, interval="1", closed=True)
    last = rows.order_by("-time").values_list("time", flat=True).first()
    price, age = prices.get(symbol), None
    if last is not None and price is not None:
        age = max(0, milliseconds(price.time) - milliseconds(last) - MINUTE_MS)
    return Quality(
        symbol=symbol,
        bars=_bars(symbol),
        last=None if last is None else milliseconds(last),
        age_ms=age,
        lag_s=None if price is None else (timezone.now() - price.received_at).total_seconds(),
        missing=gaps[symbol, False],
        absent=gaps[symbol, True],
        refused=dict(refused),
    )


def _bars(symbol: str) -> int:
    """Days that are rolled up are not counted again: a year has half a million rows."""
    days = Rollup.objects.filter(symbol=symbol, interval="D").order_by("-time")
    newest = days.values_list("time", flat=True).first()
    rows = Candle.objects.filter(symbol=symbol, interval="1", closed=True)
    if newest is None:
        return rows.count()
    before = days.filter(time__lt=newest).aggregate(all=Sum("minutes"))["all"] or 0
    since = moment(milliseconds(newest) - milliseconds(newest) % DAY_MS)
    return before + rows.filter(time__gte=since).count()
