"""What the gateway sends and how it reads the answers, request by request."""

import time
from decimal import Decimal

import pytest

from integrations.bybit.fields import MalformedMessage
from integrations.bybit.gateway import WEEK_MS, Gateway
from market.exchange import Exchange, Refused, Unresolved
from market.types import OrderRequest, OrderStatus, Side, TimeInForce
from tests.bybit.conftest import KEY, SECRET
from tests.bybit.fake_rest import STAMP, FakeRest, dropped, ok, page, raw, refused
from tests.bybit.rows import (
    coin_row,
    execution_row,
    instrument_row,
    order_row,
    ticker_row,
)

REALTIME, HISTORY = "/v5/order/realtime", "/v5/order/history"
EXECUTIONS, KLINE, TICKERS = "/v5/execution/list", "/v5/market/kline", "/v5/market/tickers"
MINUTE = 60_000


def test_the_gateway_is_an_exchange(gateway: Gateway) -> None:
    exchange: Exchange = gateway
    assert exchange is gateway


def test_an_order_is_sent_as_strings_signed_and_spelled_out(
    bybit: FakeRest, gateway: Gateway
) -> None:
    bybit.on("/v5/order/create", ok({"orderId": "19", "orderLinkId": "g4-0-7-S-1"}))
    request = OrderRequest(
        "g4-0-7-S-1", "PEPEUSDT", Side.SELL, Decimal("4.160E-6"), Decimal("1E+6"), TimeInForce.IOC
    )
    assert gateway.place(request) == "19"
    (asked,) = bybit.asked
    assert asked.method == "POST"
    assert asked.json == {
        "category": "spot",
        "symbol": "PEPEUSDT",
        "side": "Sell",
        "orderType": "Limit",
        "qty": "1000000",
        "price": "0.00000416",
        "timeInForce": "IOC",
        "orderLinkId": "g4-0-7-S-1",
        "isLeverage": 0,
        "smpType": "CancelTaker",
    }
    assert asked.is_signed_with(KEY, SECRET)
    assert asked.headers["X-BAPI-RECV-WINDOW"] == "5000"


def test_an_order_is_found_in_realtime_then_in_history_then_nowhere(
    bybit: FakeRest, gateway: Gateway
) -> None:
    bybit.on(REALTIME, page(order_row(orderStatus="PartiallyFilled", cumExecQty="100.5")), page())
    bybit.on(
        HISTORY,
        page(order_row(orderStatus="Cancelled", rejectReason="EC_PostOnlyWillTakeLiquidity")),
        page(order_row(orderLinkId="another-order")),
    )
    found = gateway.order("DOGEUSDT", "g1-3-0-B-1")
    assert found is not None
    assert (found.status, found.filled) == (OrderStatus.PARTIAL, Decimal("100.5"))
    assert [one.path for one in bybit.asked] == [REALTIME]
    assert bybit.asked[0].params["orderLinkId"] == "g1-3-0-B-1"

    closed = gateway.order("DOGEUSDT", "g1-3-0-B-1")
    assert closed is not None
    assert (closed.status, closed.reason) == (
        OrderStatus.CANCELLED,
        "EC_PostOnlyWillTakeLiquidity",
    )
    assert gateway.order("DOGEUSDT", "g1-3-0-B-1") is None


@pytest.mark.parametrize("trouble", [refused(10016), raw("", 503), dropped])
def test_an_order_is_never_nowhere_while_a_part_does_not_answer(
    bybit: FakeRest, gateway: Gateway, trouble: object
) -> None:
    bybit.on(REALTIME, page())
    bybit.on(HISTORY, trouble)
    with pytest.raises(Unresolved):
        gateway.order("DOGEUSDT", "g1-3-0-B-1")


def test_open_orders_page_with_the_cursor_as_it_came(bybit: FakeRest, gateway: Gateway) -> None:
    first = "page_token%3D39380%26time%3A1"
    bybit.on(
        REALTIME,
        page(order_row(orderId="3"), order_row(orderId="2"), cursor=first),
        page(order_row(orderId="2"), order_row(orderId="1", orderLinkId=""), cursor="132%3A2"),
        page(order_row(orderId="0", orderStatus="Filled", cumExecQty="656.5"), cursor="132%3A2"),
    )
    assert [order.order_id for order in gateway.open_orders()] == ["3", "2", "1"]
    assert [one.params.get("cursor") for one in bybit.asked] == [None, first, "132%3A2"]
    assert all(one.params["limit"] == "50" for one in bybit.asked)
    assert all(one.is_signed_with(KEY, SECRET) for one in bybit.asked)


@pytest.mark.parametrize("cursor", ["a%2db%7Ec%3d", "plain.cursor-1_2~3", "x%2Cy%2f", "a b", "ü"])
def test_whatever_the_cursor_holds_the_signature_fits(
    bybit: FakeRest, gateway: Gateway, cursor: str
) -> None:
    bybit.on(REALTIME, page(order_row(), cursor=cursor), page())
    gateway.open_orders("DOGEUSDT")
    assert len(bybit.asked) == 2
    assert all(one.is_signed_with(KEY, SECRET) for one in bybit.asked)


def test_pages_end_at_an_empty_page_with_a_cursor(bybit: FakeRest, gateway: Gateway) -> None:
    bybit.on(REALTIME, page(order_row(), cursor="a"), page(cursor="b"))
    assert len(gateway.open_orders()) == 1
    assert len(bybit.asked) == 2


def test_fills_come_oldest_first_in_windows_of_a_week_up_to_the_markets_clock(
    bybit: FakeRest, gateway: Gateway
) -> None:
    now = STAMP - 200 * WEEK_MS  # a market far behind the machine's clock
    since = now - WEEK_MS - 5_000
    bybit.on(TICKERS, page(time=now))
    bybit.on(
        EXECUTIONS,
        page(
            execution_row(execId="b", execTime=str(since + 2)),
            execution_row(execId="f", execType="Funding"),
            execution_row(execId="a", execTime=str(since + 2)),
            cursor="next%3A1",
        ),
        page(
            execution_row(execId="a", execTime=str(since + 2)),
            execution_row(execId="0", execTime=str(since)),
        ),
        page(execution_row(execId="c", execTime=str(now - 1), category="spot")),
    )
    assert [fill.exec_id for fill in gateway.fills_since(since)] == ["0", "a", "b", "c"]
    asked = bybit.to(EXECUTIONS)
    windows = [(int(one.params["startTime"]), int(one.params["endTime"])) for one in asked]
    assert windows[0] == windows[1] == (since, since + WEEK_MS - 1)
    assert windows[2] == (since + WEEK_MS, since + 2 * WEEK_MS - 1)
    assert len(windows) == 3
    assert all(one.params["limit"] == "100" for one in asked)


def test_fills_are_sought_beyond_the_machines_clock_where_the_market_runs_ahead(
    bybit: FakeRest, gateway: Gateway
) -> None:
    ahead = int(time.time() * 1000) + 100 * WEEK_MS
    bybit.on(TICKERS, page(time=ahead))
    bybit.on(EXECUTIONS, page(), page(), page(), page(execution_row()))
    assert len(list(gateway.fills_since(ahead - 3 * WEEK_MS, "DOGEUSDT"))) == 1
    assert len(bybit.to(EXECUTIONS)) == 4
    assert {one.params["symbol"] for one in bybit.asked} == {"DOGEUSDT"}


def test_the_first_sweep_of_all_asks_for_two_years_at_most(
    bybit: FakeRest, gateway: Gateway
) -> None:
    bybit.on(TICKERS, page(time=STAMP))
    bybit.on(EXECUTIONS, page())
    assert list(gateway.fills_since(0)) == []
    assert len(bybit.to(EXECUTIONS)) == 105


def test_fills_of_one_order_and_the_fee_coin_by_rule(bybit: FakeRest, gateway: Gateway) -> None:
    bybit.on("/v5/market/instruments-info", page(instrument_row()))
    bybit.on(
        EXECUTIONS,
        page(
            execution_row(execId="2", execTime="1762990300457", feeCurrency=""),
            execution_row(execId="1", feeCurrency="", execFee="-0.01"),
            execution_row(execId="3", orderLinkId="another"),
        ),
    )
    fills = gateway.fills_of("DOGEUSDT", "g1-3-0-B-1")
    assert [(fill.exec_id, fill.fee_coin) for fill in fills] == [("1", "USDT"), ("2", "DOGE")]
    assert fills[1].fee == Decimal("0.6565")


def test_instruments_with_their_filters(bybit: FakeRest, gateway: Gateway) -> None:
    bybit.on("/v5/market/instruments-info", page(instrument_row()))
    (doge,) = gateway.instruments(["DOGEUSDT"])
    assert (doge.base, doge.quote) == ("DOGE", "USDT")
    assert (doge.tick, doge.lot) == (Decimal("0.00001"), Decimal("0.1"))
    assert (doge.min_notional, doge.max_limit_quantity) == (Decimal(5), Decimal(18_000_000))
    assert bybit.asked[0].params == {"category": "spot", "symbol": "DOGEUSDT"}


@pytest.mark.parametrize("rows", [[], [instrument_row(status="PreLaunch")]])
def test_a_pair_that_does_not_trade_is_refused(
    bybit: FakeRest, gateway: Gateway, rows: list[object]
) -> None:
    bybit.on("/v5/market/instruments-info", page(*rows))
    with pytest.raises(Refused, match="DOGEUSDT is not open"):
        gateway.instruments(["DOGEUSDT"])


def test_a_tick_is_on_the_markets_clock(bybit: FakeRest, gateway: Gateway) -> None:
    bybit.on(TICKERS, page(ticker_row(), time=1_600_000_000_123))
    tick = gateway.tick("DOGEUSDT")
    assert (tick.last, tick.bid, tick.ask) == tuple(map(Decimal, ("0.1523", "0.15229", "0.15231")))
    assert tick.time == gateway.market_time_ms("DOGEUSDT") == 1_600_000_000_123
    assert "X-BAPI-SIGN" not in {name.upper() for name in bybit.asked[0].headers}


def test_there_is_no_tick_while_a_side_of_the_book_is_empty(
    bybit: FakeRest, gateway: Gateway
) -> None:
    for side, without in (("bid", ""), ("bid", "0"), ("ask", "")):
        bybit.on(TICKERS, page(ticker_row(**{f"{side}1Price": without})))
        with pytest.raises(Unresolved, match=f"no {side}"):
            gateway.tick("DOGEUSDT")


def test_a_tick_without_a_time_is_none(bybit: FakeRest, gateway: Gateway) -> None:
    bybit.on(TICKERS, page(ticker_row(), time=0))
    with pytest.raises(MalformedMessage, match="no time"):
        gateway.tick("DOGEUSDT")


@pytest.mark.parametrize("price", ["-1", "NaN", "Infinity", "1e400x", None, 0.15, True])
def test_a_price_that_is_none_is_never_passed_on(
    bybit: FakeRest, gateway: Gateway, price: object
) -> None:
    for name in ("lastPrice", "bid1Price", "ask1Price"):
        bybit.on(TICKERS, page(ticker_row(**{name: price})))
        with pytest.raises(MalformedMessage, match=name):
            gateway.tick("DOGEUSDT")


def bar(time: int, close: str = "0.153") -> list[str]:
    return [str(time), "0.152", "0.154", "0.151", close, "1000", "152.5"]


def test_candles_are_turned_round_and_the_last_one_is_open(
    bybit: FakeRest, gateway: Gateway
) -> None:
    start = STAMP // MINUTE * MINUTE
    bybit.on(KLINE, page(bar(start + 2 * MINUTE), bar(start + MINUTE), bar(start)))
    found = gateway.candles("DOGEUSDT", "1", start, start + 2 * MINUTE)
    assert [candle.time for candle in found] == [start, start + MINUTE, start + 2 * MINUTE]
    assert [candle.closed for candle in found] == [True, True, False]
    assert bybit.asked[0].params["category"] == "spot"
    # With a later bar in the answer the last one asked for is closed.
    assert all(c.closed for c in gateway.candles("DOGEUSDT", "1", start, start + MINUTE))


def test_candles_page_backwards_by_a_thousand(bybit: FakeRest, gateway: Gateway) -> None:
    start = STAMP // MINUTE * MINUTE
    times = [start + n * MINUTE for n in range(1500)]
    newest, oldest = times[500:], times[:500]
    bybit.on(
        KLINE,
        page(*[bar(time) for time in reversed(newest)]),
        page(*[bar(time) for time in reversed(oldest)]),
    )
    found = gateway.candles("DOGEUSDT", "1", start, times[-1])
    assert [candle.time for candle in found] == times
    assert [int(one.params["end"]) for one in bybit.asked] == [
        times[-1] + MINUTE,
        newest[0] - 1,
    ]


def test_candles_end_with_a_server_that_does_not_page(bybit: FakeRest, gateway: Gateway) -> None:
    start = STAMP // MINUTE * MINUTE
    rows = [bar(start + n * MINUTE) for n in reversed(range(1000))]
    bybit.on(KLINE, page(*rows))
    assert len(gateway.candles("DOGEUSDT", "1", start - MINUTE, start + 2000 * MINUTE)) == 1000
    assert len(bybit.asked) == 2


def test_an_unknown_interval_is_refused_before_anything_is_sent(
    bybit: FakeRest, gateway: Gateway
) -> None:
    with pytest.raises(ValueError, match="are accepted"):
        gateway.candles("DOGEUSDT", "2", 1, 2)
    assert bybit.asked == []


def test_balances_leave_out_what_is_zero(bybit: FakeRest, gateway: Gateway) -> None:
    coins = [
        coin_row(),
        coin_row(coin="BTC", walletBalance="0", locked="0"),
        coin_row(coin="DOGE", walletBalance="655.8435", locked="", spotBorrow=""),
    ]
    bybit.on("/v5/account/wallet-balance", ok({"list": [{"totalEquity": "", "coin": coins}]}))
    usdt, doge = gateway.balances()
    assert (usdt.coin, usdt.total, usdt.locked) == ("USDT", Decimal("1000.5"), Decimal("99.98495"))
    assert usdt.free == Decimal("900.51505")
    assert (doge.coin, doge.free) == ("DOGE", Decimal("655.8435"))
    assert bybit.asked[0].params == {"accountType": "UNIFIED"}


def test_fee_rates_clock_and_key(bybit: FakeRest, gateway: Gateway) -> None:
    rates = {"symbol": "DOGEUSDT", "takerFeeRate": "0.001", "makerFeeRate": "-0.0001"}
    bybit.on("/v5/account/fee-rate", page(rates))
    bybit.on("/v5/market/time", ok({"timeSecond": "1763000000", "timeNano": "1763000000123456789"}))
    bybit.on(
        "/v5/user/query-api",
        ok(
            {
                "readOnly": 0,
                "permissions": {"Spot": ["SpotTrade"], "Wallet": ["AccountTransfer", "Withdraw"]},
                "ips": ["*"],
                "expiredAt": "2027-02-01T00:00:00Z",
            }
        ),
    )
    assert gateway.fee_rates("DOGEUSDT") == (Decimal("-0.0001"), Decimal("0.001"))
    assert gateway.server_time_ms() == 1_763_000_000_123
    key = gateway.key_terms()
    assert (key.read_only, key.may_trade_spot, key.may_withdraw) == (False, True, True)
    assert not key.bound_to_addresses
    assert key.expires is not None
    assert key.expires.isoformat() == "2027-02-01T00:00:00+00:00"
