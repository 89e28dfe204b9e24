"""The account: wallet, orders and executions as a state machine without clock or I/O.

Commands (`place`, `cancel`, `fill_resting`) only decide and return events; `apply` is the one
place where state changes. So the journal can be replayed to exactly the same state.
"""

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from integrations.bybit.simulator.facts import (
    Deposited,
    Ended,
    Event,
    Filled,
    Opened,
    Order,
)
from integrations.bybit.simulator.pairs import Pair
from integrations.bybit.simulator.wire import ApiError
from market.types import ZERO, Side, step_round

FIRST_ORDER_ID = 1_900_000_000_000_000_000
FIRST_EXEC_ID = 2_100_000_000_000_000_000
OPEN_ORDERS_LIMIT = 500  # Bybit spot, all pairs together
CLOSED_REMEMBERED = 500  # closed orders that order/realtime still finds
MARKET_BOUND = Decimal("0.05")  # how far a market order's inner limit lies from the book


@dataclass(frozen=True, slots=True)
class Request:
    """An order as asked for, its parameters already checked against the pair's filters."""

    symbol: str
    side: Side
    kind: str
    tif: str
    price: Decimal  # zero for a market order
    qty: Decimal
    market_unit: str
    link_id: str


@dataclass(frozen=True, slots=True)
class Quotes:
    """What a taker can have now, and the last trade. `depth` is base, on each side."""

    bid: Decimal
    ask: Decimal
    depth: Decimal
    last: Decimal


@dataclass(frozen=True, slots=True)
class Rates:
    """Fee shares of the traded value; a negative maker rate is a rebate."""

    maker: Decimal
    taker: Decimal


@dataclass(slots=True)
class Coin:
    """A wallet line."""

    total: Decimal = ZERO
    locked: Decimal = ZERO

    @property
    def free(self) -> Decimal:
        return self.total - self.locked


@dataclass(frozen=True, slots=True)
class Execution:
    """A fill together with the order it belongs to."""

    fill: Filled
    order: Order


class Account:
    """One unified trading account, spot only."""

    def __init__(self, pairs: Mapping[str, Pair], rates: Rates) -> None:
        self.pairs = pairs
        self.rates = rates
        self.wallet: dict[str, Coin] = defaultdict(Coin)
        self.orders: dict[str, Order] = {}  # by order id, in order of creation
        self.by_link: dict[str, Order] = {}
        self.open: dict[str, dict[str, Order]] = {symbol: {} for symbol in pairs}
        self.recently_closed: deque[Order] = deque(maxlen=CLOSED_REMEMBERED)
        self.history: dict[str, list[Order]] = {symbol: [] for symbol in pairs}
        self.executions: list[Execution] = []
        self.executions_in: dict[str, list[Execution]] = {symbol: [] for symbol in pairs}
        self.executions_of: dict[str, list[Execution]] = defaultdict(list)
        self.seq = 0

    # Decisions

    def place(self, ask: Request, quotes: Quotes, now: int) -> list[Event]:
        """The events of a new order. Raises ApiError when the exchange would refuse it."""
        if ask.link_id and ask.link_id in self.by_link:
            raise ApiError(170141, "Duplicate clientOrderId.")
        if sum(map(len, self.open.values())) >= OPEN_ORDERS_LIMIT:
            raise ApiError(170810, "The total number of open orders exceeds the limit of 500.")
        opened = self._opened(ask, quotes, now)
        self._check_funds(opened)
        return [opened, *self._outcome(opened, quotes)]

    def cancel(self, order: Order, now: int) -> list[Event]:
        """The events of the user's cancel. Raises ApiError when the order is closed already."""
        if order.is_closed:
            raise ApiError(170213, "Order does not exist.")
        return [Ended(order.order_id, "CancelByUser", "EC_PerCancelRequest", now)]

    def fill_resting(self, order: Order, time: int, ahead: int = 0) -> Filled:
        """The execution of all that is left of a resting order, at its own price, as maker.

        `ahead` is how many executions were decided before this one and not applied yet.
        """
        return self._filled(order, order.price, order.leaves, time, maker=True, ahead=ahead)

    def _opened(self, ask: Request, quotes: Quotes, now: int) -> Opened:
        number = len(self.orders)
        price, goal, lock = ask.price, ask.qty, ask.price
        if ask.kind == "Market":
            pair = self.pairs[ask.symbol]
            touch = quotes.ask if ask.side is Side.BUY else quotes.bid
            bound = touch * (1 + MARKET_BOUND if ask.side is Side.BUY else 1 - MARKET_BOUND)
            price = max(step_round(bound, pair.instrument.tick, ROUND_HALF_EVEN), pair.price(1))
            lock = touch
            if ask.market_unit == "quoteCoin":
                goal = pair.instrument.quantity(ask.qty / touch)
        return Opened(
            order_id=str(FIRST_ORDER_ID + 2 * number),
            link_id=ask.link_id or str(FIRST_ORDER_ID + 2 * number + 1),
            symbol=ask.symbol,
            side=ask.side.value,
            kind=ask.kind,
            tif=ask.tif,
            price=price,
            qty=ask.qty,
            goal=goal,
            lock_price=lock,
            market_unit=ask.market_unit,
            last_price=quotes.last,
            time=now,
        )

    def _check_funds(self, opened: Opened) -> None:
        coin, amount = self._lock(opened.symbol, opened.side, opened.goal, opened.lock_price)
        if opened.market_unit == "quoteCoin" and opened.side == Side.BUY:
            amount = max(amount, opened.qty)
        if amount > self.wallet.get(coin, Coin()).free:
            raise ApiError(170131, "Insufficient balance.")

    def _outcome(self, opened: Opened, quotes: Quotes) -> list[Event]:
        """What happens to an order at the moment it reaches the book."""
        order = opened.order()
        buys = order.side is Side.BUY
        touch = quotes.ask if buys else quotes.bid
        takes = order.price >= touch if buys else order.price <= touch
        if order.tif == "PostOnly":
            return [self._dies(order, "EC_PostOnlyWillTakeLiquidity")] if takes else []
        if not takes or order.goal == 0:
            return [] if order.tif == "GTC" else [self._dies(order, "EC_NoImmediateQtyToFill")]
        if order.tif == "FOK" and order.goal > quotes.depth:
            return [self._dies(order, "EC_NoEnoughQtyToFill")]
        taken = min(order.goal, quotes.depth)
        events: list[Event] = [self._filled(order, touch, taken, order.created)]
        if taken < order.goal and order.tif != "GTC":
            events.append(self._dies(order, "EC_NoImmediateQtyToFill"))
        return events

    @staticmethod
    def _dies(order: Order, reason: str) -> Ended:
        return Ended(order.order_id, "UNKNOWN", reason, order.created)

    def _filled(
        self,
        order: Order,
        price: Decimal,
        qty: Decimal,
        time: int,
        *,
        maker: bool = False,
        ahead: int = 0,
    ) -> Filled:
        """An execution with its fee: in what is received, or in what is given for a rebate."""
        pair = self.pairs[order.symbol].instrument
        rate = self.rates.maker if maker else self.rates.taker
        in_base = (order.side is Side.BUY) == (rate >= 0)
        return Filled(
            exec_id=str(FIRST_EXEC_ID + len(self.executions) + ahead),
            order_id=order.order_id,
            price=price,
            qty=qty,
            fee=rate * (qty if in_base else qty * price),
            fee_coin=pair.base if in_base else pair.quote,
            fee_rate=rate,
            is_maker=maker,
            leaves=order.goal - order.cum_qty - qty,
            seq=self.seq + ahead + 1,
            time=time,
        )

    def _lock(self, symbol: str, side: str, qty: Decimal, price: Decimal) -> tuple[str, Decimal]:
        """The coin and amount that a resting quantity keeps locked."""
        pair = self.pairs[symbol].instrument
        return (pair.quote, qty * price) if side == Side.BUY else (pair.base, qty)

    # Changes

    def apply(self, events: Sequence[Event]) -> list[str]:
        """Change the state; the coins whose wallet line moved are returned, in order."""
        coins: dict[str, None] = {}
        for event in events:
            match event:
                case Deposited():
                    self.wallet[event.coin].total += event.amount
                    coins[event.coin] = None
                case Opened():
                    coins |= dict.fromkeys(self._apply_opened(event))
                case Filled():
                    coins |= dict.fromkeys(self._apply_filled(event))
                case Ended():
                    coins |= dict.fromkeys(self._apply_ended(event))
        return list(coins)

    def _apply_opened(self, event: Opened) -> list[str]:
        order = event.order()
        self.orders[order.order_id] = order
        self.by_link[order.link_id] = order
        self.history[order.symbol].append(order)
        self.open[order.symbol][order.order_id] = order
        coin, amount = self._lock(order.symbol, order.side, order.goal, order.lock_price)
        self.wallet[coin].locked += amount
        return [coin]

    def _apply_filled(self, event: Filled) -> list[str]:
        order = self.orders[event.order_id]
        pair = self.pairs[order.symbol].instrument
        value = event.price * event.qty
        coin, amount = self._lock(order.symbol, order.side, event.qty, order.lock_price)
        self.wallet[coin].locked -= amount
        sign = 1 if order.side is Side.BUY else -1
        self.wallet[pair.base].total += sign * event.qty
        self.wallet[pair.quote].total -= sign * value
        self.wallet[event.fee_coin].total -= event.fee
        order.cum_qty += event.qty
        order.cum_value += value
        order.fees[event.fee_coin] = order.fees.get(event.fee_coin, ZERO) + event.fee
        order.updated = event.time
        order.status = "PartiallyFilled"
        if event.leaves == 0:
            self._close(order, "Filled")
        execution = Execution(event, order)
        self.executions.append(execution)
        self.executions_in[order.symbol].append(execution)
        self.executions_of[order.order_id].append(execution)
        self.seq = event.seq
        return [pair.base, pair.quote]

    def _apply_ended(self, event: Ended) -> list[str]:
        order = self.orders[event.order_id]
        coin, amount = self._lock(order.symbol, order.side, order.leaves, order.lock_price)
        self.wallet[coin].locked -= amount
        order.updated = event.time
        order.cancel_type, order.reason = event.cancel_type, event.reason
        self._close(order, "PartiallyFilledCanceled" if order.cum_qty else "Cancelled")
        return [coin]

    def _close(self, order: Order, status: str) -> None:
        order.status = status
        del self.open[order.symbol][order.order_id]
        self.recently_closed.append(order)
