"""Parsing: new fields are welcome, wrong ones are refused, and nothing but that ever happens."""

import contextlib
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.bybit import quotes, wire
from integrations.bybit.fields import MalformedMessage
from market.exchange import KeyTerms
from market.types import OrderStatus, Side, Tick, TimeInForce
from tests.bybit.rows import book_row, coin_row, execution_row, instrument_row, order_row


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("New", OrderStatus.OPEN),
        ("PartiallyFilled", OrderStatus.PARTIAL),
        ("Filled", OrderStatus.FILLED),
        ("Cancelled", OrderStatus.CANCELLED),
        ("PartiallyFilledCanceled", OrderStatus.CANCELLED),
        ("Deactivated", OrderStatus.CANCELLED),
        ("Rejected", OrderStatus.REJECTED),
        ("Untriggered", OrderStatus.OPEN),
        ("Triggered", OrderStatus.OPEN),
    ],
)
def test_each_status_of_an_order(name: str, status: OrderStatus) -> None:
    assert wire.order(order_row(orderStatus=name, cumExecQty="1.5")).status is status


def test_an_order_with_all_it_says() -> None:
    order = wire.order(order_row())
    assert (order.client_id, order.order_id) == ("g1-3-0-B-1", "1984000000000000001")
    assert (order.symbol, order.side) == ("DOGEUSDT", Side.BUY)
    assert (order.price, order.quantity) == (Decimal("0.1523"), Decimal("656.5"))
    assert (order.filled, order.time_in_force) == (0, TimeInForce.POST_ONLY)
    assert (order.reason, order.updated) == ("", 1762990000125)


def test_why_an_order_ended() -> None:
    row = order_row(
        orderStatus="Cancelled", cancelType="CancelByUser", rejectReason="EC_PerCancelRequest"
    )
    assert wire.order(row).reason == "EC_PerCancelRequest CancelByUser"


def test_a_foreign_market_order_may_have_no_price() -> None:
    row = order_row(orderType="Market", price="", timeInForce="IOC", orderLinkId="")
    assert wire.order(row).price == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"orderStatus": "Sleeping"},
        {"orderStatus": ""},
        {"orderStatus": None},
        {"orderId": ""},
        {"price": ""},
        {"price": "0"},
        {"price": "-0.1"},
        {"price": "NaN"},
        {"price": 0.1523},
        {"qty": "Infinity"},
        {"qty": "1_000"[:0]},
        {"cumExecQty": "-1"},
        {"cumExecQty": "", "orderStatus": "Filled"},
        {"side": "buy"},
        {"timeInForce": "Someday"},
        {"updatedTime": ""},
        {"updatedTime": "1.5"},
    ],
)
def test_an_order_that_cannot_be_read(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedMessage):
        wire.order(order_row(**changes))


def test_a_fill_and_its_fee() -> None:
    fill = wire.fill(execution_row())
    assert (fill.exec_id, fill.client_id) == ("2290000000000000007", "g1-3-0-B-1")
    assert (fill.price, fill.quantity) == (Decimal("0.1523"), Decimal("656.5"))
    assert (fill.fee, fill.fee_coin, fill.is_maker) == (Decimal("0.6565"), "DOGE", True)
    assert fill.notional == Decimal("99.98495")


def test_an_extra_fee_in_the_same_coin_is_added_and_in_another_refused() -> None:
    tax = {"feeCoin": "DOGE", "feeType": "GST", "fee": "0.01"}
    assert wire.fill(execution_row(extraFees=[tax])).fee == Decimal("0.6665")
    with pytest.raises(MalformedMessage, match="another coin"):
        wire.fill(execution_row(extraFees=[tax | {"feeCoin": "MNT"}]))


@pytest.mark.parametrize(
    ("side", "is_maker", "fee", "coin"),
    [
        ("Buy", True, "0.1", "DOGE"),
        ("Buy", False, "0.1", "DOGE"),
        ("Sell", True, "0.1", "USDT"),
        ("Sell", False, "0.1", "USDT"),
        ("Buy", True, "-0.1", "USDT"),
        ("Sell", True, "-0.1", "DOGE"),
    ],
)
def test_the_fee_coin_by_rule(side: str, is_maker: bool, fee: str, coin: str) -> None:
    row = execution_row(side=side, isMaker=is_maker, execFee=fee, feeCurrency="")
    pairs = {"DOGEUSDT": wire.instrument(instrument_row())}
    assert wire.fill(row, pairs).fee_coin == coin
    with pytest.raises(MalformedMessage, match="fee coin"):
        wire.fill(row)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"category": "spot"}, True),
        ({"category": "linear"}, False),
        ({"execType": "Funding"}, False),
        ({"execType": "BustTrade"}, False),
    ],
)
def test_only_spot_trades_are_fills(changes: dict[str, Any], expected: bool) -> None:
    assert wire.is_spot_trade(execution_row(**changes)) is expected


def test_a_key_that_never_expires() -> None:
    info = wire.key_terms(
        {"permissions": {}, "readOnly": 1, "ips": ["1.2.3.4"], "expiredAt": "1970-01-01T00:00:00Z"}
    )
    assert info == KeyTerms(
        read_only=True,
        may_trade_spot=False,
        may_withdraw=False,
        bound_to_addresses=True,
        expires=None,
    )


def test_an_older_instrument_row_has_other_names() -> None:
    lot = {"basePrecision": "0.1", "minOrderAmt": "1", "maxOrderQty": "500"}
    assert wire.instrument(instrument_row(lotSizeFilter=lot)).max_limit_quantity == 500


def frame(topic: str, data: Any, ts: int = 1_763_000_000_000) -> dict[str, Any]:
    return {"topic": topic, "ts": ts, "type": "snapshot", "data": data}


def book(bid: str | None, ask: str | None, ts: int) -> dict[str, Any]:
    data = {
        "s": "BTCUSDT",
        "b": [[bid, "1"]] if bid else [],
        "a": [[ask, "2"]] if ask else [],
        "u": 7,
        "seq": 8,
    }
    return frame("orderbook.1.BTCUSDT", data, ts)


def trade(price: str, time: int) -> dict[str, Any]:
    return {"T": time, "s": "BTCUSDT", "S": "Sell", "v": "0.01", "p": price, "i": f"t{time}"}


def test_a_candle_frame() -> None:
    data = {
        "start": 1762999980000,
        "end": 1763000039999,
        "interval": "1",
        "open": "97000.1",
        "close": "97001",
        "high": "97002",
        "low": "96999",
        "volume": "2.5",
        "turnover": "242500",
        "confirm": True,
        "timestamp": 1763000039999,
    }
    (candle,) = wire.candles(frame("kline.1.BTCUSDT", [data]))
    assert (candle.symbol, candle.interval, candle.time) == ("BTCUSDT", "1", 1762999980000)
    assert candle.closed
    assert not wire.candles(frame("kline.1.BTCUSDT", [data | {"confirm": False}]))[0].closed
    with pytest.raises(MalformedMessage, match="high and low"):
        wire.candles(frame("kline.1.BTCUSDT", [data | {"high": "1"}]))


def test_quotes_put_a_tick_together() -> None:
    seen = quotes.Quotes()
    assert seen.see(book("97000", "97001", 10)) is None
    tickers = frame("tickers.BTCUSDT", {"symbol": "BTCUSDT", "lastPrice": "97000.5"}, 11)
    assert seen.see(tickers) == Tick(
        "BTCUSDT", Decimal("97000.5"), Decimal(97000), Decimal(97001), 11
    )
    trades = frame("publicTrade.BTCUSDT", [trade("97002", 14), trade("97001", 13)], 15)
    tick = seen.see(trades)
    assert tick is not None
    assert (tick.last, tick.time) == (Decimal(97002), 14)
    both = seen.ticks(frame("publicTrade.BTCUSDT", [trade("97004", 15), trade("97003", 14)], 15))
    assert [tick.last for tick in both] == [Decimal(97003), Decimal(97004)], "each, in their order"
    assert seen.ticks(frame("publicTrade.BTCUSDT", [trade("97002", 15)], 16))[0].last == 97002
    late = seen.see(frame("publicTrade.BTCUSDT", [trade("5", 12)], 16))
    assert late is not None
    assert late.last == Decimal(97002)
    assert seen.see(book("97000", None, 20)) is None
    assert seen.see(frame("kline.1.BTCUSDT", [], 21)) is None
    assert seen.see(book("96000", "96001", 19)) is None, "older than the empty book"
    assert seen.see(book("97003", "97004", 22)) is not None


@pytest.mark.parametrize("bad", ["NaN", "0", "-1", "", None])
def test_a_price_of_a_frame_that_is_none_is_refused(bad: Any) -> None:
    with pytest.raises(MalformedMessage):
        quotes.Quotes().see(frame("tickers.BTCUSDT", {"symbol": "BTCUSDT", "lastPrice": bad}))
    with pytest.raises(MalformedMessage):
        quotes.Quotes().see(frame("publicTrade.BTCUSDT", [trade(bad, 1)]))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["", "NaN", "-1", "0", "1e9", "Buy", "New"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
READERS = [
    (wire.order, order_row()),
    (wire.fill, execution_row()),
    (wire.instrument, instrument_row()),
    (wire.balances, {"coin": [coin_row()]}),
    (lambda row: quotes.book(row, 1), book_row()),
    (wire.key_terms, {"permissions": {"Spot": [], "Wallet": []}, "readOnly": 0, "ips": []}),
    (quotes.best, book("1", "2", 3)),
    (quotes.trades, frame("publicTrade.BTCUSDT", [trade("1", 2)])),
    (quotes.last, frame("tickers.X", {"symbol": "X", "lastPrice": "1"})),
]


@given(reader=st.sampled_from(READERS), data=st.data())
def test_any_field_may_be_anything_and_only_a_malformed_message_is_raised(
    reader: tuple[Any, dict[str, Any]], data: st.DataObject
) -> None:
    read, row = reader
    name = data.draw(st.sampled_from(sorted(row)))
    changed = dict(row)
    if data.draw(st.booleans()):
        del changed[name]
    else:
        changed[name] = data.draw(JSON)
    with contextlib.suppress(MalformedMessage):
        read(changed)


@given(parts=st.lists(JSON, max_size=9))
def test_a_bar_of_anything_is_read_or_refused(parts: list[Any]) -> None:
    try:
        candle = wire.bar("X", "1", parts, closed=True)
    except MalformedMessage:
        return
    assert not list(candle.faults())
