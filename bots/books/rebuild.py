"""Cells and round trips computed again from the fills alone, and what differs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

from django.db import transaction

from bots import models as rows
from bots.engine import decide
from bots.grid import ids
from bots.grid.accounting import RoundTrip
from bots.grid.carry import AMOUNTS
from bots.grid.cells import Cell, Grid
from bots.grid.trailing import Shift, lay
from market import types
from market.models import Instrument
from market.types import Side, Tick
from risk.rules import halted

# What fills determine. Attempts and turned sides follow from orders and limits instead.
_CELL_FACTS = (
    "trip", "bought", "held", "cost", "buy_fee", "sold", "proceeds", "exited", "opened",
)  # fmt: skip
_CONSERVED = ("held", "cost", "buy_fee", "sold", "proceeds")  # by every succession
_TRIP_FACTS = [field.name for field in fields(RoundTrip) if field.name not in {"opened", "closed"}]


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """One config, computed again."""

    config: rows.GridConfig
    grid: Grid
    trips: tuple[RoundTrip, ...]
    fills: int


def rebuild(config: rows.GridConfig) -> Rebuilt | None:
    """Book all fills of a config again, from how it began; None before it was built."""
    found = list(config.cells.order_by("index"))
    if not found:
        return None
    pair = Instrument.objects.get(symbol=config.bot.symbol).to_domain()
    cells = _as_taken_over(config) or _as_built(config, found)
    booked = rows.Fill.objects.filter(order__config=config, booked=True).select_related("order")
    fills = [row.to_domain() for row in booked]
    nowhere = Tick(
        pair.symbol, pair.tick, pair.tick, pair.tick, 0
    )  # a halted grid looks at no price
    grid, trips = Grid(config.grid_name, pair, cells), []
    waiting = fills
    for shift in config.shifts.order_by("id"):
        due = [fill for fill in waiting if _comes_before(fill, shift)]
        waiting = [fill for fill in waiting if fill not in due]
        decision = decide(grid, due, (), nowhere, halted("rebuilding"))
        trips += decision.round_trips
        grid = lay(decision.grid, _shift(shift))
    decision = decide(grid, waiting, (), nowhere, halted("rebuilding"))
    return Rebuilt(config, decision.grid, (*trips, *decision.round_trips), len(fills))


def _comes_before(fill: types.Fill, shift: rows.Shift) -> bool:
    """Whether a fill is of the cell's trips before it was laid on top."""
    slot = ids.slot(fill.client_id)
    return slot is not None and slot.cell == shift.cell and slot.trip < shift.trip


def _shift(row: rows.Shift) -> Shift:
    return Shift(**{field.name: getattr(row, field.name) for field in fields(Shift)})


def _as_taken_over(config: rows.GridConfig) -> tuple[Cell, ...]:
    """The cells as their version began, by what it took over; none when it succeeded no other."""
    return tuple(
        Cell(**{**{name: getattr(row, name) for name in row.FACTS}, "side": Side(row.side)})
        for row in config.openings.order_by("index")
    )


def _as_built(config: rows.GridConfig, found: Sequence[rows.Cell]) -> tuple[Cell, ...]:
    """The untouched ladder."""
    began = {row.cell: row for row in config.shifts.order_by("-id")}  # the first of each cell
    entries = set(config.round_trips.filter(trip=0, entry=True).values_list("cell", flat=True))
    return tuple(
        Cell(
            index=row.index,
            low=began[row.index].was_low if row.index in began else row.low,
            high=began[row.index].was_high if row.index in began else row.high,
            quantity=began[row.index].was_quantity if row.index in began else row.quantity,
            entry=row.index in entries or (row.trip == 0 and row.entry),
        )
        for row in found
    )


def differences(again: Rebuilt) -> Iterator[str]:
    """What the rows say otherwise than the fills do, in words."""
    yield from _lost_in_succession(again)
    kept = {row.index: row for row in again.config.cells.all()}
    for cell in _as_left(again):
        for name in _CELL_FACTS:
            ours, theirs = getattr(kept[cell.index], name), getattr(cell, name)
            if ours != theirs:
                yield f"{again.config} cell {cell.index} {name}: {ours} kept, {theirs} by its fills"
    trips = {(row.cell, row.trip): row for row in again.config.round_trips.all()}
    for trip in again.trips:
        row = trips.pop((trip.cell, trip.trip), None)
        if row is None:
            yield f"{again.config} cell {trip.cell} trip {trip.trip} is missing"
            continue
        for name in _TRIP_FACTS:
            if getattr(row, name) != getattr(trip, name):
                yield (
                    f"{again.config} cell {trip.cell} trip {trip.trip} {name}: "
                    f"{getattr(row, name)} kept, {getattr(trip, name)} by its fills"
                )
    for cell_index, number in trips:
        yield f"{again.config} cell {cell_index} trip {number} has no fills"


def _heir(config: rows.GridConfig) -> rows.GridConfig | None:
    """The version that took a config's cells over, if one did."""
    later = config.bot.configs.filter(version__gt=config.version, openings__isnull=False)
    found: rows.GridConfig | None = later.order_by("version").first()
    return found


def _as_left(again: Rebuilt) -> Sequence[Cell]:
    """The cells as their rows should be: emptied, when another version took them over."""
    if _heir(again.config) is None:
        return again.grid.cells
    emptied = dict.fromkeys(AMOUNTS, types.ZERO)
    return [replace(cell, **emptied, opened=0, exited=False) for cell in again.grid.cells]


def _lost_in_succession(again: Rebuilt) -> Iterator[str]:
    """What another version took over must be what the fills left in these cells."""
    heir = _heir(again.config)
    if heir is None:
        return
    openings = list(heir.openings.all())
    for name in _CONSERVED:
        left = sum((getattr(cell, name) for cell in again.grid.cells), types.ZERO)
        taken = sum((getattr(row, name) for row in openings), types.ZERO)
        if left != taken:
            yield f"{heir} took {name} {taken} over, {left} by the fills of {again.config}"


@transaction.atomic
def write(again: Rebuilt) -> None:
    """Replace what is kept by what the fills say."""
    config = again.config
    rows.Bot.objects.select_for_update().get(pk=config.bot_id)
    kept = {row.index: row for row in config.cells.all()}
    for cell in _as_left(again):
        for name in _CELL_FACTS:
            setattr(kept[cell.index], name, getattr(cell, name))
    rows.Cell.objects.bulk_update(kept.values(), _CELL_FACTS)
    config.round_trips.all().delete()
    rows.RoundTrip.objects.bulk_create(_trip_row(config, trip) for trip in again.trips)


def _trip_row(config: rows.GridConfig, trip: RoundTrip) -> rows.RoundTrip:
    facts = {name: getattr(trip, name) for name in _TRIP_FACTS}
    return rows.RoundTrip(
        bot_id=config.bot_id,
        config=config,
        opened=types.moment(trip.opened),
        closed=types.moment(trip.closed),
        **facts,
    )
