"""The grid as it stands: cells that buy at their low and sell at their high."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from bots.grid.levels import GridSpec, InvalidGrid, Sizing, levels
from market.types import ONE, ZERO, Instrument, Side, plain

# What is bought must be large enough to be sold again after any fee we may meet (1 %).
AFTER_FEES = Decimal("0.99")


class Position(StrEnum):
    """Where the price stands to a ladder."""

    IN_RANGE = "in range"
    ABOVE = "above"
    BELOW = "below"


@dataclass(frozen=True, slots=True)
class Cell:
    """One step of the ladder and what it holds. Money is quote, quantities are base.

    A cell makes round trips: it buys `quantity` at `low`, then sells what it holds at `high`.
    What cannot be sold because it is less than a lot is dust: it stays in `held` at no cost.
    """

    index: int
    low: Decimal
    high: Decimal
    quantity: Decimal  # to buy in each trip, on the lot
    trip: int = 0
    side: Side = Side.BUY
    attempt: int = 0  # orders of this trip and side that came to nothing
    entry: bool = False  # this trip's purchase is the initial one, at the market
    crossed: bool = False  # the last order was refused for being post-only: its level is passed
    bought: Decimal = ZERO  # in this trip, before fees
    held: Decimal = ZERO  # after fees, dust of earlier trips included
    cost: Decimal = ZERO  # of what is held, fees paid in quote included
    buy_fee: Decimal = ZERO  # the part of `cost` that is fees
    sold: Decimal = ZERO  # in this trip
    proceeds: Decimal = ZERO  # of what was sold in this trip, fees paid in quote taken off
    exited: bool = False  # part of this trip was sold to leave the market
    opened: int = 0  # exchange time of the trip's first fill, ms; 0 before it

    @property
    def missing(self) -> Decimal:
        """What is still to be bought in this trip."""
        return self.quantity - self.bought

    @property
    def price(self) -> Decimal:
        """Where the cell's next order belongs."""
        return self.low if self.side is Side.BUY else self.high


@dataclass(frozen=True, slots=True)
class Grid:
    """A ladder of cells on one instrument; `name` begins the client id of each of its orders.

    Cells stand by their index, which is theirs for good; by price they stand so only until the
    ladder trails up.
    """

    name: str
    instrument: Instrument
    cells: tuple[Cell, ...]

    @property
    def lower(self) -> Decimal:
        return min(cell.low for cell in self.cells)

    @property
    def upper(self) -> Decimal:
        return max(cell.high for cell in self.cells)

    def position(self, price: Decimal) -> Position:
        """Where a price stands; on the lowest or the highest level it is in range."""
        if price < self.lower:
            return Position.BELOW
        return Position.ABOVE if price > self.upper else Position.IN_RANGE

    def with_cell(self, cell: Cell) -> "Grid":
        """The grid with one cell replaced."""
        cells = (*self.cells[: cell.index], cell, *self.cells[cell.index + 1 :])
        return replace(self, cells=cells)


def build(name: str, spec: GridSpec, instrument: Instrument, price: Decimal) -> Grid:
    """The grid that starts at `price`: cells at or above it start by an entry at the market.

    Equal base: q = floor_lot(C (1 - reserve) / sum of cost_i). Equal quote: q_i =
    floor_lot(C (1 - reserve) / N / cost_i). cost_i is the cell's low, or `price` for an entry.
    Raises InvalidGrid when the capital is too small for the exchange's least order.
    """
    ladder = levels(spec, instrument)
    lows, highs = ladder[:-1], ladder[1:]
    costs = [min(low, price) for low in lows]
    quantities = _quantities(spec, instrument, costs)
    cells = tuple(
        Cell(index=i, low=low, high=high, quantity=quantity, entry=low >= price)
        for i, (low, high, quantity) in enumerate(zip(lows, highs, quantities, strict=True))
    )
    for cell, cost in zip(cells, costs, strict=True):
        if not instrument.tradable(cost, instrument.quantity(cell.quantity * AFTER_FEES)):
            raise InvalidGrid(
                "capital",
                f"{plain(spec.capital)} {instrument.quote} over {spec.grids} grids buys "
                f"{plain(cell.quantity)} {instrument.base} a cell; what is left of it after fees "
                f"must be {plain(instrument.lot)} {instrument.base} and "
                f"{plain(instrument.min_notional)} {instrument.quote} or more",
            )
    return Grid(name=name, instrument=instrument, cells=cells)


def _quantities(
    spec: GridSpec, instrument: Instrument, costs: Sequence[Decimal]
) -> Sequence[Decimal]:
    usable = spec.capital * (ONE - spec.reserve)
    if spec.sizing is Sizing.BASE:
        return [instrument.quantity(usable / sum(costs, ZERO))] * len(costs)
    return [instrument.quantity(usable / len(costs) / cost) for cost in costs]
