"""A progress bar on a terminal; a line every tenth of the way where there is none."""

import time
from types import TracebackType
from typing import Protocol, Self

WIDTH = 30
PACE_S = 0.1
TENTH = 10


class Output(Protocol):
    """What is written to: Django's stderr wrapper fits."""

    def write(self, msg: str, *, ending: str) -> object:
        """Write a text and then `ending`."""

    def isatty(self) -> bool:
        """Whether a person looks on."""


class Bar:
    """Shows how much of `total` is done. Use it in a `with` block, which ends its line."""

    def __init__(self, output: Output, total: int, what: str) -> None:
        self._output, self._total, self._what = output, total, what
        self._done = self._share = 0.0
        self._shown, self._tenths = 0.0, 0
        self._live = output.isatty()
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self._live and self._total:
            self._draw()
            self._output.write("", ending="\n")

    def advance(self, count: int) -> None:
        """So much more is done."""
        self._done += count
        self.reach(self._done / self._total if self._total else 1.0)

    def reach(self, share: float) -> None:
        """So much of the whole is done, from 0 to 1."""
        self._share = share
        if self._live and time.monotonic() - self._shown >= PACE_S:
            self._draw()
        elif not self._live and int(share * TENTH) > self._tenths:
            self._tenths = int(share * TENTH)
            self._output.write(self._text(), ending="\n")

    def _draw(self) -> None:
        self._shown = time.monotonic()
        full = round(self._share * WIDTH)
        self._output.write(f"\r[{'█' * full}{'·' * (WIDTH - full)}] {self._text()} ", ending="")

    def _text(self) -> str:
        told = f"{self._share:4.0%}"
        if self._done:
            pace = self._done / max(time.monotonic() - self._began, 0.001)
            told += f", {self._done:,.0f} of {self._total:,} {self._what}, {pace:,.0f} a second"
        return told
