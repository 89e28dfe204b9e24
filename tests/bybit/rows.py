"""Rows in Bybit's shapes, written for the tests; each takes changes by name."""

from typing import Any


def order_row(**changes: Any) -> dict[str, Any]:
    return {
        "orderId": "1984000000000000001",
        "orderLinkId": "g1-3-0-B-1",
        "symbol": "DOGEUSDT",
        "price": "0.15230",
        "qty": "656.5",
        "side": "Buy",
        "isLeverage": "0",
        "orderStatus": "New",
        "cancelType": "UNKNOWN",
        "rejectReason": "EC_NoError",
        "avgPrice": "",
        "leavesQty": "656.5",
        "leavesValue": "99.98495",
        "cumExecQty": "0.0",
        "cumExecValue": "0",
        "cumExecFee": "0",
        "timeInForce": "PostOnly",
        "orderType": "Limit",
        "stopOrderType": "",
        "triggerPrice": "0.0",
        "triggerDirection": 0,
        "reduceOnly": False,
        "smpType": "CancelTaker",
        "smpGroup": 0,
        "createdTime": "1762990000123",
        "updatedTime": "1762990000125",
        "aFieldOfNextYear": {"nested": [1, 2.5]},
    } | changes


def execution_row(**changes: Any) -> dict[str, Any]:
    return {
        "symbol": "DOGEUSDT",
        "orderId": "1984000000000000001",
        "orderLinkId": "g1-3-0-B-1",
        "side": "Buy",
        "orderPrice": "0.15230",
        "orderQty": "656.5",
        "leavesQty": "0",
        "orderType": "Limit",
        "stopOrderType": "",
        "execFee": "0.6565",
        "feeCurrency": "DOGE",
        "feeRate": "0.001",
        "execId": "2290000000000000007",
        "execPrice": "0.15230",
        "execQty": "656.5",
        "execValue": "99.98495",
        "execType": "Trade",
        "execTime": "1762990300456",
        "isMaker": True,
        "seq": 77000123,
        "extraFees": "",
    } | changes


def instrument_row(**changes: Any) -> dict[str, Any]:
    return {
        "symbol": "DOGEUSDT",
        "symbolId": 31,
        "baseCoin": "DOGE",
        "quoteCoin": "USDT",
        "status": "Trading",
        "lotSizeFilter": {
            "basePrecision": "0.1",
            "quotePrecision": "0.000001",
            "minOrderQty": "6.9",
            "maxOrderQty": "36449790.4",
            "minOrderAmt": "5",
            "maxOrderAmt": "2000000",
            "maxLimitOrderQty": "18000000",
            "maxMarketOrderQty": "9000000",
        },
        "priceFilter": {"tickSize": "0.00001"},
        "riskParameters": {"priceLimitRatioX": "0.01", "priceLimitRatioY": "0.02"},
    } | changes


def ticker_row(**changes: Any) -> dict[str, Any]:
    return {
        "symbol": "DOGEUSDT",
        "bid1Price": "0.15229",
        "bid1Size": "1200",
        "ask1Price": "0.15231",
        "ask1Size": "900",
        "lastPrice": "0.15230",
        "prevPrice24h": "0.15",
        "usdIndexPrice": "",
    } | changes


def coin_row(**changes: Any) -> dict[str, Any]:
    return {
        "coin": "USDT",
        "equity": "1000.5",
        "walletBalance": "1000.5",
        "locked": "99.98495",
        "spotBorrow": "0",
        "availableToWithdraw": "",
        "free": "",
    } | changes


def book_row(**changes: Any) -> dict[str, Any]:
    return {
        "s": "DOGEUSDT",
        "b": [["0.15229", "1200"]],
        "a": [["0.15231", "900"]],
        "ts": 1763000000000,
        "u": 5,
        "seq": 6,
        "cts": 1763000000000,
    } | changes
