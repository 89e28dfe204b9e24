"""What an edit would do: the truth about the new version, and which orders and coins it touches."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from bots import handover, runner, store
from bots.control import changed
from bots.engine import decide
from bots.grid.cells import Grid
from bots.models import Bot, GridConfig
from bots.preview import Preview, preview, report
from market.exchange import Exchange
from market.types import ZERO, Order, OrderRequest, plain

Report = dict[str, Any]


def look_at(exchange: Exchange, bot: Bot, changes: Mapping[str, Any]) -> tuple[Preview, Report]:
    """The truth card of the version that an edit would make, and what it would touch.

    Raises InvalidGrid for a version that cannot be built, NotPossible for a bot without a grid,
    ExchangeError when the market is not known. Nothing is changed.
    """
    to_be = changed(bot, changes)
    found = preview(exchange, bot.symbol, to_be, instead_of=bot)
    return found, {**report(found), "edit": _touched(bot, to_be, found)}


def _touched(bot: Bot, to_be: GridConfig, found: Preview) -> Report:
    loaded = store.load(bot.config, found.instrument) if bot.config else None
    if loaded is None or bot.config is None:
        return {"version": to_be.version, "kept": [], "cancelled": [], "placed": [], "coins": []}
    limits = runner.limits_of(bot)
    plan = handover.plan(loaded, bot.config, to_be, found.tick, limits)
    after = decide(plan.heir, (), (), found.tick, limits)
    taken = {wish.client_id for wish in plan.kept.values()}
    resting = {own.order.client_id: own.order for own in loaded.orders}
    return {
        "version": to_be.version,
        "kept": [_order(resting[name]) for name in plan.kept],
        "cancelled": [_order(order) for order in plan.decision.cancel],
        "placed": [_order(order) for order in after.place if order.client_id not in taken],
        "coins": list(_coins(plan.decision.grid, plan.heir)),
    }


def _order(order: Order | OrderRequest) -> Report:
    return {
        "side": order.side.value,
        "price": plain(order.price),
        "quantity": plain(order.quantity),
    }


def _coins(before: Grid, after: Grid) -> Iterable[Report]:
    """Which cells hold how much at which cost, before and after; the sums are the same."""
    was = {(cell.low, cell.high): (cell.held, cell.cost) for cell in before.cells}
    will = {(cell.low, cell.high): (cell.held, cell.cost) for cell in after.cells}
    nothing: tuple[Decimal, Decimal] = (ZERO, ZERO)
    for low, high in sorted(was.keys() | will.keys()):
        (held, cost), (gets, at) = was.get((low, high), nothing), will.get((low, high), nothing)
        if held or gets:
            yield {
                "low": plain(low),
                "high": plain(high),
                "held": plain(held),
                "cost": plain(cost),
                "will_hold": plain(gets),
                "at_cost": plain(at),
            }
