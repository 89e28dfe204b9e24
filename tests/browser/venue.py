"""An exchange in memory behind the port: every order just rests until a test fills it."""

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal

from market.exchange import ExchangeError, FeeRates, KeyTerms, NoSuchOrder, Trigger
from market.types import (
    ZERO,
    Balance,
    Candle,
    Fill,
    Instrument,
    Order,
    OrderRequest,
    OrderStatus,
    Side,
    Tick,
)

START = 1_768_226_580_000  # 2026-01-12 14:03 UTC


def pair(base: str, tick: str, lot: str) -> Instrument:
    return Instrument(
        symbol=f"{base}USDT",
        base=base,
        quote="USDT",
        tick=Decimal(tick),
        lot=Decimal(lot),
        min_notional=Decimal(5),
        max_limit_quantity=Decimal(10) ** 12,
    )


PAIRS = {
    made.symbol: made
    for made in (
        pair("BTC", "0.01", "0.000001"),
        pair("MNT", "0.0001", "0.01"),
        pair("DOGE", "0.00001", "0.1"),
        pair("PEPE", "0.000000001", "1"),
    )
}
PRICES = {
    "BTCUSDT": "97012.5",
    "MNTUSDT": "1.0822",
    "DOGEUSDT": "0.13683",
    "PEPEUSDT": "0.000004462",
}


def tick(symbol: str, last: str | None = None, time: int = START) -> Tick:
    at = Decimal(last or PRICES[symbol])
    return Tick(symbol=symbol, last=at, bid=at - PAIRS[symbol].tick, ask=at, time=time)


class Venue:
    """Accepts every order."""

    batch = 10  # orders in one request

    def __init__(self) -> None:
        self.orders: dict[str, Order] = {}

    def instruments(self, symbols: Sequence[str]) -> Sequence[Instrument]:
        return [PAIRS[symbol] for symbol in symbols]

    def tick(self, symbol: str) -> Tick:
        return tick(symbol)

    def candles(self, symbol: str, interval: str, start: int, end: int) -> Sequence[Candle]:
        return []

    def place(self, order: OrderRequest) -> str:
        self.orders[order.client_id] = Order(
            client_id=order.client_id,
            order_id=f"x{len(self.orders)}",
            symbol=order.symbol,
            side=order.side,
            price=order.price,
            quantity=order.quantity,
            filled=ZERO,
            status=OrderStatus.OPEN,
            time_in_force=order.time_in_force,
            updated=START,
        )
        return self.orders[order.client_id].order_id

    def place_many(self, orders: Sequence[OrderRequest], by: float | None = None) -> Sequence[str]:
        return [self.place(order) for order in orders]

    def cancel(self, symbol: str, client_id: str) -> None:
        if not self.orders[client_id].status.is_open:
            raise NoSuchOrder(170213, "Order does not exist.")
        self.orders[client_id] = replace(self.orders[client_id], status=OrderStatus.CANCELLED)

    def cancel_many(self, orders: Sequence[tuple[str, str]]) -> Sequence[ExchangeError | None]:
        return [self._cancelled(symbol, client_id) for symbol, client_id in orders]

    def _cancelled(self, symbol: str, client_id: str) -> ExchangeError | None:
        try:
            self.cancel(symbol, client_id)
        except ExchangeError as refusal:
            return refusal
        return None

    def order(self, symbol: str, client_id: str) -> Order | None:
        return self.orders.get(client_id)

    def open_orders(self, symbol: str | None = None) -> Sequence[Order]:
        resting = [order for order in self.orders.values() if order.status.is_open]
        return [order for order in resting if symbol in (None, order.symbol)]

    def fills_since(self, since: int, symbol: str | None = None) -> Iterable[Fill]:
        return []

    def fills_of(self, symbol: str, client_id: str) -> Sequence[Fill]:
        return []

    def triggers(self) -> Sequence[Trigger]:
        return []

    def fee_rates(self, symbol: str) -> FeeRates:
        return FeeRates(Decimal("0.001"), Decimal("0.001"))

    def key_terms(self) -> KeyTerms:
        return KeyTerms()

    def server_time_ms(self) -> int:
        """Its clock is the machine's."""
        return int(time.time() * 1000)

    def balances(self) -> Sequence[Balance]:
        """What 34,000 USDT became by the filled orders; resting ones lock their share."""
        total, locked = defaultdict(Decimal), defaultdict(Decimal)
        total["USDT"] = Decimal(34_000)
        for order in self.orders.values():
            base, worth = PAIRS[order.symbol].base, order.filled * order.price
            if order.side is Side.BUY:
                total["USDT"] -= worth
                total[base] += order.filled * Decimal("0.999")
            else:
                total["USDT"] += worth * Decimal("0.999")
                total[base] -= order.filled
            if order.status.is_open:
                buys = order.side is Side.BUY
                rest = order.quantity - order.filled
                locked["USDT" if buys else base] += rest * order.price if buys else rest
        return [Balance(coin=coin, total=total[coin], locked=locked[coin]) for coin in total]
