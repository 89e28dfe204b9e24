"""ccxt: its REST client, and its streams (ccxt.pro) with order entry by WebSocket."""

import asyncio
from urllib.parse import urlsplit

import ccxt
import ccxt.pro
import pytest

PAIR = "BTC/USDT"
PATIENCE = 10  # s


def moved(urls, running):
    """Its table of addresses, with our origin in the place of each of Bybit's."""
    if isinstance(urls, dict):
        return {name: moved(url, running) for name, url in urls.items()}
    parts = urlsplit(urls.replace("{hostname}", "bybit.com"))
    return (running.ws_url if parts.scheme == "wss" else running.rest_url) + parts.path


def local(kind, running):
    keys = {"apiKey": running.key, "secret": running.secret}
    exchange = kind({**keys, "enableRateLimit": False, "enableLastJsonResponse": True})
    exchange.urls["api"] = moved(exchange.urls["api"], running)
    return exchange


@pytest.fixture
def exchange(simulator):
    opened = local(ccxt.bybit, simulator)
    opened.load_markets()
    return opened


def test_it_sees_the_market(exchange):
    assert set(exchange.markets) == {"BTC/USDT", "MNT/USDT", "DOGE/USDT", "PEPE/USDT"}
    assert exchange.markets["PEPE/USDT"]["precision"]["price"] == 1e-9
    ticker = exchange.fetch_ticker(PAIR)
    assert (ticker["bid"], ticker["last"], ticker["ask"]) == (96383.2, 96383.21, 96383.22)
    assert len(exchange.fetch_order_book(PAIR, 25)["asks"]) == 25
    assert len(exchange.fetch_ohlcv(PAIR, "1m", limit=100)) == 100
    assert exchange.fetch_trading_fee(PAIR)["maker"] == 0.001
    assert exchange.fetch_balance()["USDT"]["free"] == 34000
    assert exchange.is_unified_enabled() == [False, True]
    assert exchange.fetch_trading_fees() == {}
    assert exchange.fetch_positions() == []


def test_place_edit_cancel_and_fill(exchange, simulator):
    made = exchange.create_order(PAIR, "limit", "buy", 0.01, 95000, {"clientOrderId": "cc-1"})
    assert made["clientOrderId"] == "cc-1"
    exchange.edit_order(made["id"], PAIR, "limit", "buy", 0.01, 96000)
    assert exchange.fetch_open_order(made["id"], PAIR)["price"] == 96000
    simulator.step({"BTCUSDT": "95990"})
    done = exchange.fetch_closed_order(made["id"], PAIR)
    assert (done["status"], done["filled"], done["fee"]["currency"]) == ("closed", 0.01, "BTC")
    other = exchange.create_order(PAIR, "limit", "buy", 0.01, 95000, {"postOnly": True})
    exchange.cancel_order(other["id"], PAIR)
    assert exchange.fetch_canceled_orders(PAIR)[0]["id"] == other["id"]


def test_market_orders_by_cost_and_by_amount(exchange):
    exchange.create_market_buy_order_with_cost(PAIR, 100)
    exchange.create_order(PAIR, "market", "sell", 0.001)
    bought, sold = exchange.fetch_my_trades(PAIR)
    assert (bought["takerOrMaker"], bought["amount"]) == ("taker", 0.001037)
    assert (sold["side"], sold["price"], sold["fee"]["currency"]) == ("sell", 96383.2, "USDT")


def test_it_reads_our_refusals(exchange):
    def buy(amount, price, **params):
        exchange.create_order(PAIR, "limit", "buy", amount, price, params)

    with pytest.raises(ccxt.InsufficientFunds):
        buy(0.9, 96000)
    with pytest.raises(ccxt.InvalidOrder):
        buy(0.001, 99000)  # outside the price band
    with pytest.raises(ccxt.InvalidOrder):
        buy(0.00002, 96000)
    buy(0.001, 96000, clientOrderId="twice")
    with pytest.raises(ccxt.InvalidOrder):
        buy(0.001, 96000, clientOrderId="twice")
    with pytest.raises(ccxt.OrderNotFound):
        exchange.cancel_order("123", PAIR)


def test_batches_pages_and_cancel_all(exchange, simulator):
    orders = [
        {"symbol": PAIR, "type": "limit", "side": "buy", "amount": 0.001, "price": 96000 - number}
        for number in range(8)
    ]
    assert len(exchange.create_orders(orders)) == 8
    simulator.step({"BTCUSDT": "95996.5"})
    assert len(exchange.fetch_open_orders(PAIR)) == 4
    everything = exchange.fetch_my_trades(PAIR, params={"paginate": True})
    assert len(everything) == 4
    first = exchange.fetch_open_orders(PAIR, limit=2)
    cursor = exchange.last_json_response["result"]["nextPageCursor"]
    second = exchange.fetch_open_orders(PAIR, limit=2, params={"cursor": cursor})
    prices = [order["price"] for order in (*first, *second)]
    assert sorted(prices) == [95993, 95994, 95995, 95996]
    assert len(exchange.cancel_all_orders(PAIR)) == 4
    assert exchange.fetch_open_orders() == []


async def test_streams_orders_by_websocket_and_again_after_a_restart(simulator):
    exchange = local(ccxt.pro.bybit, simulator)
    try:
        await exchange.load_markets()
        book = await soon(exchange.watch_order_book(PAIR, 50))
        assert (len(book["bids"]), book["bids"][0][0]) == (50, 96383.2)
        assert (await soon(exchange.watch_ticker(PAIR)))["last"] == 96383.21
        assert (await soon(exchange.watch_ohlcv(PAIR, "1m")))[-1][4] == 96383.21
        hearing = [
            asyncio.create_task(watch)
            for watch in (
                exchange.watch_my_trades(PAIR),
                exchange.watch_trades(PAIR),
                exchange.watch_balance(),
                exchange.watch_order_book(PAIR, 50),
            )
        ]
        await asyncio.to_thread(simulator.wait_for_topics, "execution", "publicTrade.BTCUSDT")
        made = await soon(exchange.create_order_ws(PAIR, "limit", "buy", 0.01, 95000))
        await soon(exchange.edit_order_ws(made["id"], PAIR, "limit", "buy", 0.01, 96000))
        await asyncio.to_thread(simulator.step, {"BTCUSDT": "95990"})
        mine, trades, _, book = await soon(asyncio.gather(*hearing))
        assert (mine[0]["order"], mine[0]["price"]) == (made["id"], 96000)
        assert trades[0]["price"] == 95990
        assert book["bids"][0][0] == 95989.99

        other = await soon(exchange.create_order_ws(PAIR, "limit", "buy", 0.01, 95000))
        await soon(exchange.cancel_order_ws(other["id"], PAIR))
        await asyncio.to_thread(simulator.stop)
        with pytest.raises(ccxt.NetworkError):
            await forever(exchange)
        await asyncio.to_thread(simulator.start)
        assert (await soon(exchange.watch_ticker(PAIR)))["last"] == 95990
    finally:
        await exchange.close()


async def forever(exchange):
    while True:
        await soon(exchange.watch_ticker(PAIR))


async def soon(answer):
    return await asyncio.wait_for(answer, PATIENCE)
