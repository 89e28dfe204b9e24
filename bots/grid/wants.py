"""What each cell wants to rest on the book now, or why it wants nothing."""

from dataclasses import dataclass
from decimal import Decimal

from bots.grid.cells import Cell, Grid
from bots.grid.ids import EXIT, Slot, client_id, kind_of
from market.types import ONE, OrderRequest, Side, Tick, TimeInForce
from risk.rules import Limits

ENTRY_TRIES = 3  # then the cell bids at its level like any other
# How far from the book's best price we take. Bybit refuses buys too far above the index and sells
# too far below it (170193, 170194): on BTC/USDT from 0.5 % on.
SLIPPAGE_CAP = Decimal("0.004")

Terms = tuple[Decimal, TimeInForce]


@dataclass(frozen=True, slots=True)
class Idle:
    """A cell without an order, and the reason in words."""

    cell: int
    reason: str


def want(grid: Grid, cell: Cell, price: Tick, limits: Limits) -> OrderRequest | Idle:
    """The one order this cell wants now, or why it wants none."""
    if limits.sell_out:
        return _exit(grid, cell, price, limits)
    blocked = limits.no_buys if cell.side is Side.BUY else limits.no_sells
    if blocked:
        return Idle(cell.index, blocked)
    quantity = cell.missing if cell.side is Side.BUY else grid.instrument.quantity(cell.held)
    return _request(grid, cell, kind_of(cell.side), quantity, _terms(grid, cell, price))


def _exit(grid: Grid, cell: Cell, price: Tick, limits: Limits) -> OrderRequest | Idle:
    """The sale of what the cell holds, taken from the book no lower than the slippage cap."""
    held = grid.instrument.quantity(cell.held)
    bound = _bound(grid, Side.SELL, price)
    if not grid.instrument.tradable(bound, held):
        return Idle(cell.index, limits.no_sells or "leaving the market")
    return _request(grid, cell, EXIT, held, (bound, TimeInForce.IOC))


def _request(grid: Grid, cell: Cell, kind: str, quantity: Decimal, terms: Terms) -> OrderRequest:
    slot = Slot(grid.name, cell.index, cell.trip, kind, cell.attempt)
    price, time_in_force = terms
    return OrderRequest(
        client_id(slot), grid.instrument.symbol, slot.side, price, quantity, time_in_force
    )


def _terms(grid: Grid, cell: Cell, price: Tick) -> Terms:
    """Price and time in force of the cell's next order.

    The purchase at the start takes from the book, bounded by the slippage cap and by the cell's
    own level. Otherwise orders are post-only; where that was refused the level has been passed,
    and the same limit without post-only can only do better than its price.
    """
    if cell.side is Side.BUY and cell.entry and cell.attempt < ENTRY_TRIES:
        return min(cell.low, _bound(grid, Side.BUY, price)), TimeInForce.IOC
    # A level that price has left far behind is outside Bybit's price band; taking no worse than
    # the slippage cap does better than the level.
    nearer = min if cell.side is Side.BUY else max
    limit = nearer(cell.price, _bound(grid, cell.side, price))
    return limit, TimeInForce.GTC if cell.crossed else TimeInForce.POST_ONLY


def _bound(grid: Grid, side: Side, price: Tick) -> Decimal:
    """The worst price at which we take from the book."""
    if side is Side.BUY:
        return grid.instrument.price_down(price.ask * (ONE + SLIPPAGE_CAP))
    return grid.instrument.price_up(price.bid * (ONE - SLIPPAGE_CAP))
