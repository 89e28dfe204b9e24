"""Where a backtest's candles come from: our own record of a pair, or a bundled tape."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.conf import settings

from integrations.bybit.simulator.pairs import load_pairs
from market import quality, series
from market.candlefile import CandleFile
from market.intervals import MINUTE_MS
from market.models import Instrument
from market.types import Candle, moment
from market.types import Instrument as Pair

PIECE = 5_000  # bars read at once, so that memory stays flat
TAPES = Path(settings.BASE_DIR) / "market" / "tapes"


class NoSource(ValueError):
    """There are no candles of that name; the text says which there are."""


@dataclass(frozen=True, slots=True)
class Source:
    """Candles that can be replayed. `name` is "" for our own record of the pair."""

    symbol: str
    name: str
    first: datetime
    last: datetime
    bars: int
    lacking: int  # minutes without a bar


def recorded() -> Sequence[Source]:
    """Our own minutes, pair by pair."""
    found = []
    for each in quality.qualities():
        first = series.first(each.symbol, "1")
        if first is not None and each.last is not None:
            lacking = each.missing + each.absent
            found.append(
                Source(each.symbol, "", moment(first), moment(each.last), each.bars, lacking)
            )
    return found


def tapes() -> Sequence[tuple[str, str]]:
    """The bundled tapes as (pair, file name)."""
    files = sorted(TAPES.glob("*.csv.gz"))
    return [(file.name.partition("-")[0], file.name) for file in files]


def bars(
    symbol: str, tape: str, since: int | None, until: int | None
) -> tuple[Iterator[Candle], int, int]:
    """The candles, and the first and last moment (ms) to be expected, for telling progress.

    Raises NoSource. A tape that cannot be read raises CandleFileError while it is iterated.
    """
    if tape:
        if (symbol, tape) not in tapes():
            names = ", ".join(name for _, name in tapes())
            raise NoSource(f"no tape of {symbol} is named {tape}; there are {names}")
        file = CandleFile(TAPES / tape, symbol, since, until)
        times = [bar.time for bar in file]
        return iter(file), times[0], times[-1]
    first = series.first(symbol, "1")
    kept = {source.symbol: source for source in recorded()}
    if first is None or symbol not in kept:
        raise NoSource(f"no candles of {symbol} are on record; there are {', '.join(kept)}")
    start = max(first, since or first)
    end = int(kept[symbol].last.timestamp() * 1000)
    end = min(end, until - MINUTE_MS) if until else end
    return _minutes(symbol, start, end), start, end


def _minutes(symbol: str, start: int, end: int) -> Iterator[Candle]:
    while start <= end:
        piece = min(end, start + (PIECE - 1) * MINUTE_MS)
        yield from series.read(symbol, "1", piece, PIECE, start)
        start = piece + MINUTE_MS


def pair_of(symbol: str) -> Pair:
    """The pair's filters: the exchange's own where they are kept, else as listed by us."""
    row = Instrument.objects.filter(symbol=symbol).first()
    if row is not None:
        return row.to_domain()
    listed = load_pairs()
    if symbol not in listed:
        raise NoSource(f"the steps of {symbol} are not known; known are {', '.join(listed)}")
    return listed[symbol].instrument
