"""Trailing up: a grid that follows a rising price one cell at a time, and never goes down.

Bybit's rule: once the price is a whole step above the highest level, the lowest cell, which is
empty, gives its buy up and is laid on top; it buys there with the quote that this freed, at a
limit below the price. Nothing is bought at the market and nothing is realised.
"""

from dataclasses import dataclass, replace
from decimal import Decimal

from bots.grid.cells import AFTER_FEES, Cell, Grid
from bots.grid.levels import GridSpec, InvalidGrid, level
from market.types import ONE, Instrument, Side, Tick, plain

FEWEST_GRIDS = 5  # as Bybit asks for
HOURLY = 4
MOST_STEPS = 500  # looked ahead
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Trailing:
    """How far and how fast a person lets a grid go up."""

    cap: Decimal | None = None  # no level lies above it
    hourly: int = HOURLY  # steps in any hour of the exchange's clock, at the most
    fee: Decimal = Decimal("0.001")  # a step that would not pay its own fees is not taken


@dataclass(frozen=True, slots=True)
class Shift:
    """One cell that went from the foot of the ladder to its top."""

    cell: int
    trip: int  # the first one at the new place
    was_low: Decimal
    was_high: Decimal
    was_quantity: Decimal
    low: Decimal
    high: Decimal
    quantity: Decimal
    price: Decimal  # that called for it
    time: int  # exchange clock, ms


@dataclass(frozen=True, slots=True)
class Trail:
    """How far a grid has gone."""

    spec: GridSpec  # as it stands now
    rule: Trailing
    times: tuple[int, ...] = ()  # of the latest shifts, exchange clock, ms

    def after(self, shift: Shift) -> "Trail":
        """The same after one more shift."""
        spec = replace(self.spec, shift=self.spec.shift + 1)
        return replace(self, spec=spec, times=(*self.times, shift.time)[-self.rule.hourly :])

    def next_level(self, instrument: Instrument) -> Decimal:
        """The price at which the next cell goes up, and the top of that cell then."""
        return level(self.spec, instrument, self.spec.shift + self.spec.grids + 1)


def check(spec: GridSpec, rule: Trailing) -> None:
    """Raises InvalidGrid when a grid could not trail so."""
    if spec.grids < FEWEST_GRIDS:
        raise InvalidGrid(
            "trailing_up", f"{spec.grids} grids do not trail; {FEWEST_GRIDS} or more do"
        )
    if rule.hourly < 1:
        raise InvalidGrid("trailing_hourly", "one step an hour or more is accepted")
    if rule.cap is not None and rule.cap <= spec.upper:
        raise InvalidGrid(
            "trailing_cap", f"the cap must lie above the upper price {plain(spec.upper)}"
        )


def rise(grid: Grid, trail: Trail, price: Tick) -> Shift | str:
    """The step up that this price calls for; else why none is taken, "" when none is called for."""
    instrument = grid.instrument
    high = trail.next_level(instrument)
    if price.last < high:
        return ""
    lowest, top = min(grid.cells, key=lambda cell: cell.low), grid.upper
    shift = Shift(
        cell=lowest.index,
        trip=lowest.trip + 1,
        was_low=lowest.low,
        was_high=lowest.high,
        was_quantity=lowest.quantity,
        low=top,
        high=high,
        quantity=instrument.quantity(lowest.quantity * lowest.low / top),
        price=price.last,
        time=price.time,
    )
    return _trouble(shift, lowest, trail, instrument) or shift


def climb(grid: Grid, trail: Trail, price: Tick) -> tuple[Grid, int, str]:
    """The grid after all steps that a lasting price calls for, their number, and what holds it.

    How many may be taken in an hour makes it only later. The last is "" when it has caught up.
    """
    for steps in range(MOST_STEPS):
        shift = rise(grid, replace(trail, times=()), price)
        if isinstance(shift, str):
            return grid, steps, shift
        grid, trail = lay(grid, shift), trail.after(shift)
    return grid, MOST_STEPS, f"more than {MOST_STEPS} steps are not looked ahead"


def _trouble(shift: Shift, lowest: Cell, trail: Trail, instrument: Instrument) -> str:
    """Why a step is not taken, or ""."""
    rule, low, high = trail.rule, shift.low, shift.high
    lately = [each for each in trail.times if shift.time - each < HOUR_MS]
    if rule.cap is not None and high > rule.cap:
        return f"the next level {plain(high)} is above the cap {plain(rule.cap)}"
    if len(lately) >= rule.hourly:
        return f"{len(lately)} steps were taken within an hour, as many as may be"
    if lowest.side is Side.SELL or lowest.bought:
        return f"the lowest cell, at {plain(lowest.low)}, holds coins"
    if (ONE - rule.fee) ** 2 * high <= low:
        return f"a round trip from {plain(low)} to {plain(high)} would not pay its fees"
    if not instrument.tradable(low, instrument.quantity(shift.quantity * AFTER_FEES)):
        freed = f"{plain(shift.quantity)} {instrument.base}"
        return f"the freed quote buys {freed}: too small an order"
    return ""


def lay(grid: Grid, shift: Shift) -> Grid:
    """The grid after a shift. What is in the cell, dust mostly, goes with it."""
    cell = grid.cells[shift.cell]
    return grid.with_cell(
        replace(
            cell,
            low=shift.low,
            high=shift.high,
            quantity=shift.quantity,
            trip=shift.trip,
            side=Side.BUY,
            attempt=0,
            entry=False,
            crossed=False,
        )
    )
