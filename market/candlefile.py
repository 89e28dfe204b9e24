"""Reading candle files: CSV, plain or gzip, oldest bar first, every row checked."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from decimal import Decimal
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO

from market.types import Candle, MalformedNumber, decimal, moment

COLUMNS = ("open_time_ms", "open", "high", "low", "close", "volume")
TURNOVER = "turnover"
HEADER = f"{','.join(COLUMNS)}[,{TURNOVER}]"
# Milliseconds of the years 1973 to 5138: seconds and microseconds fall outside.
_EARLIEST, _LATEST = 10**11, 10**14


class CandleFileError(ValueError):
    """A candle file cannot be used; the message names the file, the line and what is wrong."""


class CandleFile:
    """The bars of one pair in one file, read as they are asked for.

    `since` and `until` (exchange clock, ms; either may be None) keep the bars that open in
    [since, until). Iterating raises CandleFileError at the first row that cannot be true.
    """

    def __init__(
        self, path: Path, symbol: str, since: int | None = None, until: int | None = None
    ) -> None:
        self.path = path
        self._symbol = symbol
        self._since = _EARLIEST if since is None else since
        self._until = _LATEST if until is None else until
        self._raw: BinaryIO | None = None
        self._size = 0

    @property
    def share(self) -> float:
        """How much of the file has been read, from 0 to 1."""
        if self._raw is None or not self._size:
            return 0.0
        return 1.0 if self._raw.closed else min(1.0, self._raw.tell() / self._size)

    def __iter__(self) -> Iterator[Candle]:
        try:
            with self.path.open("rb") as raw:
                self._raw, self._size = raw, self.path.stat().st_size
                packed = self.path.suffix == ".gz"
                plain = gzip.GzipFile(fileobj=raw) if packed else raw
                yield from self._rows(io.TextIOWrapper(plain, "utf-8-sig", newline=""))
        except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
            why = getattr(error, "strerror", None) or error
            raise CandleFileError(f"{self.path.name}: cannot be read ({why})") from error

    def _rows(self, text: io.TextIOWrapper) -> Iterator[Candle]:
        rows = csv.reader(text)
        columns = self._columns(next(rows, []))
        time_of, prices_of = columns[0], itemgetter(*columns[1:6])
        turnover_of = columns[6] if len(columns) > len(COLUMNS) else None
        symbol, since, until = self._symbol, self._since, self._until
        before, first, found = 0, 0, False
        for row in rows:
            try:
                time = int(row[time_of])
                if not before < time < _LATEST or time < _EARLIEST:
                    self._refuse(rows.line_num, _time_fault(time, before))
                before, first = time, first or time
                if time < since:
                    continue
                if time >= until:
                    break
                opened, high, low, close, volume = map(Decimal, prices_of(row))
                turnover = _turnover(row, turnover_of)
                if turnover is None:
                    turnover = volume * (opened + high + low + close) / 4
                candle = Candle(symbol, "", time, opened, high, low, close, volume, turnover)
                sound = _is_sound(candle)
            except (ArithmeticError, ValueError, IndexError) as error:
                if isinstance(error, CandleFileError):
                    raise
                self._refuse(rows.line_num, _fault(row, columns))
            if not sound:
                self._refuse(rows.line_num, "; ".join(candle.faults()))
            found = True
            yield candle
        if not found:
            raise CandleFileError(f"{self.path.name}: {_emptiness(first, before)}")

    def _columns(self, header: Sequence[str]) -> list[int]:
        """Where each column stands, the turnover last if there is one."""
        names = [name.strip() for name in header]
        if missing := [name for name in COLUMNS if name not in names]:
            raise CandleFileError(
                f"{self.path.name}: no column {', '.join(missing)}; the first line must be {HEADER}"
            )
        present = [*COLUMNS, TURNOVER] if TURNOVER in names else list(COLUMNS)
        return [names.index(name) for name in present]

    def _refuse(self, line: int, fault: str) -> None:
        raise CandleFileError(f"{self.path.name} line {line}: {fault}")


def _turnover(row: Sequence[str], column: int | None) -> Decimal | None:
    """The turnover as given; None where the source had none."""
    if column is None or len(row) <= column or not row[column]:
        return None
    return Decimal(row[column])


def _is_sound(candle: Candle) -> bool:
    """The same as no faults(), in a few comparisons: a file has many rows."""
    return (
        0 < candle.low <= candle.open <= candle.high
        and candle.low <= candle.close <= candle.high
        and candle.high.is_finite()
        and candle.volume >= 0
        and candle.volume.is_finite()
    )


def _time_fault(time: int, before: int) -> str:
    if _EARLIEST <= time < _LATEST:
        return f"opens at {time}, which is not after the row before it ({before}); sort the rows"
    return f"open_time_ms {time} is not a time in milliseconds since 1970"


def _fault(row: Sequence[str], columns: Sequence[int]) -> str:
    """What makes a row unreadable, by the name of its column."""
    if len(row) <= max(columns[: len(COLUMNS)]):
        return f"{len(row)} columns; {max(columns[: len(COLUMNS)]) + 1} are needed"
    for name, column in zip((*COLUMNS, TURNOVER), columns, strict=False):
        try:
            if name == COLUMNS[0]:
                int(row[column])
            elif name != TURNOVER or row[column : column + 1] not in ([], [""]):
                decimal(row[column])
        except (ValueError, MalformedNumber):
            kind = "a whole number" if name == COLUMNS[0] else "a finite number"
            return f"{name} {row[column]!r} is not {kind}"
    return "not a candle"


def _emptiness(first: int, last: int) -> str:
    if not first:
        return "no candles in it"
    covered = f"{moment(first):%Y-%m-%d %H:%M} to {moment(last):%Y-%m-%d %H:%M} UTC"
    return f"no candle in the chosen time; the file reaches from {covered}"
