"""A pair's candles as its page shows them: chart, table, and how much the price moves."""

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from django.utils import timezone

from bots.reports import plots
from bots.reports.history import iso
from market import series, volatility
from market.intervals import DAY_MS, HOUR_MS, length_ms
from market.models import Price
from market.types import Candle, milliseconds, moment, plain

INTERVALS = {"1": "1 min", "5": "5 min", "15": "15 min", "60": "1 h", "240": "4 h", "D": "1 day"}
USUAL = "15"
SHOWN = 180
ATR_HOURS = 14
_MINUTES = 24 * 60
_HUNDREDTH = Decimal("0.01")

Report = dict[str, Any]


def bars(symbol: str, interval: str) -> Sequence[Candle]:
    """The newest bars by the exchange's clock, oldest first. Raises UnknownInterval."""
    return series.read(symbol, interval, _now(symbol), SHOWN)


def _now(symbol: str) -> int:
    price = Price.objects.filter(symbol=symbol).first()
    return milliseconds(price.time if price else timezone.now())


def rows(found: Sequence[Candle]) -> list[Report]:
    """The same for a table, newest first."""
    return [
        {
            "time": iso(moment(bar.time)),
            **{name: plain(getattr(bar, name)) for name in ("open", "high", "low", "close")},
            "volume": plain(bar.volume),
            "closed": bar.closed,
        }
        for bar in reversed(found)
    ]


def figure(symbol: str, interval: str) -> Report:
    """The bars as Plotly reads them; a bar that is missing leaves its place empty."""
    found = bars(symbol, interval)
    return {
        "data": [plots.candles(symbol, found)],
        "layout": {
            **plots.layout(),
            "margin": {"l": 0, "r": 76, "t": 12, "b": 28},
            "xaxis": {
                **plots.axis(),
                "type": "date",
                "rangeslider": {"visible": False},
                "nticks": 6,
                "tickangle": 0,
            },
            "yaxis": {
                **plots.axis(),
                "type": "linear",
                "side": "right",
                "showgrid": True,
                "nticks": 7,
                "exponentformat": "none",
            },
        },
        "said": f"{len(found)} candles of {symbol}, {INTERVALS[interval]} each",
        "empty": "" if found else "No candle of this length is recorded yet.",
    }


def movement(symbol: str) -> list[tuple[str, str, str]]:
    """How much the price moves, from the minutes of a day: name, value, explanation."""
    now = _now(symbol)
    found = series.read(symbol, "1", now, _MINUTES, now - DAY_MS)
    hours = series.read(symbol, "60", now, ATR_HOURS + 2)  # the newest is still open
    if len(found) < 2:  # noqa: PLR2004 - one bar does not move
        return []
    hour = [bar for bar in found if bar.time > found[-1].time - HOUR_MS]
    told = [
        ("Return, 1 h", volatility.change(hour[0].open, hour[-1].close), "open to last price"),
        ("Range, 1 h", volatility.spread(hour), "highest to lowest"),
        ("Range, 24 h", volatility.spread(found), "highest to lowest"),
        ("Realised volatility", volatility.realised(found), "a year, from the minutes of 24 h"),
    ]
    average = volatility.atr([bar for bar in hours if bar.closed], ATR_HOURS)
    if average is not None:
        told.append(
            (f"ATR, {ATR_HOURS} h", average / found[-1].close, "average true range of an hour")
        )
    return [(name, _percent(value), words) for name, value, words in told if value is not None]


def _percent(share: Decimal) -> str:
    return plain((share * 100).quantize(_HUNDREDTH, ROUND_HALF_EVEN))


def reach(interval: str) -> str:
    """How long the chart reaches back."""
    hours = SHOWN * length_ms(interval) // HOUR_MS
    return f"{hours} hours" if hours < 72 else f"{hours // 24} days"  # noqa: PLR2004 - three days
