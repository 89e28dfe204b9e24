"""What a deployment would be: the truth card on this moment's market, and who would refuse it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from bots.backtest.hindsight import look_back
from bots.books import fees, ledger
from bots.control import Deployment, Objections, first_version
from bots.engine import decide
from bots.grid.levels import GridSpec, InvalidGrid
from bots.grid.outcome import Plan
from bots.grid.truth import TruthCard, card
from bots.models import Bot, GridConfig
from bots.safety import exposure
from bots.terms import check, others_than, overlaps, references_of, spec_after, spec_of, trailing_of
from market import ingest
from market.exchange import Exchange, Refused
from market.types import ONE, ZERO, Instrument, Tick, plain
from risk import policy
from risk.models import Policy
from risk.rules import FREE

PRICE_AGE = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Preview:
    """A truth card and the market it stands on."""

    symbol: str
    instrument: Instrument
    tick: Tick
    plan: Plan
    stop_loss: Decimal | None
    truth: TruthCard
    objections: Sequence[InvalidGrid]  # what forbids it now, though it could be built
    beyond: Objections  # what a version binds beyond the budgets, by what all bind when it is asked


def of_deployment(exchange: Exchange, wish: Deployment) -> Preview:
    """Work a new bot out on the market as it is. Raises as `preview` does."""
    return preview(exchange, wish.symbol, first_version(wish))


def preview(
    exchange: Exchange,
    symbol: str,
    config: GridConfig,
    *,
    instead_of: Bot | None = None,
) -> Preview:
    """Work a version out on the market as it is; when it edits a bot, `instead_of` that one's.

    Raises InvalidGrid for a grid that cannot be built, ExchangeError when the market is not known.
    """
    check(config)
    was = instead_of.config if instead_of else None
    spec = spec_after(was, config) if was else spec_of(config)
    instrument = ingest.instrument(exchange, symbol)
    for reference in references_of(config):
        _known(exchange, reference)
    now = ingest.fresh_price(exchange, symbol, PRICE_AGE)
    tick = _at_its_start(now, config, was)
    rates = fees.rates(exchange, symbol)
    trailing = trailing_of(config)
    truth = card(spec, instrument, tick.last, rates, stop_loss=config.stop_loss, trailing=trailing)
    if tick is not now:
        truth = replace(truth, warnings=(*truth.warnings, _waits(config, now)))
    plan = Plan(spec, instrument, rates.maker, rates.taker, trailing=trailing)
    beyond = partial(_beyond, instrument, instead_of)
    others = others_than(instead_of)
    objections = [*overlaps(symbol, config, others), *beyond(config, others)]
    return Preview(symbol, instrument, tick, plan, config.stop_loss, truth, objections, beyond)


def _at_its_start(now: Tick, config: GridConfig, was: GridConfig | None) -> Tick:
    """The price on which the grid will be built: its trigger's, while it has not begun."""
    trigger = config.trigger_price
    if trigger is None or (was is not None and was.began_at is not None):
        return now
    return replace(now, last=trigger, bid=trigger, ask=trigger)


def _waits(config: GridConfig, now: Tick) -> str:
    trigger = plain(config.trigger_price or ZERO)
    return (
        f"it waits until the price, {plain(now.last)} now, reaches {trigger}, and all of this is "
        f"worked out for a start at {trigger}"
    )


def _beyond(
    instrument: Instrument,
    instead_of: Bot | None,
    config: GridConfig,
    others: Sequence[Bot] | None = None,
) -> Iterator[InvalidGrid]:
    """Objections by the account as it is; by `others` at work, which are else looked up."""
    was = instead_of.config if instead_of else None
    spec = spec_after(was, config) if was else spec_of(config)
    others = others_than(instead_of) if others is None else others
    spent, thresholds = spent_by(instead_of) if instead_of else ZERO, policy.current()
    yield from _over_budget(spec, instead_of, thresholds)
    yield from _over_free(others, instrument, spec, spent)
    yield from _over_caps(others, instrument.symbol, spec, thresholds)


def _known(exchange: Exchange, reference: str) -> None:
    """Raises InvalidGrid for a pair that the exchange does not list: it would never be stable."""
    try:
        ingest.instrument(exchange, reference)
    except Refused as error:
        raise InvalidGrid("reference", f"{reference}: {error.reason}") from error


def _over_caps(
    others: Iterable[Bot], symbol: str, spec: GridSpec, thresholds: Policy
) -> Iterator[InvalidGrid]:
    """Whether the grid, fully bought, would lead beyond what risk allows a pair or the account."""
    usable = spec.capital * (ONE - spec.reserve)
    bound = {other.symbol: ZERO for other in others}
    for other in others:
        if other.config:
            bound[other.symbol] += other.config.capital * (ONE - other.config.reserve)
    for whose, taken, cap in (
        (f"on {symbol}", bound.get(symbol, ZERO), thresholds.pair_exposure),
        ("in total", sum(bound.values(), ZERO), thresholds.total_exposure),
    ):
        if usable + taken > cap:
            yield InvalidGrid(
                "capital",
                f"fully bought it would bind {plain(usable)}, and other bots {plain(taken)}; "
                f"{plain(cap)} {whose} are allowed, so {plain(max(cap - taken, ZERO))} are left",
            )


def _over_budget(
    spec: GridSpec, instead_of: Bot | None, thresholds: Policy
) -> Iterator[InvalidGrid]:
    """A cell needs an order, and the exchange lets an account have so many open."""
    most, taken = thresholds.account_orders, exposure.open_orders(but=instead_of)
    if taken + spec.grids > most:
        yield InvalidGrid(
            "grids",
            f"{max(most - taken, 0)} or fewer are accepted: the account may have {most} orders "
            f"open and {taken} are taken",
        )


def _over_free(
    others: Iterable[Bot], instrument: Instrument, spec: GridSpec, spent: Decimal
) -> Iterator[InvalidGrid]:
    """Capital that other bots were promised is not free; what is `spent` is in use already."""
    total = ledger.balances().get(instrument.quote, ZERO)
    promised = _promised(others, instrument.quote)
    free = total - promised
    if spec.capital - spent > free:
        yield InvalidGrid(
            "capital",
            f"{plain(max(free, ZERO))} {instrument.quote} are free: the account has "
            f"{plain(total)}, and running bots may still use {plain(promised)} of it"
            + (f"; its own cells hold {plain(spent)} more" if spent else ""),
        )


def _promised(others: Iterable[Bot], quote: str) -> Decimal:
    """Quote that running bots may still spend: their capital less what their cells hold."""
    return sum(
        (
            max(bot.config.capital - spent_by(bot), ZERO)
            for bot in others
            if bot.config and bot.symbol.endswith(quote)
        ),
        ZERO,
    )


def spent_by(bot: Bot) -> Decimal:
    """What a bot has paid for the coins that its cells hold."""
    if bot.config is None:
        return ZERO
    return sum((cell.cost for cell in bot.config.cells.all()), ZERO)


def report(found: Preview) -> dict[str, Any]:
    """The truth card as the API and the pages show it; money as plain texts."""
    truth, tick = found.truth, found.tick
    orders = decide(truth.grid, (), (), tick, FREE).place
    low, high = truth.net_rates
    return {
        "symbol": found.symbol,
        "price": plain(tick.last),
        "levels": [plain(truth.grid.cells[0].low), *(plain(c.high) for c in truth.grid.cells)],
        "quantity": [plain(cell.quantity) for cell in truth.grid.cells],
        "net_profit_per_cell": {"min": plain(low), "max": plain(high)},
        "cells": [
            {
                "index": line.cell.index,
                "low": plain(line.cell.low),
                "high": plain(line.cell.high),
                "quantity": plain(line.cell.quantity),
                "starts": "holding" if line.cell.entry else "empty",
                "net_profit": plain(line.net),
                "net_rate": plain(line.net_rate),
            }
            for line in truth.cells
        ],
        "fee_share": plain(truth.fee_share),
        "minimum_investment": plain(truth.minimum_investment),
        "capital_used": plain(truth.capital_used),
        "capital_at_price": [
            {
                "price": plain(at.price),
                "base": plain(at.base),
                "quote": plain(at.quote),
                "worth": plain(at.worth),
            }
            for at in truth.holdings
        ],
        "loss_at_stop": None if truth.loss_at_stop is None else plain(truth.loss_at_stop),
        "orders": [
            {
                "side": order.side.value,
                "price": plain(order.price),
                "quantity": plain(order.quantity),
                "kind": order.time_in_force.value,
            }
            for order in orders
        ],
        "daily_profit": {str(n): plain(amount) for n, amount in truth.daily_profit.items()},
        "fills_needed": {name: plain(fills) for name, fills in truth.fills_needed.items()},
        "cheaper": _cheaper(truth),
        "history": look_back(found.plan, found.stop_loss),
        "warnings": [*map(str, found.objections), *truth.warnings],
    }


def _cheaper(truth: TruthCard) -> dict[str, Any] | None:
    if truth.cheaper is None:
        return None
    low, high = truth.cheaper.net_rates
    return {
        "grids": truth.cheaper.grids,
        "keeps": plain(truth.cheaper.kept),
        "net_profit_per_cell": {"min": plain(low), "max": plain(high)},
    }
