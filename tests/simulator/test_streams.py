"""The WebSocket side of the simulator, seen by unmodified pybit, and its odd words up close."""

import json
import time

import pytest
import websocket

from integrations.bybit.simulator.auth import Keys
from tests.simulator.client import LocalWebSocket, Streams, http, limit

CHANNELS = ("public/spot", "public/linear", "private", "trade")


class Raw:
    """A bare socket, for looking at single frames."""

    def __init__(self, simulator, channel):
        self.socket = websocket.create_connection(f"{simulator.ws_url}/v5/{channel}", timeout=5)

    def ask(self, **message):
        self.socket.send(json.dumps(message))
        return self.hear()

    def hear(self):
        return json.loads(self.socket.recv())


@pytest.fixture
def raw(simulator):
    opened = []

    def connect(channel):
        opened.append(Raw(simulator, channel))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.socket.close()


def auth(keys, ahead=10_000):
    expires = int(time.time() * 1000) + ahead
    return [keys.key, expires, keys.sign(f"GET/realtime{expires}")]


def test_an_order_its_fill_and_the_wallet_arrive_on_the_private_stream(client, simulator, streams):
    streams.account()
    client.place_order(**limit(orderLinkId="mine"))
    assert streams.row("order", orderLinkId="mine")["orderStatus"] == "New"
    wallet = streams.wait(lambda frame: frame["topic"] == "wallet")["data"][0]
    assert [(row["coin"], row["locked"]) for row in wallet["coin"]] == [("USDT", "960")]
    clock = simulator.step({"BTCUSDT": "95000"})["clock"]
    fill = streams.row("execution", orderLinkId="mine")
    assert (fill["execFee"], fill["feeCurrency"], fill["category"]) == ("0.00001", "BTC", "spot")
    assert clock - 60_000 < int(fill["execTime"]) < clock
    assert streams.row("order", orderLinkId="mine", orderStatus="Filled")["cumExecQty"] == "0.01"


def test_cancels_and_post_only_refusals_arrive_too(client, streams):
    streams.account()
    client.place_order(**limit(orderLinkId="eager", price="96500"))
    row = streams.row("order", orderLinkId="eager")
    assert (row["orderStatus"], row["rejectReason"]) == (
        "Cancelled", "EC_PostOnlyWillTakeLiquidity",
    )  # fmt: skip
    client.place_order(**limit(orderLinkId="gone"))
    client.cancel_order(category="spot", symbol="BTCUSDT", orderLinkId="gone")
    assert streams.row("order", orderLinkId="gone", orderStatus="Cancelled")["cancelType"] == (
        "CancelByUser"
    )


def test_public_topics_follow_a_step(simulator, streams):
    for subscribe in ("ticker_stream", "trade_stream"):
        getattr(streams.public, subscribe)("BTCUSDT", streams.hear)
    streams.public.orderbook_stream(1, "BTCUSDT", streams.hear)
    streams.public.kline_stream(1, "BTCUSDT", streams.hear)
    simulator.wait_for_topics("publicTrade.BTCUSDT")
    for topic in ("tickers", "orderbook.1", "kline.1"):
        streams.wait(lambda frame, name=f"{topic}.BTCUSDT": frame["topic"] == name)
    clock = simulator.step({"BTCUSDT": "97000"})["clock"]

    def latest(topic):
        return streams.wait(lambda frame: frame["topic"] == topic and frame["ts"] == clock)

    ticker = latest("tickers.BTCUSDT")["data"]
    assert ticker["lastPrice"] == "97000"
    assert "bid1Price" not in ticker
    book = latest("orderbook.1.BTCUSDT")["data"]
    assert (book["b"][0][0], book["a"][0][0]) == ("96999.99", "97000.01")
    trade = latest("publicTrade.BTCUSDT")["data"][-1]
    assert (trade["p"], trade["S"], trade["T"]) == ("97000", "Buy", clock)


def test_every_closed_bar_is_confirmed_once_and_agrees_with_rest(client, simulator, streams):
    streams.public.kline_stream(1, "BTCUSDT", streams.hear)
    streams.wait(lambda frame: frame["topic"] == "kline.1.BTCUSDT")
    for price, seconds in (("96500", 30), ("96200", 200), ("97000", 61), ("96000", 600)):
        simulator.step({"BTCUSDT": price}, seconds)
    clock = simulator.state()["clock"]
    streams.wait(lambda frame: frame["data"][0]["start"] == clock - clock % 60_000)
    told = [frame["data"][0] for frame in streams.frames if frame["data"][0]["confirm"]]
    answer = client.get_kline(category="spot", symbol="BTCUSDT", interval="1", limit=15)
    closed = [row for row in answer["result"]["list"] if int(row[0]) + 60_000 <= clock]
    names = ("start", "open", "high", "low", "close", "volume", "turnover")
    assert [[str(bar[name]) for name in names] for bar in told] == list(
        reversed(closed[: len(told)])
    )
    assert len(told) == 14


def books(simulator, streams, depth, **prices):
    """pybit's own copy of a deep book after each of some prices, and the book by REST."""
    client = http(simulator)
    streams.public.orderbook_stream(depth, "BTCUSDT", streams.hear)
    simulator.wait_for_topics(f"orderbook.{depth}.BTCUSDT")
    for price in prices["prices"]:
        simulator.step({"BTCUSDT": price}, 1)
        there = client.get_orderbook(category="spot", symbol="BTCUSDT", limit=depth)["result"]
        yield streams.wait(lambda frame, u=there["u"]: frame["data"]["u"] == u)["data"], there


@pytest.mark.parametrize("depth", [50, 200])
def test_pybit_rebuilds_a_deep_book_from_its_changes(simulator, streams, depth):
    prices = ("96383.25", "96383.20", "96390", "96383.21")
    for kept, there in books(simulator, streams, depth, prices=prices):
        for side, down in (("b", True), ("a", False)):
            rows = sorted(kept[side], key=lambda row: float(row[0]), reverse=down)
            assert [row[0] for row in rows] == [row[0] for row in there[side]]


def test_a_deep_book_is_told_by_its_changes_and_a_late_listener_fits_in(raw, simulator):
    first = raw("public/spot")
    first.ask(op="subscribe", args=["orderbook.50.BTCUSDT"])
    assert first.hear()["type"] == "snapshot"
    simulator.step({"BTCUSDT": "96383.22"}, 1)
    delta = first.hear()
    assert (delta["type"], delta["data"]["b"][0]) == ("delta", ["96382.71", "0"])
    assert [row[0] for row in delta["data"]["b"][1:]] == ["96383.21"]
    assert [row[0] for row in delta["data"]["a"]] == ["96383.22", "96383.72"]
    second = raw("public/spot")
    second.ask(op="subscribe", args=["orderbook.50.BTCUSDT"])
    assert second.hear()["data"]["b"][0][0] == "96383.21"
    simulator.step({"BTCUSDT": "96383.21"}, 1)
    assert first.hear()["data"] == second.hear()["data"]


def test_the_best_prices_are_told_again_after_three_quiet_seconds(raw):
    connection = raw("public/spot")
    connection.ask(op="subscribe", args=["orderbook.1.BTCUSDT"])
    first = connection.hear()
    heard = [(connection.hear(), time.monotonic()) for _ in range(2)]
    assert [frame for frame, _ in heard] == [first, first]
    assert 2.9 < heard[1][1] - heard[0][1] < 4


def test_topics_by_category_say_the_same(raw, client, simulator):
    connection = raw("private")
    connection.ask(op="auth", args=auth(simulator.options.keys))
    both = ["order", "order.spot"]
    assert connection.ask(op="subscribe", args=both)["success"] is False
    assert connection.ask(op="subscribe", args=["wallet.spot"])["success"] is False
    assert connection.ask(op="subscribe", args=["order.linear", "execution.fast"])["success"]
    assert connection.ask(op="subscribe", args=["order.spot"])["success"]
    client.place_order(**limit(price="96500", timeInForce="IOC", orderLinkId="taker"))
    fast, order = connection.hear(), connection.hear()
    assert (fast["topic"], order["topic"]) == ("execution.fast", "order.spot")
    assert (fast["data"][0]["orderLinkId"], "execFee" in fast["data"][0]) == ("taker", False)
    client.place_order(**limit(orderLinkId="maker"))
    assert connection.hear()["data"][0]["orderStatus"] == "New"
    simulator.step({"BTCUSDT": "95000"})
    assert connection.hear()["data"][0]["orderLinkId"] == ""


def test_the_price_band_is_a_topic_too(raw, simulator):
    connection = raw("public/spot")
    connection.ask(op="subscribe", args=["priceLimit.BTCUSDT"])
    assert connection.hear()["data"]["buyLmt"] == "96865.12"
    simulator.step({"BTCUSDT": "96000"})
    while (frame := connection.hear())["data"]["buyLmt"] != "96480":
        assert frame["data"]["buyLmt"] == "96865.12"


def test_pybit_comes_back_by_itself_after_a_restart(client, simulator):
    streams = Streams(simulator, retries=0)  # for ever; its ten tries are over in a moment
    streams.account()
    simulator.stop()
    simulator.start()
    simulator.wait_for_topics("order", "execution", "wallet")
    client.place_order(**limit(orderLinkId="after"))
    assert streams.row("order", orderLinkId="after")["orderStatus"] == "New"
    streams.close()


def test_each_channel_has_its_own_pong(raw):
    forms = {channel: raw(channel).ask(op="ping", req_id="7") for channel in CHANNELS}
    assert {channel: (form["op"], "req_id" in form) for channel, form in forms.items()} == {
        "public/spot": ("ping", False),
        "public/linear": ("ping", True),
        "private": ("pong", True),
        "trade": ("pong", False),
    }
    assert forms["public/spot"]["ret_msg"] == "pong"
    assert forms["private"]["args"][0].isdecimal()
    assert forms["trade"]["data"][0].isdecimal()


def test_protocol_pings_are_answered(raw):
    connection = raw("private")
    connection.socket.ping(b"there?")
    opcode, payload = connection.socket.recv_data(control_frame=True)
    assert (opcode, payload) == (websocket.ABNF.OPCODE_PONG, b"there?")


def test_an_ack_comes_after_a_while_and_before_the_first_push(raw):
    connection = raw("public/spot")
    sent = time.monotonic()
    ack = connection.ask(op="subscribe", req_id="x", args=["tickers.BTCUSDT"])
    assert time.monotonic() - sent >= 0.04
    assert (ack["success"], ack["ret_msg"], ack["req_id"], ack["op"]) == (
        True, "subscribe", "x", "subscribe",
    )  # fmt: skip
    assert connection.hear()["topic"] == "tickers.BTCUSDT"


@pytest.mark.parametrize(
    "topics",
    [["tickers.XYZUSDT"], ["kline.7.BTCUSDT"], ["order"], [], "tickers.BTCUSDT", ["a"] * 11, [1]],
)
def test_a_wrong_topic_fails_the_whole_subscription(raw, topics):
    ack = raw("public/spot").ask(op="subscribe", args=topics)
    assert ack["success"] is False
    assert ack["ret_msg"]


def test_a_topic_is_subscribed_once_and_unsubscribed(raw):
    connection = raw("public/spot")
    connection.ask(op="subscribe", args=["publicTrade.BTCUSDT"])
    again = connection.ask(op="subscribe", args=["publicTrade.BTCUSDT"])
    assert "already subscribed" in again["ret_msg"]
    assert connection.ask(op="unsubscribe", args=["publicTrade.BTCUSDT"])["success"]
    assert connection.ask(op="subscribe", args=["publicTrade.BTCUSDT"])["success"]


def test_private_topics_need_a_signature(raw, simulator):
    keys = simulator.options.keys
    connection = raw("private")
    assert connection.ask(op="subscribe", args=["order"])["success"] is False
    for args in (auth(keys, -5_000), auth(Keys(keys.key, "no")), auth(Keys("no", keys.secret)), []):
        assert connection.ask(op="auth", args=args)["success"] is False
    assert connection.ask(op="auth", args=auth(keys))["success"]
    assert connection.ask(op="subscribe", args=["order.spot"])["success"]


def test_garbage_is_answered_and_survived(raw):
    connection = raw("public/spot")
    for garbage in ("", "not json", "[1]", '{"op": 5}', '{"op":"nonsense"}'):
        connection.socket.send(garbage)
        assert connection.hear()["success"] is False


def test_orders_by_websocket(raw, simulator):
    connection, keys = raw("trade"), simulator.options.keys
    header = {"X-BAPI-TIMESTAMP": int(time.time() * 1000), "X-BAPI-RECV-WINDOW": "5000"}
    create = {"op": "order.create", "header": header, "args": [limit(orderLinkId="ws")]}
    assert connection.ask(reqId="1", **create)["retCode"] == 10003
    assert connection.ask(op="auth", args=auth(keys))["retCode"] == 0
    done = connection.ask(reqId="2", **create)
    assert (done["reqId"], done["retCode"], done["data"]["orderLinkId"]) == ("2", 0, "ws")
    assert connection.ask(reqId="3", **create)["retCode"] == 170141
    assert connection.ask(op="order.mend", header=header, args=[{}])["retCode"] == 10404
    cancel = {"category": "spot", "symbol": "BTCUSDT", "orderLinkId": "ws"}
    assert connection.ask(op="order.cancel", header=header, args=[cancel])["retCode"] == 0
    assert simulator.state()["orders"][0]["orderStatus"] == "Cancelled"


def test_a_bad_key_is_told_to_pybit(simulator):
    keys = {"api_key": "wrong", "api_secret": "wrong", "restart_on_error": False}
    stream = LocalWebSocket(simulator.ws_url, "private", **keys)
    deadline = time.monotonic() + 5
    while not stream.exited:
        assert time.monotonic() < deadline
        time.sleep(0.02)
