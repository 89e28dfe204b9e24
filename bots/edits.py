"""What an edit would do: the truth about the new version, and which orders and coins it touches.

A re-centring is an edit of the range, so that the price of this moment lies in its middle.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from bots import handover, runner, store
from bots.control import NotPossible, changed
from bots.engine import decide
from bots.grid.cells import Grid
from bots.grid.levels import InvalidGrid, Spacing
from bots.models import Bot, GridConfig
from bots.preview import PRICE_AGE, Preview, preview, report
from bots.terms import bounds_of
from market import ingest
from market.exchange import Exchange
from market.types import ONE, ZERO, Order, OrderRequest, plain

Report = dict[str, Any]


def look_at(exchange: Exchange, bot: Bot, changes: Mapping[str, Any]) -> tuple[Preview, Report]:
    """The truth card of the version that an edit would make, and what it would touch.

    Raises InvalidGrid for a version that cannot be built, NotPossible for a bot without a grid,
    ExchangeError when the market is not known. Nothing is changed.
    """
    found, touched = weigh(exchange, bot, changes)
    return found, {**report(found), "edit": touched}


def weigh(exchange: Exchange, bot: Bot, changes: Mapping[str, Any]) -> tuple[Preview, Report]:
    """The version that an edit would make, and what it would touch alone. Raises as `look_at`."""
    to_be = changed(bot, changes)
    found = preview(exchange, bot.symbol, to_be, instead_of=bot)
    return found, _touched(bot, to_be, found, found.plan.maker)


def centred(exchange: Exchange, bot: Bot) -> Mapping[str, Decimal]:
    """The range as wide as it is now, by its spacing, with the newest price in its middle.

    Raises NotPossible for a bot without a grid, InvalidGrid when such a range has no place above
    zero, ExchangeError when the market is not known.
    """
    if bot.config is None:
        raise NotPossible(f"{bot.name} has no grid yet; deploy one")
    instrument = ingest.instrument(exchange, bot.symbol)
    price = ingest.fresh_price(exchange, bot.symbol, PRICE_AGE).last
    lower, upper = bounds_of(bot.config)
    if bot.config.spacing == Spacing.GEOMETRIC:
        low = instrument.price(price / (upper / lower).sqrt())
        high = instrument.price(low * upper / lower)
    else:
        low = instrument.price(price - (upper - lower) / 2)
        high = low + upper - lower
    if low <= 0:
        raise InvalidGrid(
            "lower", f"a range of {plain(upper - lower)} around {plain(price)} would begin below 0"
        )
    return {"lower": low, "upper": high}


def due(exchange: Exchange, bot: Bot) -> Report:
    """The orders that the bot's next look leaves, cancels and places.

    Raises NotPossible for a bot without cells, ExchangeError when the market is not known.
    """
    instrument = ingest.instrument(exchange, bot.symbol)
    loaded = store.load(bot.config, instrument) if bot.config else None
    if loaded is None:
        raise NotPossible(f"{bot.name} has no orders yet: it waits for its start")
    price = ingest.fresh_price(exchange, bot.symbol, PRICE_AGE)
    limits = runner.limits_of(bot)
    found = decide(loaded.grid, loaded.fills, loaded.orders, price, limits, trail=loaded.trail)
    over = {*found.settled, *(order.client_id for order in found.cancel)}
    return {
        "kept": [_order(own.order) for own in loaded.orders if own.order.client_id not in over],
        "cancelled": [_order(order) for order in found.cancel],
        "placed": [_order(order) for order in found.place],
    }


def _touched(bot: Bot, to_be: GridConfig, found: Preview, maker: Decimal) -> Report:
    loaded = store.load(bot.config, found.instrument) if bot.config else None
    if loaded is None or bot.config is None:
        nothing = ("kept", "cancelled", "placed", "coins")
        return {"version": to_be.version, **{name: [] for name in nothing}, "sales": None}
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
        "sales": _sales(plan.decision.grid, plan.heir, maker),
    }


def _sales(before: Grid, after: Grid, maker: Decimal) -> Report:
    """What all coins held would earn against their cost, sold at their cells' levels; after fees.

    `loss` is the sum of those cells of the new version that would sell below their cost: that is
    what the edit makes real as they sell.
    """
    will = list(_results(after, maker))
    return {
        "before": plain(sum(_results(before, maker), ZERO)),
        "after": plain(sum(will, ZERO)),
        "loss": plain(sum((result for result in will if result < 0), ZERO)),
    }


def _results(grid: Grid, maker: Decimal) -> Iterable[Decimal]:
    for cell in grid.cells:
        sold = grid.instrument.quantity(cell.held)
        if sold:
            yield cell.proceeds + sold * cell.high * (ONE - maker) - cell.cost


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
