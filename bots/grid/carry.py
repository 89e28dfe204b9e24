"""An edit's succession: what a new version of a grid takes over from the one before it.

Nothing is bought, sold or realised by it: over all cells, every amount is the same before and
after, to the last digit.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal

from bots.grid.accounting import turn
from bots.grid.cells import AFTER_FEES, Cell, Grid, build
from bots.grid.levels import GridSpec
from market.types import ZERO, Instrument, Side

AMOUNTS = ("bought", "held", "cost", "buy_fee", "sold", "proceeds")
_STORED = Decimal("1e-18")  # the finest amount that is kept


def succeed(old: Grid, was: GridSpec, name: str, spec: GridSpec, price: Decimal) -> Grid:
    """The grid `spec` with all that `old`, built as `was`, holds, costs and has sold so far.

    A cell whose low and high stay goes on with its trip; only the next purchases are of the new
    size. What other cells held goes to the new cells at or above the price, nearest first.
    Raises InvalidGrid when `spec` cannot be built.
    """
    if spec == was:
        return replace(old, name=name)
    fresh = build(name, spec, old.instrument, price)
    former = {(cell.low, cell.high): cell for cell in old.cells}
    stays = {
        cell.index: former.pop((cell.low, cell.high))
        for cell in fresh.cells
        if (cell.low, cell.high) in former
    }
    cells = tuple(
        _go_on(stays[cell.index], cell, old.instrument) if cell.index in stays else cell
        for cell in fresh.cells
    )
    grid = replace(fresh, cells=cells)
    takers = [c for c in cells if c.index not in stays and c.low >= price]
    if not takers:  # all there is room for is the top cell, and its coins are for sale
        takers = [replace(cells[-1], side=Side.SELL)]
    for cell in _hand_over(_summed(former.values()), takers, old.instrument):
        grid = grid.with_cell(cell)
    return grid


def _go_on(known: Cell, new: Cell, instrument: Instrument) -> Cell:
    """The known cell at its new place, its next purchases of the new size."""
    return _facing(replace(known, index=new.index, quantity=new.quantity), instrument)


def _facing(cell: Cell, instrument: Instrument) -> Cell:
    """The cell on the side on which it has an order to place."""
    sellable = instrument.tradable(cell.high, instrument.quantity(cell.held))
    buyable = instrument.tradable(cell.low, cell.missing)
    full = cell.side is Side.SELL or cell.held >= cell.quantity * AFTER_FEES
    if sellable and (full or not buyable):
        return cell if cell.side is Side.SELL else turn(cell)
    if not buyable:
        # Too little to sell, too little missing to buy: it goes with the next whole purchase.
        cell = replace(cell, bought=ZERO, entry=False)
    if cell.side is Side.SELL:
        cell = replace(cell, attempt=0, crossed=False)
    return replace(cell, side=Side.BUY)


def _summed(cells: Iterable[Cell]) -> Cell:
    """All that these cells hold and have done in their open trips, as one."""
    load = Cell(index=0, low=ZERO, high=ZERO, quantity=ZERO)
    for cell in cells:
        sums = {name: getattr(load, name) + getattr(cell, name) for name in AMOUNTS}
        opened = min(filter(None, (load.opened, cell.opened)), default=0)
        load = replace(load, **sums, opened=opened, exited=load.exited or cell.exited)
    return load


def _hand_over(load: Cell, takers: Sequence[Cell], instrument: Instrument) -> Iterator[Cell]:
    """The takers with the load on them, split by what each gets of the coins."""
    if not any(getattr(load, name) for name in AMOUNTS):
        return
    parts = _parts(load.held, takers, instrument)
    left = {name: getattr(load, name) for name in AMOUNTS}
    for number, (taker, held) in enumerate(zip(takers, parts, strict=False), start=1):
        share = left
        if number < len(parts):
            share = {name: _share(load, name, held, instrument) for name in AMOUNTS}
            left = {name: left[name] - share[name] for name in AMOUNTS}
        yield _facing(_loaded(taker, load, share), instrument)


def _parts(held: Decimal, takers: Sequence[Cell], instrument: Instrument) -> Sequence[Decimal]:
    """Coins for the nearest takers until all are given; a surplus is spread over all of them."""
    room = sum((taker.quantity for taker in takers), ZERO)
    parts: list[Decimal] = []
    left = held
    for taker in takers:
        fair = instrument.quantity(held * taker.quantity / room) if held > room else taker.quantity
        parts.append(min(left, fair))
        left -= parts[-1]
        if left <= 0:
            break
    parts[-1] += left
    return parts


def _share(load: Cell, name: str, held: Decimal, instrument: Instrument) -> Decimal:
    if name == "held":
        return held
    share: Decimal = getattr(load, name) * held / load.held
    if name in {"bought", "sold"}:
        return instrument.quantity(share)
    return share.quantize(_STORED)


def _loaded(cell: Cell, load: Cell, share: dict[str, Decimal]) -> Cell:
    """The cell with a share of the load; as with an entry, its level was not what it was paid."""
    sums = {name: getattr(cell, name) + share[name] for name in AMOUNTS}
    opened = min(filter(None, (cell.opened, load.opened)), default=0)
    entry = cell.entry or share["bought"] > 0
    exited = cell.exited or load.exited
    return replace(cell, **sums, opened=opened, entry=entry, exited=exited)
