"""A small exchange in memory for the pure core: rests orders, fills them, keeps a wallet."""

from dataclasses import dataclass, field, replace
from decimal import Decimal

from bots.engine import Decision, OwnOrder
from market.types import (
    POST_ONLY_REFUSED,
    ZERO,
    Fill,
    Instrument,
    Order,
    OrderRequest,
    OrderStatus,
    Side,
    TimeInForce,
)


@dataclass
class Book:
    """Orders and wallet of one account on one pair; fees as Bybit takes them on spot."""

    instrument: Instrument
    price: Decimal
    quote: Decimal
    fee: Decimal = Decimal("0.001")
    base: Decimal = ZERO
    orders: dict[str, Order] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    settled: set[str] = field(default_factory=set)
    clock: int = 1_000

    def carry_out(self, decision: Decision) -> None:
        self.settled.update(decision.settled)
        for order in decision.cancel:
            self._end(order.client_id, OrderStatus.CANCELLED, "EC_PerCancelRequest")
        for request in decision.place:
            self._place(request)

    def _place(self, request: OrderRequest) -> None:
        assert request.client_id not in self.orders, "an id is never used twice"
        assert request.quantity % self.instrument.lot == 0
        assert request.price % self.instrument.tick == 0
        assert self.instrument.tradable(request.price, request.quantity)
        self.orders[request.client_id] = Order(
            request.client_id,
            f"x{len(self.orders)}",
            request.symbol,
            request.side,
            request.price,
            request.quantity,
            ZERO,
            OrderStatus.OPEN,
            request.time_in_force,
        )
        if not self._crosses(request.side, request.price):
            if request.time_in_force is TimeInForce.IOC:
                self._end(request.client_id, OrderStatus.CANCELLED, "EC_NoImmediateQtyToFill")
        elif request.time_in_force is TimeInForce.POST_ONLY:
            self._end(request.client_id, OrderStatus.CANCELLED, POST_ONLY_REFUSED)
        else:
            self.execute(request.client_id, request.quantity, self.price)

    def _crosses(self, side: Side, price: Decimal) -> bool:
        return price >= self.price if side is Side.BUY else price <= self.price

    def _end(self, client_id: str, status: OrderStatus, reason: str) -> None:
        order = self.orders[client_id]
        if not order.status.is_closed:
            self.orders[client_id] = replace(order, status=status, reason=reason)

    def execute(self, client_id: str, quantity: Decimal, price: Decimal | None = None) -> None:
        """Fill part or all of an order at `price`, its own by default."""
        order = self.orders[client_id]
        price = order.price if price is None else price
        self.clock += 1
        buy = order.side is Side.BUY
        fee = quantity * self.fee if buy else price * quantity * self.fee
        coin = self.instrument.base if buy else self.instrument.quote
        self.fills.append(
            Fill(
                f"e{len(self.fills)}",
                order.order_id,
                client_id,
                order.symbol,
                order.side,
                price,
                quantity,
                fee,
                coin,
                not buy,
                self.clock,
            )
        )
        self.base += quantity - fee if buy else -quantity
        self.quote += -price * quantity if buy else price * quantity - fee
        assert self.base >= 0, "more was sold than is held"
        filled = order.filled + quantity
        status = OrderStatus.FILLED if filled == order.quantity else OrderStatus.PARTIAL
        self.orders[client_id] = replace(order, filled=filled, status=status)

    def open(self) -> list[Order]:
        return [order for order in self.orders.values() if not order.status.is_closed]

    def move(self, price: Decimal) -> None:
        """Move the price in one segment; what it meets fills whole, in path order."""
        up = price > self.price
        self.price = price
        met = [
            order for order in self.open()
            if (order.side is Side.SELL and order.price < price)
            or (order.side is Side.BUY and order.price > price)
        ]  # fmt: skip
        for order in sorted(met, key=lambda order: order.price, reverse=not up):
            self.execute(order.client_id, order.quantity - order.filled)

    def unsettled(self) -> list[OwnOrder]:
        return [
            OwnOrder(
                order, booked=sum((f.quantity for f in self.fills if f.client_id == name), ZERO)
            )
            for name, order in self.orders.items()
            if name not in self.settled
        ]
