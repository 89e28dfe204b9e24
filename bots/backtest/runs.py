"""Carrying out a backtest that waits: claimed once, its progress told, its outcome written down."""

import logging
import os
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Q, QuerySet
from django.utils import timezone

from bots.backtest import tapes
from bots.backtest.chart import Curve
from bots.backtest.replay import NoCandles, replay
from bots.backtest.report import figures, verdict, warnings
from bots.grid.levels import GridSpec, InvalidGrid, Sizing, Spacing
from bots.grid.outcome import Outcome, Plan
from bots.models import RECORDED, Backtest
from bots.terms import trailing_of
from market.candlefile import CandleFileError
from market.types import ZERO, Candle, milliseconds, moment, plain

log = logging.getLogger(__name__)

State = Backtest.State
TELL_EVERY_S = 0.4
LOOK_EVERY = 256  # bars between two looks at the clock
SILENT = timedelta(seconds=30)  # a run that says nothing for so long has died
NICE = 5  # a replay may wait; orders may not
MANAGE = Path(settings.BASE_DIR) / "manage.py"

_starting = threading.Lock()
_begun: list[threading.Thread] = []  # the one that waits for a replay's process


class _Unwanted(Exception):
    """The run was cancelled, or whoever wanted it is gone."""


def plan_of(row: Backtest) -> Plan:
    """The pure core's view of a backtest. Raises tapes.NoSource for an unknown pair."""
    return Plan(
        spec=GridSpec(
            lower=row.lower,
            upper=row.upper,
            grids=row.grids,
            capital=row.capital,
            spacing=Spacing(row.spacing),
            sizing=Sizing(row.sizing),
            reserve=row.reserve,
        ),
        instrument=tapes.pair_of(row.symbol),
        maker=row.maker,
        taker=row.taker,
        path=row.path,
        rule=row.rule,
        trailing=trailing_of(row),
    )


def is_busy() -> bool:
    """Whether a replay is at work: one at a time, so that bots keep their share of the machine."""
    return Backtest.objects.filter(
        state=State.RUNNING, told_at__gt=timezone.now() - SILENT
    ).exists()


def in_own_process(number: int) -> bool:
    """Have a backtest carried out beside us, at a lower priority; False while another one is.

    In this process it would take the interpreter from the ticks of bots. Nobody waits for it: it
    may take longer than any task may run. It ends when this process does.
    """
    with _starting:
        if is_busy() or any(thread.is_alive() for thread in _begun):
            return False
        if _open(number).exists():
            _begun[:] = [threading.Thread(target=_beside, args=(number,), daemon=True)]
            _begun[0].start()
    return True


def _beside(number: int) -> None:
    """Start the process, wait for its end, and write down if it died."""
    done = subprocess.run([sys.executable, str(MANAGE), "replay", str(number)], check=False)
    if done.returncode:
        _end(number, State.FAILED, f"its process ended with code {done.returncode}")
        connection.close()


def carry_out(number: int, is_wanted: Callable[[], bool] = lambda: True) -> None:
    """Replay a waiting backtest, or one whose process died; do nothing for any other."""
    row = _claimed(number)
    if row is None:
        return
    try:
        _replay(row, is_wanted)
    except _Unwanted:
        log.info("%s is not wanted any more", row)
    except InvalidGrid as error:
        _end(number, State.FAILED, f"{error.field}: {error}")
    except (NoCandles, CandleFileError, tapes.NoSource) as error:
        _end(number, State.FAILED, str(error))


def _open(number: int) -> "QuerySet[Backtest]":
    """The backtest, if it waits for somebody to carry it out."""
    lost = Q(state=State.RUNNING, told_at__lt=timezone.now() - SILENT)
    return Backtest.objects.filter(Q(state=State.WAITING) | lost, pk=number)


def _claimed(number: int) -> Backtest | None:
    now = timezone.now()
    claimed = _open(number).update(
        state=State.RUNNING, stage="Loading candles", percent=0, begun_at=now, told_at=now
    )
    return Backtest.objects.get(pk=number) if claimed else None


def _replay(row: Backtest, is_wanted: Callable[[], bool]) -> None:
    tape = "" if row.source == RECORDED else row.source
    since, until = (None if at is None else milliseconds(at) for at in (row.since, row.until))
    plan = plan_of(row)
    bars, first, last = tapes.bars(row.symbol, tape, since, until)
    curve = Curve()
    teller = _Teller(row.pk, first, last, is_wanted)

    def watch(bar: Candle, equity: Decimal) -> None:
        curve.add(bar, equity)
        teller.see(bar)

    outcome = replay(plan, bars, watch)
    teller.tell(99, "Working the statistics out")
    _write(row, outcome, curve)


class _Teller:
    """Writes down how far a run is, some times a second, and stops one that nobody wants."""

    def __init__(self, number: int, first: int, last: int, is_wanted: Callable[[], bool]) -> None:
        self._number = number
        self._first = first
        self._span = max(1, last - first)
        self._is_wanted = is_wanted
        self._count = 0
        self._told = time.monotonic()

    def see(self, bar: Candle) -> None:
        self._count += 1
        if self._count % LOOK_EVERY or time.monotonic() - self._told < TELL_EVERY_S:
            return
        done = min(1.0, (bar.time - self._first) / self._span)
        days, of = (bar.time - self._first) / 86_400_000, self._span / 86_400_000
        self.tell(int(98 * done), f"Replaying day {days:.0f} of {of:.0f}")

    def tell(self, percent: int, stage: str) -> None:
        self._told = time.monotonic()
        running = Backtest.objects.filter(pk=self._number, state=State.RUNNING)
        if not running.update(percent=percent, stage=stage, told_at=timezone.now()):
            raise _Unwanted
        if not self._is_wanted():
            raise _Unwanted


def _write(row: Backtest, outcome: Outcome, curve: Curve) -> None:
    Backtest.objects.filter(pk=row.pk, state=State.RUNNING).update(
        state=State.DONE,
        stage="",
        percent=100,
        ended_at=timezone.now(),
        figures=figures(outcome) | _more(outcome),
        verdict=verdict(outcome),
        warnings=list(warnings(outcome)),
        course={
            "time": [point.time for point in curve.points],
            "close": [plain(point.close) for point in curve.points],
            "equity": [_cents(point.equity) for point in curve.points],
        },
        fills=[
            [
                fill.time, fill.side.value, plain(fill.price), plain(fill.quantity),
                plain(fill.fee), fill.fee_coin,
            ]
            for fill in outcome.fills
        ],
        cells=_by_cell(outcome),
        days=_by_day(outcome),
    )  # fmt: skip


def _more(outcome: Outcome) -> dict[str, Any]:
    """What the page shows beside the contract's figures."""
    worst, best = outcome.net_per_cell()
    span = outcome.span
    return {
        "floating": plain(outcome.floating),
        "buy_and_hold": plain(outcome.buy_and_hold()),
        "net_least": plain(worst),
        "net_most": plain(best),
        "first": plain(span.first),
        "last": plain(span.last),
        "start": span.start,
        "end": span.end,
        "days": _cents(span.days),
        "missing": max(0, (span.end - span.start) // span.interval - span.candles),
        "interval_ms": span.interval,
    }


def _by_cell(outcome: Outcome) -> list[dict[str, Any]]:
    sums: dict[int, Decimal] = defaultdict(lambda: ZERO)
    trips: dict[int, int] = defaultdict(int)
    for trip in outcome.round_trips:
        sums[trip.cell] += trip.grid_profit
        trips[trip.cell] += 1
    return [
        {
            "low": plain(cell.low),
            "high": plain(cell.high),
            "trips": trips[cell.index],
            "profit": plain(sums[cell.index]),
        }
        for cell in outcome.grid.cells
    ]


def _by_day(outcome: Outcome) -> list[list[str]]:
    sums: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for trip in outcome.round_trips:
        sums[f"{moment(trip.closed).astimezone(UTC):%Y-%m-%d}"] += trip.grid_profit
    return [[day, _cents(sums[day])] for day in sorted(sums)]


def _cents(amount: Decimal) -> str:
    return plain(amount.quantize(Decimal("0.01")))


def _end(number: int, state: State, trouble: str) -> None:
    unfinished = Backtest.objects.filter(pk=number, state__in=(State.WAITING, State.RUNNING))
    unfinished.update(state=state, trouble=trouble[:300], stage="", ended_at=timezone.now())


def cancel(number: int) -> None:
    """End a run that is not over; its process notices within half a second."""
    _end(number, State.CANCELLED, "")


def lower_priority() -> None:
    """Let everything else on the machine go first."""
    os.nice(NICE)
