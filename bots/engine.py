"""The one idea: from its cells, fills, orders, the price and its limits, what a grid wants next."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import NamedTuple, Protocol, TypeVar

from bots.grid import ids
from bots.grid.accounting import RoundTrip, book, turn
from bots.grid.cells import Cell, Grid
from bots.grid.trailing import Shift, Trail, lay, rise
from bots.grid.wants import Idle, want
from market.exchange import Cancelled, Exchange, Placed
from market.types import Fill, Order, OrderRequest, OrderStatus, Side, Tick, TimeInForce
from risk.rules import Limits

Item = TypeVar("Item")

CANCELLABLE = frozenset({OrderStatus.OPEN, OrderStatus.PARTIAL, OrderStatus.CANCEL_UNKNOWN})


@dataclass(frozen=True, slots=True)
class OwnOrder:
    """An order of the grid that is not settled yet."""

    order: Order
    booked: Decimal  # base in fills that we have of it
    parked: str = ""  # why its cell waits although the order is over, e.g. a recent refusal
    acts_as: str = ""  # the id it would have in this grid, when an earlier version placed it

    @property
    def name(self) -> str:
        """The client id by which this grid knows it; the exchange knows it by the order's own."""
        return self.acts_as or self.order.client_id

    @property
    def is_over(self) -> bool:
        """Closed on the exchange, with every fill of it in our books."""
        return self.order.status.is_closed and self.booked >= self.order.filled


@dataclass(frozen=True, slots=True)
class Decision:
    """What one look at the grid concluded."""

    grid: Grid  # after the fills and the settled orders
    round_trips: tuple[RoundTrip, ...]
    settled: tuple[str, ...]  # client ids of orders that are over and done with
    cancel: tuple[Order, ...]
    place: tuple[OrderRequest, ...]
    idle: tuple[Idle, ...]
    shift: Shift | None = None  # the step up that a trailing grid has taken
    held_down: str = ""  # why it takes none although the price calls for it

    @property
    def is_quiet(self) -> bool:
        """Nothing to do: what rests is what is wanted."""
        return not self.cancel and not self.place


def decide(
    grid: Grid,
    fills: Iterable[Fill],
    orders: Sequence[OwnOrder],
    price: Tick,
    limits: Limits,
    *,
    trail: Trail | None = None,
) -> Decision:
    """What should rest now, as the difference from what does. Pure: no clock, no I/O.

    `fills` are those not yet booked in the grid, `orders` all that are not settled; `trail` is for
    a grid that follows a rising price. Asked again with what it answered carried out, it answers
    that nothing is to be done.
    """
    grid, trips = _book(grid, fills)
    grid, settled = _settle(grid, orders)
    live = _by_cell(orders, settled)
    grid = _turn_early(grid, live, limits)
    shift, held_down = _step(grid, live, price, limits, trail)
    if shift is not None:
        grid = lay(grid, shift)
    cancel: list[Order] = []
    place: list[OrderRequest] = []
    idle: list[Idle] = []
    for cell in grid.cells:
        wanted = want(grid, cell, price, limits)
        standing = live[cell.index]
        cancel.extend(own.order for own in standing if _is_unwanted(own, wanted))
        parked = next((own.parked for own in standing if own.parked), "")
        if parked:
            idle.append(Idle(cell.index, parked))
        elif isinstance(wanted, Idle):
            idle.append(wanted)
        elif not standing:
            place.append(wanted)
    return Decision(
        grid, trips, settled, tuple(cancel), tuple(place), tuple(idle), shift, held_down
    )


def _book(grid: Grid, fills: Iterable[Fill]) -> tuple[Grid, tuple[RoundTrip, ...]]:
    """Book fills in the exchange's order, whatever the order they came in."""
    trips: list[RoundTrip] = []
    for fill in sorted(fills, key=lambda fill: (fill.time, fill.exec_id)):
        slot = ids.slot(fill.client_id)
        if slot is None or slot.grid != grid.name:
            raise ValueError(f"fill {fill.exec_id} of {fill.client_id} is not of {grid.name}")
        cell = grid.cells[slot.cell]
        if (slot.trip, slot.side) == (cell.trip, Side.SELL) and cell.side is Side.BUY:
            cell = turn(cell)  # it turned early; its fills alone must rebuild it
        cell, trip = book(cell, fill, grid.instrument, is_exit=slot.is_exit)
        grid = grid.with_cell(cell)
        if trip is not None:
            trips.append(trip)
    return grid, tuple(trips)


def _settle(grid: Grid, orders: Sequence[OwnOrder]) -> tuple[Grid, tuple[str, ...]]:
    """Take orders that are over off their cells; one that came to nothing raises the attempt."""
    settled: list[str] = []
    for own in orders:
        slot = ids.slot(own.name)
        if slot is None or own.parked or not own.is_over:
            continue
        settled.append(own.order.client_id)
        cell = grid.cells[slot.cell]
        if slot.trip == cell.trip and slot.attempt == cell.attempt and _is_current(slot, cell):
            passed = own.order.post_only_refused
            grid = grid.with_cell(replace(cell, attempt=cell.attempt + 1, crossed=passed))
    return grid, tuple(settled)


def _is_current(slot: ids.Slot, cell: Cell) -> bool:
    """Whether the slot is of the kind that the cell's attempts now count; exits share them."""
    return slot.is_exit or slot.side is cell.side


def _by_cell(orders: Sequence[OwnOrder], settled: tuple[str, ...]) -> dict[int, list[OwnOrder]]:
    """The orders that still occupy each cell."""
    live: dict[int, list[OwnOrder]] = defaultdict(list)
    for own in orders:
        slot = ids.slot(own.name)
        if slot is not None and own.order.client_id not in settled:
            live[slot.cell].append(own)
    return live


def _turn_early(grid: Grid, live: Mapping[int, Sequence[OwnOrder]], limits: Limits) -> Grid:
    """Let half-filled cells that may not go on buying sell what they have."""
    if not limits.no_buys:
        return grid
    for cell in grid.cells:
        sellable = grid.instrument.tradable(cell.high, grid.instrument.quantity(cell.held))
        if cell.side is Side.BUY and cell.bought and sellable and not live.get(cell.index):
            grid = grid.with_cell(turn(cell))
    return grid


def _step(
    grid: Grid,
    live: Mapping[int, Sequence[OwnOrder]],
    price: Tick,
    limits: Limits,
    trail: Trail | None,
) -> tuple[Shift | None, str]:
    """The step up that a trailing grid takes, or why it takes none though the price calls for it.

    The cell's old buy may still rest: it is cancelled, and only when it is dead the cell bids at
    its new place, with the quote that is free again.
    """
    found = rise(grid, trail, price) if trail is not None else ""
    if isinstance(found, str):
        return None, found
    if limits.no_buys:
        return None, limits.no_buys
    if any(own.order.status is not OrderStatus.OPEN for own in live.get(found.cell, ())):
        return None, "the lowest cell's order is on its way"
    return found, ""


def _is_unwanted(own: OwnOrder, wanted: OrderRequest | Idle) -> bool:
    if own.order.status not in CANCELLABLE:
        return False
    return isinstance(wanted, Idle) or wanted.client_id != own.name


def adoptable(
    orders: Iterable[OwnOrder], heir: Grid, price: Tick, limits: Limits
) -> Mapping[str, OrderRequest]:
    """By client id, the untouched resting orders that `heir` would place just so, and as what.

    An order that was filled in part stays with the grid that placed it, which has booked that.
    """
    wishes: dict[tuple[Side, Decimal, Decimal], OrderRequest] = {}
    for cell in heir.cells:
        wanted = want(heir, cell, price, limits)
        if isinstance(wanted, OrderRequest) and wanted.time_in_force is not TimeInForce.IOC:
            wishes[wanted.side, wanted.price, wanted.quantity] = wanted
    kept: dict[str, OrderRequest] = {}
    for own in orders:
        order = own.order
        untouched = order.status is OrderStatus.OPEN and not order.filled and not own.booked
        place = order.side, order.price, order.quantity
        if untouched and (wish := wishes.pop(place, None)):
            kept[order.client_id] = wish
    return kept


class Permit(NamedTuple):
    """The orders that may go on the wire, and until when (time.monotonic)."""

    orders: Sequence[OrderRequest]
    by: float


class Journal(Protocol):
    """Where the carrying out of a decision is written down, before and after each request."""

    def placing(self, orders: Sequence[OrderRequest]) -> Permit:
        """Commit that these go on the wire now, and answer with those that still may."""

    def placed(self, outcomes: Iterable[tuple[OrderRequest, Placed]]) -> None:
        """Write down what came of each."""

    def cancelling(self, orders: Sequence[Order]) -> Sequence[Order]:
        """Commit that these cancels are asked for now, and answer with those that still may."""

    def cancelled(self, outcomes: Iterable[tuple[Order, Cancelled]]) -> None:
        """Write down what came of each."""


def carry_out(decision: Decision, exchange: Exchange, journal: Journal) -> None:
    """Send a decision's cancels, then its orders, a batch at a time: the engine's only I/O.

    No answer stops the rest: what came of each is written down and the next batch is sent.
    """
    for some in _batches(decision.cancel, exchange.batch):
        if asked := journal.cancelling(some):
            came = exchange.cancel_many([(order.symbol, order.client_id) for order in asked])
            journal.cancelled(zip(asked, came, strict=True))
    for wanted in _batches(decision.place, exchange.batch):
        orders, by = journal.placing(wanted)
        if orders:
            journal.placed(zip(orders, exchange.place_many(orders, by), strict=True))


def _batches(items: Sequence[Item], size: int) -> Iterable[Sequence[Item]]:
    return (items[start : start + size] for start in range(0, len(items), size))
