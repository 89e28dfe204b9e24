"""The pre-trade gate: which of the wanted orders may go, and why each other one may not. Pure.

It fails closed: what is not known, or is no number, is a reason to refuse.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from market.types import ONE, Instrument, OrderRequest, Side, Tick, plain


@dataclass(frozen=True, slots=True)
class Caps:
    """The most there may be. Money is quote."""

    bot: Decimal
    pair: Decimal
    total: Decimal
    bot_orders: int
    account_orders: int
    per_minute: int
    collar: Decimal  # share of the reference price


@dataclass(frozen=True, slots=True)
class Standing:
    """What there is already, at worst price: coins held at their cost, and buys that rest, are in
    flight or of unknown fate at their limit."""

    bot: Decimal
    pair: Decimal
    total: Decimal
    bot_orders: int  # open, in flight or of unknown fate
    account_orders: int
    sent: int  # in the last minute
    free: Mapping[str, Decimal] | None  # by coin; None when it is not known

    def with_order(self, order: OrderRequest, instrument: Instrument) -> "Standing":
        """The same after one more order."""
        coin, needed = _needs(order, instrument)
        spent = needed if order.side is Side.BUY else Decimal(0)
        free = dict(self.free or {})
        free[coin] = free.get(coin, Decimal(0)) - needed
        return replace(
            self,
            bot=self.bot + spent,
            pair=self.pair + spent,
            total=self.total + spent,
            bot_orders=self.bot_orders + 1,
            account_orders=self.account_orders + 1,
            sent=self.sent + 1,
            free=free,
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """The orders that may go, in their own sequence, and the reasons by client id of the rest."""

    passed: tuple[OrderRequest, ...]
    refused: Mapping[str, str]


def judge(
    wanted: Sequence[OrderRequest],
    instrument: Instrument,
    price: Tick,
    standing: Standing,
    caps: Caps,
    *,
    leaving: bool = False,
) -> Verdict:
    """Judge orders one after the other, those nearest to the price first, each on top of the last.

    `leaving`: the orders sell what is held, at the market. Counts of orders are no reason to stay.
    """
    refused: dict[str, str] = {}
    for order in sorted(wanted, key=lambda order: _distance(order, price)):
        reason = (
            _no_order(order, instrument)
            or _outside_collar(order, price, caps)
            or ("" if leaving else _too_many(standing, caps))
            or _too_much(order, standing, caps)
            or _not_free(order, instrument, standing)
        )
        if reason:
            refused[order.client_id] = reason
        else:
            standing = standing.with_order(order, instrument)
    passed = tuple(order for order in wanted if order.client_id not in refused)
    return Verdict(passed, refused)


def _distance(order: OrderRequest, price: Tick) -> Decimal:
    """How far from the price; what is no number goes last."""
    if not (order.price.is_finite() and price.last.is_finite()):
        return Decimal("Infinity")
    return abs(order.price - price.last)


def _no_order(order: OrderRequest, instrument: Instrument) -> str:
    for number in (order.price, order.quantity):
        if not (number.is_finite() and number > 0):
            return f"{number} is no price or quantity"
    if order.symbol != instrument.symbol:
        return f"{order.symbol} is not {instrument.symbol}"
    if order.price % instrument.tick or order.quantity % instrument.lot:
        return f"{plain(order.quantity)} at {plain(order.price)} is not on tick and lot"
    return ""


def _outside_collar(order: OrderRequest, price: Tick, caps: Caps) -> str:
    """A buy far above the reference price, or a sale far below it."""
    if not (price.last.is_finite() and price.last > 0):
        return f"the reference price {price.last} is no price"
    highest, lowest = price.last * (ONE + caps.collar), price.last * (ONE - caps.collar)
    share = plain(caps.collar * 100)
    if order.side is Side.BUY and order.price > highest:
        return f"{plain(order.price)} is more than {share} % above the price {plain(price.last)}"
    if order.side is Side.SELL and order.price < lowest:
        return f"{plain(order.price)} is more than {share} % below the price {plain(price.last)}"
    return ""


def _too_many(standing: Standing, caps: Caps) -> str:
    if standing.bot_orders >= caps.bot_orders:
        return f"the bot has {standing.bot_orders} open orders, as many as it may"
    if standing.account_orders >= caps.account_orders:
        return f"the account has {standing.account_orders} open orders, as many as it may"
    if standing.sent >= caps.per_minute:
        return f"{standing.sent} orders were sent within a minute, as many as may be"
    return ""


def _too_much(order: OrderRequest, standing: Standing, caps: Caps) -> str:
    """Whether a buy leads beyond a cap of exposure."""
    if order.side is not Side.BUY:
        return ""
    needed = order.price * order.quantity
    for whose, now, cap in (
        ("the bot's capital", standing.bot, caps.bot),
        ("the pair's exposure", standing.pair, caps.pair),
        ("the total exposure", standing.total, caps.total),
    ):
        if not now + needed <= cap:
            return f"{plain(now)} and {plain(needed)} more are beyond {whose} of {plain(cap)}"
    return ""


def _not_free(order: OrderRequest, instrument: Instrument, standing: Standing) -> str:
    if standing.free is None:
        return "the free balance is not known"
    coin, needed = _needs(order, instrument)
    free = standing.free.get(coin, Decimal(0))
    if needed > free:
        return f"{plain(needed)} {coin} are needed and {plain(free)} are free"
    return ""


def _needs(order: OrderRequest, instrument: Instrument) -> tuple[str, Decimal]:
    if order.side is Side.BUY:
        return instrument.quote, order.price * order.quantity
    return instrument.base, order.quantity
