"""What recorded prices would have given a plan: our own record of the pair, else a bundled tape."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from typing import Any

from django.db.models import Count, Sum

from bots.backtest import tapes
from bots.backtest.replay import replay
from bots.grid.levels import InvalidGrid
from bots.grid.outcome import Outcome, Plan
from market import series
from market.candlefile import CandleFile
from market.models import Candle as Bar
from market.types import Candle, milliseconds, moment, plain

RECENT = timedelta(days=3)  # of recorded minutes, on which expectations stand
LEAST_BARS = 60  # fewer minutes say nothing
ENOUGH_BARS = 24 * 60  # with fewer, a bundled tape of the pair says more
_CENT, _MILLIONTH = Decimal("0.01"), Decimal("0.000001")
_FIGURES = (
    "days", "candles", "round_trips", "fills_per_day", "grid_profit", "profit_per_day",
    "total_pnl", "max_drawdown", "out_of_range_share",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Record:
    """Bars of a pair, oldest first; `tape` is "" for our own."""

    bars: Sequence[Candle]
    tape: str = ""


def minutes(symbol: str, until: int) -> Sequence[Candle]:
    """Our own minutes of the RECENT past that open by `until` (exchange clock, ms)."""
    span = int(RECENT / timedelta(milliseconds=1))
    return series.read(symbol, "1", until, int(RECENT / timedelta(minutes=1)), until - span)


def record_of(symbol: str) -> Record | None:
    """The best record there is of a pair; None when there is none worth replaying."""
    own = _own(symbol)
    if len(own) >= ENOUGH_BARS:
        return Record(own)
    for pair, tape in tapes.tapes():
        if pair == symbol:
            return Record(_tape(symbol, tape), tape)
    return Record(own) if len(own) >= LEAST_BARS else None


def _own(symbol: str) -> Sequence[Candle]:
    """Our own record of a pair, up to its newest closed minute; read anew only when it changed."""
    rows = Bar.objects.filter(symbol=symbol, interval="1")
    newest = rows.filter(closed=True).order_by("-time")
    last: datetime | None = newest.values_list("time", flat=True).first()
    if last is None:
        return ()
    recent = rows.filter(time__gte=last - RECENT, time__lte=last)
    content = recent.aggregate(Count("time"), *map(Sum, ("open", "high", "low", "close")))
    return _read(symbol, milliseconds(last), tuple(content.values()))


@lru_cache(maxsize=2)
def _read(symbol: str, last: int, _content: tuple[Decimal, ...]) -> tuple[Candle, ...]:
    """Three days of minutes take longer to read than to count and add up (`_content`)."""
    return tuple(minutes(symbol, last))


@lru_cache(maxsize=4)
def _tape(symbol: str, tape: str) -> tuple[Candle, ...]:
    """A bundled tape never changes, and is asked for at each change of a form."""
    return tuple(CandleFile(tapes.TAPES / tape, symbol))


def look_back(plan: Plan, stop_loss: Decimal | None = None) -> dict[str, Any]:
    """What the plan would have made of the pair's record, as the truth card tells it.

    Shares are shares, money is quote; all figures are None when nothing could be replayed, and
    `summary` says why. A stop-loss does not end the replay; the summary says if it was passed.
    """
    symbol = plan.instrument.symbol
    record = record_of(symbol)
    if record is None:
        return _nothing(f"No prices of {symbol} are recorded yet, so there is nothing to look at.")
    source = f"the bundled tape {record.tape}" if record.tape else "our own record"
    span = f"from {_day(record.bars[0].time)} to {_day(record.bars[-1].time)} UTC ({source})"
    try:
        outcome = replay(plan, record.bars)
    except InvalidGrid as error:
        return _nothing(f"At the first price {span} this grid could not have started: {error}.")
    lowest = min(bar.low for bar in record.bars)
    return {
        "source": record.tape or "our own record",
        "from": moment(outcome.span.start).isoformat(),
        "to": moment(outcome.span.end).isoformat(),
        **_figures(outcome),
        "summary": _summary(outcome, span, lowest, stop_loss),
    }


def _nothing(summary: str) -> dict[str, Any]:
    return {**dict.fromkeys(("source", "from", "to", *_FIGURES)), "summary": summary}


def _figures(outcome: Outcome) -> dict[str, Any]:
    days = outcome.span.days
    return {
        "days": _told(days, _CENT),
        "candles": outcome.span.candles,
        "round_trips": len(outcome.round_trips),
        "fills_per_day": _told(Decimal(len(outcome.fills)) / days, _CENT),
        "grid_profit": _told(outcome.grid_profit, _CENT),
        "profit_per_day": _told(outcome.grid_profit / days, _CENT),
        "total_pnl": _told(outcome.total_pnl, _CENT),
        "max_drawdown": _told(outcome.max_drawdown, _MILLIONTH),
        "out_of_range_share": _told(
            Decimal(outcome.span.outside) / outcome.span.candles, _MILLIONTH
        ),
    }


def _summary(outcome: Outcome, span: str, lowest: Decimal, stop: Decimal | None) -> str:
    coin, trips = outcome.plan.instrument.quote, len(outcome.round_trips)
    words = (
        f"{span[0].upper()}{span[1:]} it would have made {trips} round "
        f"{'trip' if trips == 1 else 'trips'}, {_told(outcome.grid_profit, _CENT)} {coin} of grid "
        f"profit and {_told(outcome.total_pnl, _CENT)} {coin} in all, coins at the last price."
    )
    if stop is not None and lowest <= stop:
        words += f" The price fell to {plain(lowest)}: the stop-loss would have ended it there."
    return f"{words} Past prices promise nothing."


def _day(time: int) -> str:
    return f"{moment(time):%Y-%m-%d %H:%M}"


def _told(amount: Decimal, step: Decimal) -> str:
    return plain(amount.quantize(step, ROUND_HALF_EVEN))
