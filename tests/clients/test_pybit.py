"""Bybit's own Python client: HTTP, the streams of market and account, orders by WebSocket."""

import threading
from urllib.parse import urlsplit

import pytest
from pybit.unified_trading import WebSocketTrading

from tests.simulator.client import Streams, http, limit

PATIENCE = 10  # s
SPOT = {"category": "spot", "symbol": "BTCUSDT"}


class LocalTrading(WebSocketTrading):
    """pybit's order entry, on another host; answers are awaited one by one."""

    def __init__(self, running):
        self._origin = running.ws_url
        super().__init__(testnet=False, api_key=running.key, api_secret=running.secret)

    def _connect(self, url):
        path = urlsplit(url.format(SUBDOMAIN="s", DOMAIN="d", TLD="t")).path
        super()._connect(self._origin + path)

    def ask(self, operation, **order):
        answers, came = [], threading.Event()

        def hear(answer):
            answers.append(answer)
            came.set()

        getattr(self, operation)(hear, hear, **order)
        assert came.wait(PATIENCE), f"no answer to {operation}"
        return answers[0]


@pytest.fixture
def trading(simulator):
    opened = LocalTrading(simulator)
    yield opened
    opened.exit()


def walk(call, **arguments):
    rows, cursor = [], None
    while True:
        page = call(category="spot", cursor=cursor, **arguments)["result"]
        rows += page["list"]
        cursor = page["nextPageCursor"]
        if not cursor:
            return rows


def test_place_amend_cancel_fill_and_page_through_history(simulator):
    client = http(simulator)
    for number in range(5):
        client.place_order(**limit(orderLinkId=f"n{number}", price=str(96000 - number)))
    client.amend_order(**SPOT, orderLinkId="n0", price="96100")
    client.cancel_order(**SPOT, orderLinkId="n4")
    simulator.step({"BTCUSDT": "95990"})
    history = walk(client.get_order_history, limit=2)
    assert [row["orderLinkId"] for row in history] == ["n4", "n3", "n2", "n1", "n0"]
    fills = walk(client.get_executions, limit=3)
    assert [fill["execPrice"] for fill in reversed(fills)] == ["96100", "95999", "95998", "95997"]


def test_order_entry_by_websocket(simulator, trading):
    placed = trading.ask("place_order", **limit(orderLinkId="ws"))
    assert placed["data"]["orderLinkId"] == "ws"
    assert trading.ask("amend_order", **SPOT, orderLinkId="ws", qty="0.02")["retCode"] == 0
    assert trading.ask("cancel_order", **SPOT, orderLinkId="ws")["retCode"] == 0
    assert trading.ask("cancel_order", **SPOT, orderLinkId="ws")["retCode"] == 170213
    orders = [limit(orderLinkId=name) for name in ("a", "b")]
    batch = trading.ask("place_batch_order", category="spot", request=orders)
    assert [row["orderLinkId"] for row in batch["data"]["list"]] == ["a", "b"]


def test_streams_of_account_and_market_and_again_after_a_restart(simulator):
    streams = Streams(simulator, retries=0)
    try:
        streams.account()
        streams.public.orderbook_stream(50, "BTCUSDT", streams.hear)
        streams.public.trade_stream("BTCUSDT", streams.hear)
        simulator.wait_for_topics("orderbook.50.BTCUSDT", "publicTrade.BTCUSDT")
        client = http(simulator)
        client.place_order(**limit(orderLinkId="first"))
        simulator.step({"BTCUSDT": "95990"})
        assert streams.row("execution", orderLinkId="first")["execPrice"] == "96000"
        assert streams.row("publicTrade.BTCUSDT", p="95990")["S"] == "Sell"
        simulator.stop()
        simulator.start()
        simulator.wait_for_topics("order", "execution", "orderbook.50.BTCUSDT")
        client.place_order(**limit(orderLinkId="second", price="95000"))
        assert streams.row("order", orderLinkId="second")["orderStatus"] == "New"
    finally:
        streams.close()
