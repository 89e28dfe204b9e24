"""The pre-trade gate in place: the rows that it judges by, and the prices that may be acted on."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from django.utils import timezone

from bots import store
from bots.engine import Decision
from bots.grid import ids
from bots.grid.cells import Grid
from bots.grid.wants import Idle
from bots.models import Bot
from bots.safety import exposure
from bots.safety.exposure import Row
from market import ingest, series
from market.exchange import Exchange, ExchangeError, Unresolved
from market.locks import Lock, hold
from market.types import CLOSED, ZERO, OrderStatus, Side, Tick, plain
from risk import gate, guards, policy
from risk.belief import is_sound
from risk.gate import Caps, Standing
from risk.models import Policy

REFERENCE_AGE_MS = 10 * 60_000  # of the market's clock
FUNDS_AGE = timedelta(seconds=2)


class Funds(NamedTuple):
    """What was free on the account, and when it was asked."""

    at: datetime
    free: Mapping[str, Decimal]


class Wallet:
    """The free balances, asked of the exchange when they are old."""

    def __init__(self) -> None:
        self._funds: Funds | None = None

    def funds(self, exchange: Exchange, max_age: timedelta = FUNDS_AGE) -> Funds | None:
        """None while the exchange does not say."""
        known, now = self._funds, timezone.now()
        if known is not None and now - known.at < max_age:
            return known
        try:
            free = {balance.coin: balance.free for balance in exchange.balances()}
        except ExchangeError:
            return None
        self._funds = Funds(now, free)
        return self._funds


def sound_price(exchange: Exchange, symbol: str, max_age: timedelta) -> Tick:
    """The newest price, if it can be acted on; a strange one has to be confirmed by the exchange.

    Strange is a last trade far from its own book, or far from the close of the last minute. Raises
    ExchangeError, Unresolved also when no believable price is to be had.
    """
    tick = ingest.fresh_price(exchange, symbol, max_age)
    outlier = policy.current().outlier
    reference = _reference(tick)
    if not is_strange(tick, reference, outlier):
        return tick
    again = exchange.tick(symbol)
    confirmed = is_sound(again, outlier) and not guards.is_far(again.last, tick.last, outlier)
    if not confirmed and is_strange(again, reference, outlier):
        raise Unresolved(f"the price {plain(tick.last)} of {symbol} is not believed")
    ingest.record_prices([again])
    return again


def is_strange(tick: Tick, reference: Decimal | None, outlier: Decimal) -> bool:
    if not is_sound(tick, outlier):
        return True
    return reference is not None and guards.is_far(tick.last, reference, outlier)


def _reference(tick: Tick) -> Decimal | None:
    """The close of the last whole minute before a price; None when none is recent."""
    bars = series.read(tick.symbol, "1", tick.time, 2, tick.time - REFERENCE_AGE_MS)
    return next((bar.close for bar in reversed(bars) if bar.closed), None)


def passed(
    bot: Bot,
    loaded: store.Loaded,
    decision: Decision,
    price: Tick,
    funds: Funds | None,
    *,
    closed: str = "",
) -> Decision:
    """A decision without the orders that may not go: their cells idle, with the reason.

    `closed` is why none may, unless all are to leave the market.

    Runs in the transaction that saves it. The account is locked until that ends, so that ticks
    of several bots cannot each take the last of what is left.
    """
    if not decision.place:
        return decision
    hold(Lock.GATE)
    thresholds = policy.current()
    slots = {order.client_id: ids.slot(order.client_id) for order in decision.place}
    leaving = all(slot is not None and slot.is_exit for slot in slots.values())
    if closed and not leaving:
        return _without(decision, dict.fromkeys(slots, closed))
    verdict = gate.judge(
        decision.place,
        loaded.grid.instrument,
        price,
        _standing(bot, loaded, decision, funds, thresholds),
        _caps(bot, decision.grid, thresholds),
        leaving=leaving,
    )
    return _without(decision, verdict.refused)


def _without(decision: Decision, refused: Mapping[str, str]) -> Decision:
    """A decision without these orders, by client id; the text is the reason of their cells."""
    if not refused:
        return decision
    slots = ((name, ids.slot(name)) for name in refused)
    idle = [Idle(slot.cell, f"risk: {refused[name]}") for name, slot in slots if slot is not None]
    kept = tuple(order for order in decision.place if order.client_id not in refused)
    return replace(decision, place=kept, idle=(*decision.idle, *idle))


def _caps(bot: Bot, grid: Grid, thresholds: Policy) -> Caps:
    assert bot.config is not None  # noqa: S101 - a bot without one has no orders
    return Caps(
        bot=exposure.cap_of(bot.config.capital, grid.cells),
        pair=thresholds.pair_exposure,
        total=thresholds.total_exposure,
        bot_orders=thresholds.bot_orders,
        account_orders=thresholds.account_orders,
        per_minute=thresholds.orders_per_minute,
        collar=thresholds.collar,
    )


def _standing(
    bot: Bot, loaded: store.Loaded, decision: Decision, funds: Funds | None, thresholds: Policy
) -> Standing:
    """What counts already. This bot's cells are those of the decision, the others' those kept."""
    rows = list(exposure.unsettled())
    by_pair: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for (whose, symbol), cost in exposure.held_by_bot().items():
        by_pair[symbol] += cost if whose != bot.pk else ZERO
    for row in rows:
        by_pair[row.symbol] += row.committed if row.bot != bot.pk else ZERO
    own = _own(loaded, decision)
    return Standing(
        bot=own,
        pair=own + by_pair[bot.symbol],
        total=own + sum(by_pair.values(), ZERO),
        bot_orders=sum(1 for row in rows if row.bot == bot.pk and row.is_live),
        account_orders=sum(1 for row in rows if row.is_live) + exposure.foreign_orders(),
        sent=exposure.sent_lately(thresholds.orders_per_minute),
        free=_free(rows, funds, loaded),
    )


def _own(loaded: store.Loaded, decision: Decision) -> Decimal:
    """This bot's coins at cost and its buys at their limit, after the decision's fills."""
    spent = sum((cell.cost for cell in decision.grid.cells), ZERO)
    for own in loaded.orders:
        order = own.order
        if order.side is Side.BUY and order.client_id not in decision.settled:
            whole = order.filled if order.status in CLOSED else order.quantity
            spent += max(whole - own.booked, ZERO) * order.price
    return spent


def _free(
    rows: list[Row], funds: Funds | None, loaded: store.Loaded
) -> Mapping[str, Decimal] | None:
    """What is free, less what was taken by orders since it was asked."""
    if funds is None:
        return None
    instrument, free = loaded.grid.instrument, dict(funds.free)
    for row in rows:
        is_new = row.created_at > funds.at or row.status in {OrderStatus.SENT, OrderStatus.UNKNOWN}
        if not (is_new and row.is_live):
            continue
        if row.side == Side.BUY:
            free[instrument.quote] = free.get(instrument.quote, ZERO) - row.price * row.quantity
        elif row.symbol == instrument.symbol:
            free[instrument.base] = free.get(instrument.base, ZERO) - row.quantity
    return free
