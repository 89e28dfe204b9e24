"""What each cell wants to rest on the book now, or why it wants nothing."""

from dataclasses import dataclass
from decimal import Decimal

from bots.grid.cells import Cell, Grid
from bots.grid.ids import Slot, client_id
from market.types import ONE, OrderRequest, Side, Tick, TimeInForce
from risk.rules import Limits

ENTRY_TRIES = 3  # then the cell bids at its level like any other
SLIPPAGE_CAP = Decimal("0.005")  # of the ask, for purchases at the market


@dataclass(frozen=True, slots=True)
class Idle:
    """A cell without an order, and the reason in words."""

    cell: int
    reason: str


def want(grid: Grid, cell: Cell, price: Tick, limits: Limits) -> OrderRequest | Idle:
    """The one order this cell wants now, or why it wants none."""
    blocked = limits.no_buys if cell.side is Side.BUY else limits.no_sells
    if blocked:
        return Idle(cell.index, blocked)
    held = grid.instrument.quantity(cell.held)
    quantity = cell.missing if cell.side is Side.BUY else held
    limit, time_in_force = _terms(grid, cell, price)
    return OrderRequest(
        client_id=client_id(Slot(grid.name, cell.index, cell.trip, cell.side, cell.attempt)),
        symbol=grid.instrument.symbol,
        side=cell.side,
        price=limit,
        quantity=quantity,
        time_in_force=time_in_force,
    )


def _terms(grid: Grid, cell: Cell, price: Tick) -> tuple[Decimal, TimeInForce]:
    """Price and time in force of the cell's next order.

    The purchase at the start takes from the book, bounded by the slippage cap and by the cell's
    own level. Otherwise orders are post-only; where that was refused the level has been passed,
    and the same limit without post-only can only do better than its price.
    """
    if cell.side is Side.BUY and cell.entry and cell.attempt < ENTRY_TRIES:
        bound = grid.instrument.price_down(price.ask * (ONE + SLIPPAGE_CAP))
        return min(cell.low, bound), TimeInForce.IOC
    if cell.crossed:
        return cell.price, TimeInForce.GTC
    return cell.price, TimeInForce.POST_ONLY
