"""The REST side of the simulator, seen by unmodified pybit."""

import time
from itertools import pairwise

import pytest
import requests
from pybit.exceptions import FailedRequestError

from tests.simulator.client import http, limit, refused


def order(client, link):
    (row,) = client.get_open_orders(category="spot", orderLinkId=link)["result"]["list"]
    return row


def wallet(client):
    coins = client.get_wallet_balance(accountType="UNIFIED")["result"]["list"][0]["coin"]
    return {row["coin"]: (row["walletBalance"], row["locked"]) for row in coins}


def test_the_envelope_and_the_machines_clock(client):
    answer = client.get_server_time()
    assert set(answer) == {"retCode", "retMsg", "result", "retExtInfo", "time"}
    assert (answer["retCode"], answer["retMsg"]) == (0, "OK")
    assert abs(answer["time"] / 1000 - time.time()) < 5
    assert answer["result"]["timeNano"].startswith(answer["result"]["timeSecond"])


def test_all_other_answers_are_stamped_by_the_tapes_clock(client, simulator):
    clock = simulator.step()["clock"]
    assert client.get_tickers(category="spot")["time"] == clock
    assert client.get_wallet_balance(accountType="UNIFIED")["time"] == clock
    answer = requests.get(f"{simulator.rest_url}/v5/market/tickers", timeout=5).json()
    assert (answer["retCode"], answer["time"]) == (10001, clock)


def test_other_categories_are_empty(client):
    for category in ("linear", "inverse", "option"):
        for call in (client.get_open_orders, client.get_order_history, client.get_executions):
            page = call(category=category, settleCoin="USDT")["result"]
            assert (page["category"], page["list"], page["nextPageCursor"]) == (category, [], "")
        assert client.cancel_all_orders(category=category)["result"]["list"] == []
        assert client.get_fee_rates(category=category)["result"]["list"] == []
    assert refused(client.get_open_orders, category="perpetual") == 10001


def test_filters_of_the_pairs(client):
    rows = client.get_instruments_info(category="spot")["result"]["list"]
    assert {row["symbol"] for row in rows} == {"BTCUSDT", "MNTUSDT", "DOGEUSDT", "PEPEUSDT"}
    (pepe,) = client.get_instruments_info(category="spot", symbol="PEPEUSDT")["result"]["list"]
    assert pepe["priceFilter"]["tickSize"] == "0.000000001"
    assert pepe["lotSizeFilter"]["minOrderAmt"] == "5"
    assert client.get_instruments_info(category="linear")["result"]["list"] == []


def test_ticker_book_and_kline_tell_one_price(client, simulator):
    simulator.step({"BTCUSDT": "97000"}, seconds=90)
    (ticker,) = client.get_tickers(category="spot", symbol="BTCUSDT")["result"]["list"]
    assert (ticker["bid1Price"], ticker["lastPrice"], ticker["ask1Price"]) == (
        "96999.99", "97000", "97000.01",
    )  # fmt: skip
    book = client.get_orderbook(category="spot", symbol="BTCUSDT", limit=3)["result"]
    assert [row[0] for row in book["b"]] == ["96999.99", "96999.98", "96999.97"]
    assert book["ts"] == simulator.state()["clock"]
    rows = client.get_kline(category="spot", symbol="BTCUSDT", interval="1", limit=5)["result"]
    newest, before = rows["list"][:2]
    assert (newest[4], before[1]) == ("97000", "96383.21")
    assert newest[1] == before[4] or abs(float(newest[1]) - float(before[4])) <= 0.02
    assert all(int(new[0]) - int(old[0]) == 60_000 for new, old in pairwise(rows["list"]))
    (trade, *_) = client.get_public_trade_history(category="spot", symbol="BTCUSDT")["result"][
        "list"
    ]
    assert (trade["price"], trade["side"]) == ("97000", "Buy")


def test_a_resting_buy_its_lock_its_fill_and_its_fee_in_base(client, simulator):
    answer = client.place_order(**limit(orderLinkId="grid-1"))["result"]
    assert answer["orderLinkId"] == "grid-1"
    assert len(answer["orderId"]) == 19
    assert answer["orderId"].isdecimal()
    assert wallet(client)["USDT"] == ("34000", "960")
    simulator.step({"BTCUSDT": "96000"})
    assert order(client, "grid-1")["orderStatus"] == "New"  # touched is not passed
    simulator.step({"BTCUSDT": "95900"})
    row = order(client, "grid-1")
    assert (row["orderStatus"], row["avgPrice"], row["leavesQty"]) == ("Filled", "96000", "0")
    assert row["cumFeeDetail"] == {"BTC": "0.00001"}
    assert wallet(client)["USDT"] == ("33040", "0")
    assert wallet(client)["BTC"] == ("1.00999", "0")
    (fill,) = client.get_executions(category="spot", orderLinkId="grid-1")["result"]["list"]
    assert (fill["execPrice"], fill["execFee"], fill["feeCurrency"]) == ("96000", "0.00001", "BTC")
    assert (fill["isMaker"], fill["execType"], fill["leavesQty"]) == (True, "Trade", "0")


def test_a_fill_is_stamped_when_price_crosses(client, simulator):
    before = simulator.step({"BTCUSDT": "97000"})["clock"]
    client.place_order(**limit(price="96500"))
    simulator.step({"BTCUSDT": "96000"}, seconds=100)
    (fill,) = client.get_executions(category="spot")["result"]["list"]
    assert int(fill["execTime"]) == before + 50_000
    assert order(client, fill["orderLinkId"])["createdTime"] == str(before)


def test_post_only_that_would_take_is_acked_and_then_cancelled(client):
    client.place_order(**limit(price="96500", orderLinkId="eager"))
    row = order(client, "eager")
    assert (row["orderStatus"], row["rejectReason"]) == (
        "Cancelled", "EC_PostOnlyWillTakeLiquidity",
    )  # fmt: skip
    assert row["cancelType"] == "UNKNOWN"


def test_ioc_takes_the_book_or_dies(client):
    client.place_order(**limit(price="96500", timeInForce="IOC", orderLinkId="taker"))
    assert order(client, "taker")["avgPrice"] == "96383.22"
    (fill,) = client.get_executions(category="spot", orderLinkId="taker")["result"]["list"]
    assert (fill["isMaker"], fill["feeRate"]) == (False, "0.001")
    client.place_order(**limit(price="96000", timeInForce="IOC", orderLinkId="missed"))
    row = order(client, "missed")
    assert (row["orderStatus"], row["rejectReason"]) == ("Cancelled", "EC_NoImmediateQtyToFill")


def test_market_orders_by_amount_and_by_base(client):
    market = {"category": "spot", "symbol": "DOGEUSDT", "orderType": "Market"}
    client.place_order(**market, side="Buy", qty="100", orderLinkId="amount")
    assert order(client, "amount")["cumExecQty"] == "701.9"  # of 0.14247
    client.place_order(**market, side="Sell", qty="50", orderLinkId="base")
    row = order(client, "base")
    assert (row["orderStatus"], row["timeInForce"], row["cumExecQty"]) == ("Filled", "IOC", "50")


def test_an_order_without_a_name_gets_a_number_next_to_its_id(client):
    answer = client.place_order(**limit())["result"]
    assert int(answer["orderLinkId"]) == int(answer["orderId"]) + 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"category": "linear"}, 10001),
        ({"symbol": "XYZUSDT"}, 170121),
        ({"side": "buy"}, 10001),
        ({"orderType": "Stop"}, 10001),
        ({"qty": "abc"}, 10001),
        ({"qty": "0"}, 170136),
        ({"qty": "0.0000001"}, 170137),
        ({"qty": "90", "price": "1000"}, 170135),
        ({"price": "96000.001"}, 170134),
        ({"price": "97000"}, 170193),
        ({"side": "Sell", "price": "95000"}, 170194),
        ({"smpType": "CancelAll"}, 10001),
        ({"orderFilter": "StopOrder"}, 10001),
        ({"qty": "0.00005"}, 170140),
        ({"qty": "0.5"}, 170131),
        ({"side": "Sell", "price": "98000", "qty": "2"}, 170131),
        ({"timeInForce": "GTX"}, 10001),
        ({"orderLinkId": "x" * 37}, 10001),
        ({"orderLinkId": "no spaces"}, 10001),
        ({"isLeverage": 1}, 10001),
    ],
)
def test_refused_orders(client, simulator, changes, code):
    assert refused(client.place_order, **limit(**changes)) == code
    assert simulator.state()["orders"] == []


def test_an_order_link_id_is_used_once_and_for_ever(client, simulator):
    client.place_order(**limit(orderLinkId="once"))
    assert refused(client.place_order, **limit(orderLinkId="once")) == 170141
    client.cancel_order(category="spot", symbol="BTCUSDT", orderLinkId="once")
    assert refused(client.place_order, **limit(orderLinkId="once")) == 170141
    simulator.stop()
    simulator.start()
    assert refused(client.place_order, **limit(orderLinkId="once")) == 170141


def test_cancel(client):
    client.place_order(**limit(orderLinkId="gone"))
    cancel = {"category": "spot", "symbol": "BTCUSDT"}
    assert client.cancel_order(**cancel, orderLinkId="gone")["result"]["orderLinkId"] == "gone"
    row = order(client, "gone")
    assert (row["orderStatus"], row["cancelType"], row["rejectReason"]) == (
        "Cancelled", "CancelByUser", "EC_PerCancelRequest",
    )  # fmt: skip
    assert wallet(client)["USDT"] == ("34000", "0")
    assert refused(client.cancel_order, **cancel, orderLinkId="gone") == 170213
    assert refused(client.cancel_order, **cancel, orderLinkId="never") == 170213
    assert refused(client.cancel_order, **cancel) == 10001


def test_amend_by_either_id(client):
    made = client.place_order(**limit(orderLinkId="mend"))["result"]
    mend = {"category": "spot", "symbol": "BTCUSDT"}
    assert client.amend_order(**mend, orderLinkId="mend", price="95000")["result"] == made
    client.amend_order(**mend, orderId=made["orderId"], qty="0.02")
    row = order(client, "mend")
    assert (row["price"], row["qty"], row["leavesQty"]) == ("95000", "0.02", "0.02")
    assert wallet(client)["USDT"] == ("34000", "1900")
    for changes, code in (
        ({"price": "95000"}, 10001),  # nothing new
        ({}, 10001),
        ({"price": "95000.001"}, 170134),
        ({"price": "97000"}, 170193),
        ({"qty": "0.00001"}, 170140),
        ({"qty": "0.5"}, 170131),
    ):
        assert refused(client.amend_order, **mend, orderLinkId="mend", **changes) == code
    client.cancel_order(**mend, orderLinkId="mend")
    assert refused(client.amend_order, **mend, orderLinkId="mend", qty="0.03") == 170213
    assert refused(client.amend_order, **mend, orderLinkId="never", qty="0.03") == 170213


def test_amends_in_a_batch_have_their_own_outcomes(client):
    client.place_order(**limit(orderLinkId="a"))
    mends = [{"symbol": "BTCUSDT", "orderLinkId": link, "price": "95000"} for link in ("a", "b")]
    answer = client.amend_batch_order(category="spot", request=mends)
    assert [row["code"] for row in answer["retExtInfo"]["list"]] == [0, 170213]
    assert order(client, "a")["price"] == "95000"


def test_cancel_all_takes_everybodys_orders_but_only_of_its_kind(client, simulator):
    client.place_order(**limit(orderLinkId="bot"))
    client.place_order(**limit(orderLinkId="manual"))
    doge = {"symbol": "DOGEUSDT", "qty": "100", "price": "0.13"}
    client.place_order(**limit(**doge, orderLinkId="dog"))
    ask = {"category": "spot"}
    for kind in ("StopOrder", "tpslOrder"):
        answer = client.cancel_all_orders(**ask, orderFilter=kind)["result"]
        assert answer == {"list": [], "success": "1"}
    names = [
        [row["orderLinkId"] for row in client.cancel_all_orders(**ask, **which)["result"]["list"]]
        for which in ({"symbol": "BTCUSDT"}, {"baseCoin": "BTC"}, {"baseCoin": "DOGE"}, {})
    ]
    assert names == [["bot", "manual"], [], ["dog"], []]
    assert wallet(client)["USDT"] == ("34000", "0")
    assert refused(client.cancel_all_orders, **ask, settleCoin="USDT") == 10001
    assert refused(client.cancel_all_orders, **ask, orderFilter="All") == 10001
    assert refused(client.cancel_all_orders, **ask, symbol="XYZUSDT") == 170121


def test_the_price_band_bounds_buys_above_and_sells_below(client):
    band = client.get_price_limit(category="spot", symbol="BTCUSDT")["result"]
    assert (band["buyLmt"], band["sellLmt"]) == ("96865.12", "95901.3")  # 96383.21 +- 0.5 %
    fok = {"timeInForce": "FOK", "qty": "0.001"}
    client.place_order(**limit(**fok, price=band["buyLmt"]))
    assert refused(client.place_order, **limit(**fok, price="96865.13")) == 170193
    client.place_order(**limit(**fok, side="Sell", price=band["sellLmt"]))
    assert refused(client.place_order, **limit(**fok, side="Sell", price="95901.29")) == 170194


def test_settings_coins_positions_and_what_can_be_spent(client):
    get = client._submit_request
    base = client.endpoint
    asked = get("GET", f"{base}/v5/account/user-setting-config", {}, auth=True)["result"]
    assert (asked["lpaSpot"], asked["smsef"]) == (False, False)
    rows = client.get_coin_info()["result"]["rows"]
    assert {row["coin"] for row in rows} == {"BTC", "MNT", "DOGE", "PEPE", "USDT"}
    assert client.get_positions(category="linear", settleCoin="USDT")["result"]["list"] == []
    spend = client.get_borrow_quota(category="spot", symbol="BTCUSDT", side="Buy")["result"]
    assert (spend["spotMaxTradeAmount"], spend["spotMaxTradeQty"]) == ("34000", "0.352758")
    assert spend["borrowCoin"] == "USDT"


def test_signatures_clocks_and_keys(simulator):
    ask = {"accountType": "UNIFIED"}
    assert refused(http(simulator, api_secret="wrong").get_wallet_balance, **ask) == 10004
    assert refused(http(simulator, api_key="wrong").get_wallet_balance, **ask) == 10003
    headers = {"X-BAPI-API-KEY": simulator.key, "X-BAPI-SIGN": "0", "X-BAPI-RECV-WINDOW": "5000"}
    for shift, code in ((-6_000, 10002), (1_500, 10002), (0, 10004)):
        headers["X-BAPI-TIMESTAMP"] = str(int(time.time() * 1000) + shift)
        answer = requests.get(f"{simulator.rest_url}/v5/account/info", headers=headers, timeout=5)
        assert answer.json()["retCode"] == code


def test_account_key_and_fees(client):
    assert client.get_account_info()["result"]["marginMode"] == "REGULAR_MARGIN"
    (row,) = client.get_fee_rates(category="spot", symbol="BTCUSDT")["result"]["list"]
    assert row == {"symbol": "BTCUSDT", "takerFeeRate": "0.001", "makerFeeRate": "0.001"}
    key = client.get_api_key_information()["result"]
    assert (key["readOnly"], key["permissions"]["Spot"], key["permissions"]["Wallet"]) == (
        0, ["SpotTrade"], [],
    )  # fmt: skip
    answer = client.get_wallet_balance(accountType="UNIFIED", coin="USDC")["result"]["list"][0]
    assert [(row["coin"], row["walletBalance"]) for row in answer["coin"]] == [("USDC", "0")]


def test_signed_answers_carry_the_budget(simulator):
    client = http(simulator, return_response_headers=True)
    for left in (19, 18):
        _, _, headers = client.place_order(**limit())
        assert headers["X-Bapi-Limit"] == "20"
        assert headers["X-Bapi-Limit-Status"] == str(left)
        assert abs(int(headers["X-Bapi-Limit-Reset-Timestamp"]) / 1000 - time.time()) < 5


def test_unknown_paths_are_404(client, simulator):
    with pytest.raises(FailedRequestError) as caught:
        client.get_transaction_log()
    assert caught.value.status_code == 404
    assert requests.post(f"{simulator.rest_url}/sim/rain", json={}, timeout=5).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"prices": {"XYZUSDT": "1"}},
        {"prices": {"BTCUSDT": "x"}},
        {"prices": {"BTCUSDT": "97000.001"}},
        {"prices": {"BTCUSDT": "-1"}},
        {"prices": [], "seconds": 60},
        {"seconds": 0},
        {"seconds": "60"},
    ],
)
def test_a_wrong_step_is_refused_and_moves_nothing(simulator, body):
    before = simulator.state()
    answer = requests.post(f"{simulator.rest_url}/sim/step", json=body, timeout=5)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert simulator.state() == before
