"""Where prices come from: candle files or a seeded synthetic path, checked and made into paths."""

import csv
import gzip
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path as File

from integrations.bybit.simulator import synthetic
from integrations.bybit.simulator.pairs import Pair
from integrations.bybit.simulator.path import CandlePath, Path
from market.types import Candle, MalformedNumber, decimal

MINUTE = 60_000
HOUR = 60 * MINUTE
COLUMNS = ["open_time_ms", "open", "high", "low", "close", "volume"]
BUNDLED = File(__file__).parents[3] / "market" / "tapes"


class TapeError(Exception):
    """The price source cannot be used; the message says why in one line."""


@dataclass(frozen=True, slots=True)
class Recording:
    """The bars of one pair, as read: oldest first, `interval` ms apart (gaps allowed)."""

    pair: Pair
    candles: Sequence[Candle]
    interval: int

    @property
    def first(self) -> int:
        return self.candles[0].time

    @property
    def end(self) -> int:
        return self.candles[-1].time + self.interval


@dataclass(frozen=True, slots=True)
class Tape:
    """A path for each pair, all on one clock that begins at `start` (ms)."""

    name: str
    print: str  # fingerprint of the prices: a state file belongs to one tape
    start: int
    paths: Mapping[str, Path]
    live: bool = False  # its clock is the world's: it is neither moved nor scaled


def open_tape(source: str, pairs: Mapping[str, Pair]) -> Tape:
    """The tape named by `source`: a folder, a file, `synthetic:SEED[:KIND]`, or the bundled sample.

    Raises TapeError when it cannot be read or is not made of true candles.
    """
    if source.startswith("synthetic:"):
        try:
            made = synthetic.candles(source, pairs)
        except ValueError as error:
            raise TapeError(str(error)) from error
        bars = [Recording(pairs[symbol], bars, MINUTE) for symbol, bars in made.items()]
        return _assemble(source, bars)
    if source == "bybit":
        raise TapeError(
            "tape bybit: live prices come from a running exchange; give a folder or synthetic:SEED"
        )
    where = File(source) if source else BUNDLED
    name = "bundled sample" if where.resolve() == BUNDLED else where.resolve().name
    return _assemble(name, [read_recording(file, pairs) for file in _files(where)])


def _files(where: File) -> list[File]:
    if not where.exists():
        raise TapeError(f"tape {where} does not exist")
    if where.is_file():
        return [where]
    files = sorted(file for kind in ("*.csv", "*.csv.gz") for file in where.glob(kind))
    if not files:
        raise TapeError(f"tape {where} holds no candle file (*.csv or *.csv.gz)")
    return files


def read_recording(file: File, pairs: Mapping[str, Pair]) -> Recording:
    """The candles of a file whose name starts with its symbol: `BTCUSDT-...csv.gz`."""
    symbol = re.split(r"[-.]", file.name, maxsplit=1)[0]
    if symbol not in pairs:
        known = ", ".join(sorted(pairs))
        raise TapeError(f"{file.name}: the name must start with a pair: {known}")
    candles = list(_read_candles(file, symbol))
    if not candles:
        raise TapeError(f"{file.name}: no candles in it")
    return Recording(pairs[symbol], candles, _interval(candles))


def _read_candles(file: File, symbol: str) -> Iterator[Candle]:
    opener = gzip.open if file.name.endswith(".gz") else open
    try:
        with opener(file, "rt", encoding="utf-8", newline="") as text:
            rows = csv.reader(text)
            header = next(rows, [])
            if header[: len(COLUMNS)] != COLUMNS:
                raise TapeError(f"{file.name}: the header must be {','.join(COLUMNS)}[,turnover]")
            before = 0
            for row in rows:
                candle = _candle(symbol, row, f"{file.name} line {rows.line_num}")
                if candle.time <= before:
                    raise TapeError(f"{file.name} line {rows.line_num}: time does not go forward")
                before = candle.time
                yield candle
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise TapeError(f"{file.name}: cannot be read ({error})") from error


def _candle(symbol: str, row: list[str], where: str) -> Candle:
    try:
        time = int(row[0])
        opened, high, low, close, volume = (decimal(cell) for cell in row[1:6])
        middle = (opened + high + low + close) / 4
        given = "".join(row[len(COLUMNS) : len(COLUMNS) + 1])
        turnover = decimal(given) if given else middle * volume
    except (ValueError, IndexError, MalformedNumber) as error:
        raise TapeError(f"{where}: not a candle ({error})") from error
    candle = Candle(symbol, "", time, opened, high, low, close, volume, turnover)
    for fault in candle.faults():
        raise TapeError(f"{where}: {fault}")
    return candle


def _interval(candles: Sequence[Candle]) -> int:
    """The bars' usual distance; a lone bar counts as a minute."""
    steps = Counter(after.time - before.time for before, after in pairwise(candles))
    return steps.most_common(1)[0][0] if steps else MINUTE


def _assemble(name: str, recordings: Sequence[Recording]) -> Tape:
    """Recordings that share some time keep their times; others are all moved to one start."""
    seen = Counter(recording.pair.symbol for recording in recordings)
    for symbol, count in seen.items():
        if count > 1:
            raise TapeError(f"{count} files for {symbol}; a tape has one for each pair")
    latest = max(recording.first for recording in recordings)
    overlap = latest < min(recording.end for recording in recordings)
    if overlap:
        start, starts = latest, [recording.first for recording in recordings]
    else:
        # Bars of every length must still begin on the clock's round times.
        step = max(HOUR, *(recording.interval for recording in recordings))
        start = latest - latest % step
        starts = [start] * len(recordings)
    paths = {
        recording.pair.symbol: CandlePath(
            recording.pair, recording.candles, recording.interval, begins
        )
        for recording, begins in zip(recordings, starts, strict=True)
    }
    return Tape(name, _fingerprint(recordings), start, paths)


def _fingerprint(recordings: Iterable[Recording]) -> str:
    digest = hashlib.sha256()
    for recording in recordings:
        digest.update(f"{recording.pair.symbol} {recording.interval}\n".encode())
        for bar in recording.candles:
            digest.update(f"{bar.time} {bar.open} {bar.high} {bar.low} {bar.close}\n".encode())
    return digest.hexdigest()[:16]
