"""What fills do to a cell, what a round trip earned, and where the grid stands."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from bots.grid.cells import Cell, Grid
from market.types import ZERO, Fill, Instrument, Side

_STORED = Decimal("1e-18")  # the finest amount that is kept


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """One bought-and-sold passage of a cell. All money is quote, net of fees."""

    cell: int
    trip: int
    entry: bool
    bought: Decimal
    sold: Decimal
    cost: Decimal
    proceeds: Decimal
    grid_profit: Decimal
    inventory_pnl: Decimal  # what entering or leaving at the market made or lost
    opened: int  # exchange clock, ms
    closed: int

    @property
    def profit(self) -> Decimal:
        """Sale proceeds after fee less the cost of what was bought."""
        return self.grid_profit + self.inventory_pnl


@dataclass(frozen=True, slots=True)
class Standing:
    """Where open cells stand at a price. Base is what they hold; money is quote."""

    base: Decimal
    cost: Decimal
    floating: Decimal  # value at the price, and sold so far in open trips, less cost


def book(
    cell: Cell, fill: Fill, instrument: Instrument, *, is_exit: bool = False
) -> tuple[Cell, RoundTrip | None]:
    """The cell after one of its fills, and the round trip that this fill closed, if any.

    A trip that an exit ended earned nothing by the grid: all of its result is inventory PnL. A
    fee paid in a third coin counts as the quote that the coin was worth at the fill.
    """
    base_fee = fill.fee if fill.fee_coin == instrument.base else ZERO
    quote_fee = fill.fee if fill.fee_coin == instrument.quote else fill.fee_worth
    opened = cell.opened or fill.time
    if fill.side is Side.BUY:
        bought = replace(
            cell,
            bought=cell.bought + fill.quantity,
            held=cell.held + fill.quantity - base_fee,
            cost=cell.cost + fill.notional + quote_fee,
            buy_fee=cell.buy_fee + quote_fee,
            opened=opened,
        )
        return _turn_when_bought(bought, instrument), None
    sold = replace(
        cell,
        held=cell.held - fill.quantity - base_fee,
        sold=cell.sold + fill.quantity,
        proceeds=cell.proceeds + fill.notional - quote_fee,
        opened=opened,
        exited=cell.exited or is_exit,
    )
    return _close_when_sold(sold, fill.time, instrument)


def turn(cell: Cell) -> Cell:
    """The cell, from now on selling what it holds."""
    return replace(cell, side=Side.SELL, attempt=0, crossed=False)


def _turn_when_bought(cell: Cell, instrument: Instrument) -> Cell:
    if cell.side is Side.BUY and not instrument.tradable(cell.low, cell.missing):
        return turn(cell)
    return cell


def _close_when_sold(
    cell: Cell, time: int, instrument: Instrument
) -> tuple[Cell, RoundTrip | None]:
    """Close the trip when what is left cannot be sold; less than a lot is dust, at no cost.

    A rest of a lot or more that is too small an order keeps its share of the cost.
    """
    if cell.side is Side.BUY or instrument.tradable(cell.high, instrument.quantity(cell.held)):
        return cell, None
    kept = ZERO
    if cell.held >= instrument.lot:
        kept = (cell.cost * cell.held / (cell.held + cell.sold)).quantize(_STORED)
    kept_fee = cell.buy_fee * kept / cell.cost if kept else ZERO
    cost = cell.cost - kept
    trip = RoundTrip(
        cell=cell.index,
        trip=cell.trip,
        entry=cell.entry,
        bought=cell.bought,
        sold=cell.sold,
        cost=cost,
        proceeds=cell.proceeds,
        grid_profit=cell.proceeds - cost - (inventory := _inventory_pnl(cell, cost)),
        inventory_pnl=inventory,
        opened=cell.opened,
        closed=time,
    )
    empty = Cell(
        index=cell.index,
        low=cell.low,
        high=cell.high,
        quantity=cell.quantity,
        trip=cell.trip + 1,
        held=cell.held,
        cost=kept,
        buy_fee=kept_fee.quantize(_STORED),
    )
    return empty, trip


def _inventory_pnl(cell: Cell, cost: Decimal) -> Decimal:
    """The part of a trip's result that is not the grid's: of an entry's price, or of an exit."""
    if cell.exited:
        return cell.proceeds - cost
    return _at_level(cell) - cell.cost if cell.entry else ZERO


def _at_level(cell: Cell) -> Decimal:
    """What the purchase would have cost at the cell's level, with the same fee rate."""
    at_level = cell.low * cell.bought
    notional = cell.cost - cell.buy_fee
    if not cell.buy_fee or not notional:
        return at_level
    return at_level + (cell.buy_fee * at_level / notional).quantize(_STORED)


def standing(cells: Iterable[Cell], price: Decimal) -> Standing:
    """What the cells hold and what it would show at `price`, before exit fees."""
    base = cost = proceeds = ZERO
    for cell in cells:
        base += cell.held
        cost += cell.cost
        proceeds += cell.proceeds
    return Standing(base=base, cost=cost, floating=base * price + proceeds - cost)


def cash(grid: Grid, trips: Iterable[RoundTrip]) -> Decimal:
    """Change of quote since the grid began: what all trips took in less what they paid."""
    change = sum((trip.profit for trip in trips), ZERO)
    return change + sum((cell.proceeds - cell.cost for cell in grid.cells), ZERO)
