"""The gateway and the feeds on our own simulator, over real sockets."""

import asyncio
import json
import queue
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from typing import Any

import pytest

from integrations.bybit import wire
from integrations.bybit.gateway import Gateway
from integrations.bybit.quotes import Quotes
from integrations.bybit.simulator.auth import Keys
from integrations.bybit.simulator.server import Options, Simulator
from integrations.bybit.streams import (
    PRIVATE_TOPICS,
    Connected,
    Event,
    Message,
    private_feed,
    public_feed,
)
from market.exchange import AlreadyExists, Broken, NoSuchOrder, Refused
from market.types import (
    Balance,
    Candle,
    Fill,
    Instrument,
    Order,
    OrderRequest,
    OrderStatus,
    Side,
    Tick,
    TimeInForce,
)
from tests.bybit.conftest import KEY, SECRET

PAIR = "DOGEUSDT"


@contextmanager
def simulator() -> Iterator[Simulator]:
    """A simulator that moves by hand, in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    balances = {"USDT": Decimal(10_000), "DOGE": Decimal(5_000)}
    running = Simulator(Options(keys=Keys(KEY, SECRET), speed=0, balances=balances))
    asyncio.run_coroutine_threadsafe(running.start(), loop).result(20)
    try:
        yield running
    finally:
        asyncio.run_coroutine_threadsafe(running.stop(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()


@pytest.fixture(scope="module")
def venue() -> Iterator[Simulator]:
    with simulator() as running:
        yield running


@pytest.fixture
def exchange(venue: Simulator) -> Gateway:
    return Gateway(venue.url, KEY, SECRET)


def move(venue: Simulator, price: Decimal, seconds: int = 60) -> None:
    body = json.dumps({"prices": {PAIR: format(price, "f")}, "seconds": seconds}).encode()
    request = urllib.request.Request(f"{venue.url}/sim/step", data=body, method="POST")  # noqa: S310
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
        assert answer.status == 200


def the_pair(exchange: Gateway) -> tuple[Instrument, Tick]:
    (pair,) = exchange.instruments([PAIR])
    return pair, exchange.tick(PAIR)


def a_buy(exchange: Gateway, name: str, below: str = "0.98") -> OrderRequest:
    pair, tick = the_pair(exchange)
    price = pair.price(tick.last * Decimal(below))
    return OrderRequest(name, PAIR, Side.BUY, price, pair.quantity(Decimal(50) / price))


def test_an_order_rests_is_seen_and_is_cancelled(exchange: Gateway) -> None:
    request = a_buy(exchange, "t1-a", "0.9")
    order_id = exchange.place(request)
    resting = exchange.order(PAIR, "t1-a")
    assert resting is not None
    assert (resting.order_id, resting.status) == (order_id, OrderStatus.OPEN)
    assert (resting.price, resting.quantity) == (request.price, request.quantity)
    assert "t1-a" in {order.client_id for order in exchange.open_orders()}
    usdt = {balance.coin: balance for balance in exchange.balances()}["USDT"]
    assert usdt.locked == request.price * request.quantity

    with pytest.raises(AlreadyExists):
        exchange.place(request)
    exchange.cancel(PAIR, "t1-a")
    gone = exchange.order(PAIR, "t1-a")
    assert gone is not None
    assert gone.status is OrderStatus.CANCELLED
    with pytest.raises(NoSuchOrder):
        exchange.cancel(PAIR, "t1-a")
    assert "t1-a" not in {order.client_id for order in exchange.open_orders(PAIR)}
    assert exchange.order(PAIR, "never-sent") is None


def test_a_buy_fills_pays_its_fee_in_base_and_the_wallet_agrees(
    venue: Simulator, exchange: Gateway
) -> None:
    since = exchange.market_time_ms(PAIR)
    before = {balance.coin: balance.total for balance in exchange.balances()}
    request = a_buy(exchange, "t2-a")
    exchange.place(request)
    move(venue, request.price * Decimal("0.5") // Decimal("0.00001") * Decimal("0.00001"))
    fills = [fill for fill in exchange.fills_since(since, PAIR) if fill.client_id == "t2-a"]
    assert fills == exchange.fills_of(PAIR, "t2-a")
    assert sum(fill.quantity for fill in fills) == request.quantity
    assert {fill.fee_coin for fill in fills} == {"DOGE"}
    assert all(fill.is_maker and fill.time >= since for fill in fills)
    after = {balance.coin: balance.total for balance in exchange.balances()}
    assert after["DOGE"] - before["DOGE"] == sum(fill.quantity - fill.fee for fill in fills)
    assert before["USDT"] - after["USDT"] == sum(fill.notional for fill in fills)
    done = exchange.order(PAIR, "t2-a")
    assert done is not None
    assert (done.status, done.filled) == (OrderStatus.FILLED, request.quantity)


def test_a_post_only_order_that_would_take_is_accepted_and_cancelled(exchange: Gateway) -> None:
    exchange.place(a_buy(exchange, "t3-a", "1.01"))
    order = exchange.order(PAIR, "t3-a")
    assert order is not None
    assert (order.status, order.filled) == (OrderStatus.CANCELLED, 0)
    assert "EC_PostOnlyWillTakeLiquidity" in order.reason


def test_an_ioc_sell_takes_and_pays_in_quote(exchange: Gateway) -> None:
    pair, tick = the_pair(exchange)
    price = pair.price(tick.bid * Decimal("0.99"))
    exchange.place(OrderRequest("t4-a", PAIR, Side.SELL, price, Decimal(500), TimeInForce.IOC))
    fills = exchange.fills_of(PAIR, "t4-a")
    assert fills
    assert {fill.fee_coin for fill in fills} == {"USDT"}
    assert not any(fill.is_maker for fill in fills)


def test_definite_refusals(exchange: Gateway) -> None:
    pair, tick = the_pair(exchange)
    low = pair.price(tick.last * Decimal("0.9"))
    for name, price, quantity in (
        ("t5-a", low, Decimal(1)),  # below the minimum value
        ("t5-b", low + Decimal("0.000001"), Decimal(500)),  # off the tick
        ("t5-c", low, Decimal("500.01")),  # off the lot
        ("t5-d", low, Decimal(900_000)),  # more than there is
    ):
        with pytest.raises(Refused):
            exchange.place(OrderRequest(name, PAIR, Side.BUY, price, quantity))
        assert exchange.order(PAIR, name) is None
    with pytest.raises(Refused, match="NOSUCHUSDT"):
        exchange.instruments(["NOSUCHUSDT"])


def test_a_hundred_and_twenty_open_orders_come_in_pages(exchange: Gateway) -> None:
    pair, tick = the_pair(exchange)
    names = [f"t6-{number}" for number in range(120)]
    for number, name in enumerate(names):
        price = pair.price(tick.last * Decimal("0.7")) - number * pair.tick
        exchange.place(
            OrderRequest(name, PAIR, Side.BUY, price, pair.quantity(6 / price) + pair.lot)
        )
    try:
        mine = [order.client_id for order in exchange.open_orders(PAIR)]
        assert sorted(name for name in mine if name.startswith("t6-")) == sorted(names)
        assert len(mine) == len(set(mine))
    finally:
        for name in names:
            exchange.cancel(PAIR, name)


def test_candles_of_the_tape(venue: Simulator, exchange: Gateway) -> None:
    now = exchange.market_time_ms(PAIR)
    found = exchange.candles(PAIR, "1", now - 30 * 60_000, now)
    assert 28 <= len(found) <= 31
    assert [candle.time for candle in found] == sorted(candle.time for candle in found)
    assert all(candle.closed for candle in found[:-1])
    assert not found[-1].closed
    assert found[-1].time <= now < found[-1].time + 60_000


def test_fee_rates_key_and_clock(exchange: Gateway) -> None:
    assert exchange.fee_rates(PAIR) == (Decimal("0.001"), Decimal("0.001"))
    key = exchange.key_terms()
    assert key.may_trade_spot
    assert not key.may_withdraw
    assert exchange.server_time_ms() > 1_700_000_000_000


@pytest.mark.parametrize(("key", "secret"), [(KEY, "wrong"), ("wrong", SECRET)])
def test_wrong_keys_are_broken_and_echo_nothing(venue: Simulator, key: str, secret: str) -> None:
    with pytest.raises(Broken) as caught:
        Gateway(venue.url, key, secret).balances()
    assert KEY not in str(caught.value)


class Reader:
    """Reads what the feeds say, as the stream process does."""

    def __init__(self) -> None:
        self.connected: set[str] = set()
        self.kinds: set[str] = set()
        self.fills: list[Fill] = []
        self.orders: list[Order] = []
        self.balances: list[Balance] = []
        self.candles: list[Candle] = []
        self.ticks: list[Tick] = []
        self._quotes = Quotes()

    def read(self, event: Event) -> None:
        if isinstance(event, Connected):
            self.connected.add(event.feed)
        if not isinstance(event, Message):
            return
        kind, _, _ = event.frame["topic"].partition(".")
        self.kinds.add(kind)
        if kind == "kline":
            self.candles += wire.candles(event.frame)
        elif tick := self._quotes.see(event.frame):
            self.ticks.append(tick)
        elif kind in PRIVATE_TOPICS:
            for row in event.frame["data"]:
                self._private(kind, row)

    def _private(self, kind: str, row: Any) -> None:
        if kind == "execution" and wire.is_spot_trade(row):
            self.fills.append(wire.fill(row))
        elif kind == "order":
            self.orders.append(wire.order(row))
        elif kind == "wallet":
            self.balances += wire.balances(row)


def test_a_fill_is_told_on_the_private_stream_and_prices_on_the_public_one(
    venue: Simulator, exchange: Gateway
) -> None:
    out: queue.Queue[Event] = queue.Queue()
    reader = Reader()

    def read_until(true: Callable[[], object]) -> None:
        while not true():
            reader.read(out.get(timeout=15))

    origin = venue.url.replace("http", "ws", 1)
    with ExitStack() as stack:
        for feed in (private_feed(origin, KEY, SECRET, out), public_feed(origin, [PAIR], out)):
            stack.callback(feed.stop)
            feed.start()
        read_until(lambda: reader.connected == {"private", "public"})
        request = a_buy(exchange, "t7-a")
        exchange.place(request)
        pair, _ = the_pair(exchange)
        move(venue, pair.price(request.price * Decimal("0.9")))
        read_until(lambda: reader.fills and {"order", "wallet", "kline"} <= reader.kinds)
        read_until(lambda: reader.ticks and reader.ticks[-1].last < request.price)
        read_until(lambda: reader.orders[-1].status is OrderStatus.FILLED)
        read_until(lambda: {"USDT", "DOGE"} <= {balance.coin for balance in reader.balances})
    assert reader.fills == exchange.fills_of(PAIR, "t7-a")
    assert {order.client_id for order in reader.orders} == {"t7-a"}
    assert reader.ticks[-1].symbol == reader.candles[-1].symbol == PAIR
