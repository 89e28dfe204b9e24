"""The account: wallet, orders and executions as a state machine without clock or I/O.

Commands (`place`, `amend`, `cancel`, `fill_resting`) only decide and return events; `apply` is
the one place where state changes. So the journal can be replayed to exactly the same state.
"""

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from integrations.bybit.simulator.facts import (
    Amended,
    Deposited,
    Ended,
    Event,
    Filled,
    Opened,
    Order,
)
from integrations.bybit.simulator.fees import Rates
from integrations.bybit.simulator.pairs import Pair
from integrations.bybit.simulator.taking import Meeting, Quotes, meetings, outcome, priced
from integrations.bybit.simulator.wire import ApiError
from market.types import ZERO, Side

FIRST_ORDER_ID = 1_900_000_000_000_000_000
FIRST_EXEC_ID = 2_100_000_000_000_000_000
OPEN_ORDERS_LIMIT = 500  # Bybit spot, all pairs together
CLOSED_REMEMBERED = 500  # closed orders that order/realtime still finds


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
    smp_type: str = "None"


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
        self.open_limit = OPEN_ORDERS_LIMIT
        self.wallet: dict[str, Coin] = defaultdict(Coin)
        self.transfers: dict[str, Decimal] = defaultdict(Decimal)  # in less out, at the start too
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
        if sum(map(len, self.open.values())) >= self.open_limit:
            said = f"The total number of open orders exceeds the limit of {self.open_limit}."
            raise ApiError(170810, said)
        opened, cost = self._opened(ask, quotes, now)
        coin, lock = self._lock(opened.symbol, opened.side, opened.goal, opened.lock_price)
        self._check_funds(coin, lock if cost is None else cost)
        return [opened, *self._outcome(opened.order(), quotes, now)]

    def amend(
        self, order: Order, price: Decimal, qty: Decimal, quotes: Quotes, now: int
    ) -> list[Event]:
        """The events of a new price or a new total quantity. Raises ApiError when refused."""
        if order.is_closed:
            raise ApiError(170213, "Order does not exist.")
        if (price, qty) == (order.price, order.qty):
            raise ApiError(10001, "The order remains unchanged as the parameters entered match.")
        if qty <= order.cum_qty:
            raise ApiError(10001, "params error: qty must be above what is executed already")
        changed = replace(order, price=price, qty=qty, goal=qty, lock_price=price)
        coin, held = self._lock(order.symbol, order.side, order.leaves, order.lock_price)
        _, needed = self._lock(order.symbol, order.side, changed.leaves, price)
        self._check_funds(coin, needed - held)
        return [
            Amended(order.order_id, price, qty, qty, price, now),
            *self._outcome(changed, quotes, now),
        ]

    def cancel(self, order: Order, now: int) -> list[Event]:
        """The events of the user's cancel. Raises ApiError when the order is closed already."""
        if order.is_closed:
            raise ApiError(170213, "Order does not exist.")
        return [Ended(order.order_id, "CancelByUser", "EC_PerCancelRequest", now)]

    def fill_resting(
        self, order: Order, time: int, ahead: int = 0, part: Decimal | None = None
    ) -> Filled:
        """The execution of a `part` of a resting order, or all of it, at its price, as maker.

        `ahead` is how many executions were decided before this one and not applied yet; they are
        of other orders, or `order` is a copy that has them.
        """
        qty = order.leaves if part is None else part
        return self._filled(order, order.price, qty, time, maker=True, ahead=ahead)

    def _opened(self, ask: Request, quotes: Quotes, now: int) -> tuple[Opened, Decimal | None]:
        """The order as it comes in, and what it costs where that is not what it locks."""
        number = len(self.orders)
        price, goal, lock, cost = ask.price, ask.qty, ask.price, None
        if ask.kind == "Market":
            pair, by_value = self.pairs[ask.symbol], ask.market_unit == "quoteCoin"
            price = max(pair.instrument.price(quotes.bound(ask.side)), pair.price(1))
            levels = quotes.within(ask.side, price)
            purse = priced(levels, ask.qty, by_value=by_value, lots=pair.instrument.quantity)
            lock = purse.worst or quotes.touch(ask.side)
            if by_value:
                goal = purse.quantity
            if ask.side is Side.BUY:
                cost = max(ask.qty, purse.value) if by_value else purse.value
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
            smp_type=ask.smp_type,
        ), cost

    def _check_funds(self, coin: str, amount: Decimal) -> None:
        if amount > self.wallet.get(coin, Coin()).free:
            raise ApiError(170131, "Insufficient balance.")

    def _outcome(self, order: Order, quotes: Quotes, now: int) -> Iterator[Event]:
        resting = self.open[order.symbol].values()

        def fill(each: Order, met: Meeting, qty: Decimal, ahead: int) -> Filled:
            maker = each is met.mine
            return self._filled(each, met.price, qty, now, maker=maker, ahead=ahead)

        return outcome(order, meetings(order, quotes, resting), now, fill)

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
        rate = self.rates.maker if maker else self.rates.taker
        pair = self.pairs[order.symbol].instrument
        fee, coin = self.rates.fee(rate, order.side, pair, qty, qty * price)
        return Filled(
            exec_id=str(FIRST_EXEC_ID + len(self.executions) + ahead),
            order_id=order.order_id,
            price=price,
            qty=qty,
            fee=fee,
            fee_coin=coin,
            fee_rate=rate,
            is_maker=maker,
            leaves=order.leaves - qty,
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
                    self.transfers[event.coin] += event.amount
                    coins[event.coin] = None
                case Opened():
                    coins |= dict.fromkeys(self._apply_opened(event))
                case Amended():
                    coins |= dict.fromkeys(self._apply_amended(event))
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

    def _apply_amended(self, event: Amended) -> list[str]:
        order = self.orders[event.order_id]
        coin, before = self._lock(order.symbol, order.side, order.leaves, order.lock_price)
        if event.price != order.price or event.goal > order.goal:
            # Only a smaller quantity keeps its place in the queue.
            self.open[order.symbol][order.order_id] = self.open[order.symbol].pop(order.order_id)
        order.price, order.qty, order.goal = event.price, event.qty, event.goal
        order.lock_price, order.updated = event.lock_price, event.time
        _, after = self._lock(order.symbol, order.side, order.leaves, order.lock_price)
        self.wallet[coin].locked += after - before
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
        return [pair.base, pair.quote, event.fee_coin]

    def _apply_ended(self, event: Ended) -> list[str]:
        order = self.orders[event.order_id]
        coin, amount = self._lock(order.symbol, order.side, order.leaves, order.lock_price)
        self.wallet[coin].locked -= amount
        order.updated = event.time
        order.cancel_type, order.reason = event.cancel_type, event.reason
        order.smp_order_id = event.smp_order_id
        self._close(order, "PartiallyFilledCanceled" if order.cum_qty else "Cancelled")
        return [coin]

    def _close(self, order: Order, status: str) -> None:
        order.status = status
        del self.open[order.symbol][order.order_id]
        self.recently_closed.append(order)
