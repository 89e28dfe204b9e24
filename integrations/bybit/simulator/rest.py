"""Bybit v5's REST endpoints: parameters in, `result` out; the truth follows on the private stream."""

import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from integrations.bybit.simulator import checks
from integrations.bybit.simulator.account import Execution
from integrations.bybit.simulator.bars import INTERVALS, PAST
from integrations.bybit.simulator.facts import Order
from integrations.bybit.simulator.market import FIRST_TRADE_ID, Market
from integrations.bybit.simulator.rows import execution_row, order_row, wallet_row
from integrations.bybit.simulator.venue import Venue
from integrations.bybit.simulator.wire import ApiError, Json, machine_ms
from market.types import plain

Params = Mapping[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A path's method, whether it is signed, its budget a second, and what answers."""

    method: str
    answer: Callable[[Venue, Params], Json]
    signed: bool = True
    per_second: int = 50


# Market


def market_time(_venue: Venue, _params: Params) -> Json:
    """The machine's clock, not the tape's: clients sign with it."""
    nano = time.time_ns()
    return {"timeSecond": str(nano // 10**9), "timeNano": str(nano)}


def instruments(venue: Venue, params: Params) -> Json:
    category = checks.needed(params, "category")
    rows = [
        market.pair.listing
        for market in venue.markets.values()
        if category == "spot"
        and checks.text(params, "symbol") in ("", market.pair.symbol)
        and checks.text(params, "baseCoin") in ("", market.pair.instrument.base)
        and checks.text(params, "status") in ("", "Trading")
    ]
    return {"category": category, "list": rows, "nextPageCursor": ""}


def tickers(venue: Venue, params: Params) -> Json:
    category, symbol = checks.needed(params, "category"), checks.text(params, "symbol")
    if category != "spot":
        return {"category": category, "list": []}
    markets = [_public_market(venue, symbol)] if symbol else list(venue.markets.values())
    return {"category": category, "list": [_ticker(market) for market in markets]}


def _ticker(market: Market) -> Json:
    book = market.book(1)
    (bid, size), (ask, ask_size) = (*book["b"], [["0", "0"]])[0], book["a"][0]
    return {
        **market.day(),
        "bid1Price": bid,
        "bid1Size": size,
        "ask1Price": ask,
        "ask1Size": ask_size,
    }


def kline(venue: Venue, params: Params) -> Json:
    checks.spot(params)
    market = _public_market(venue, checks.needed(params, "symbol"))
    interval = checks.needed(params, "interval")
    if interval not in INTERVALS:
        raise ApiError(10001, "params error: interval must be 1 3 5 15 30 60 120 240 360 720 D W M")
    start = max(checks.number(params, "start", 0), venue.tape.start - PAST)
    end = checks.number(params, "end", checks.FOREVER)
    bars = market.bars.newest_first(interval, start, end, market.now)
    rows = [market.kline(bar) for bar in islice(bars, checks.limit(params, 200, 1000))]
    return {"symbol": market.pair.symbol, "category": "spot", "list": rows}


def orderbook(venue: Venue, params: Params) -> Json:
    checks.spot(params)
    market = _public_market(venue, checks.needed(params, "symbol"))
    book = market.book(checks.limit(params, 1, 1000))
    return {**book, "ts": market.now, "cts": market.now}


def recent_trades(venue: Venue, params: Params) -> Json:
    checks.spot(params)
    market = _public_market(venue, checks.needed(params, "symbol"))
    newest = islice(reversed(market.trades), checks.limit(params, 60, 60))
    rows = [
        {
            "execId": str(FIRST_TRADE_ID + trade.number),
            "symbol": market.pair.symbol,
            "price": market.pair.text(trade.ticks),
            "size": plain(trade.size),
            "side": "Buy" if trade.rose else "Sell",
            "time": str(trade.time),
            "isBlockTrade": False,
            "isRPITrade": False,
            "seq": str(trade.number),
        }
        for trade in newest
    ]
    return {"category": "spot", "list": rows}


def _public_market(venue: Venue, symbol: str) -> Market:
    """Market data answers an unknown pair with 10001, order entry with 170121."""
    if symbol not in venue.markets:
        raise ApiError(10001, "Not supported symbols")
    return venue.markets[symbol]


# Orders


def create(venue: Venue, params: Params) -> Json:
    checks.spot(params)
    market = venue.market(checks.needed(params, "symbol"))
    return _ack(venue.place(checks.order_request(dict(params), market)))


def cancel(venue: Venue, params: Params) -> Json:
    checks.spot(params)
    symbol = venue.market(checks.needed(params, "symbol")).pair.symbol
    if not (checks.text(params, "orderId") or checks.text(params, "orderLinkId")):
        raise ApiError(10001, "params error: orderId or orderLinkId is required")
    order = _named(venue, params)
    if order is None or order.symbol != symbol:
        raise ApiError(170213, "Order does not exist.")
    venue.cancel(order)
    return _ack(order)


def _ack(order: Order) -> Json:
    return {"orderId": order.order_id, "orderLinkId": order.link_id}


def _named(venue: Venue, params: Params) -> Order | None:
    """The order of orderId, which wins, or of orderLinkId."""
    if order_id := checks.text(params, "orderId"):
        return venue.account.orders.get(order_id)
    return venue.account.by_link.get(checks.text(params, "orderLinkId"))


def _asks_for_one(params: Params) -> bool:
    return bool(checks.text(params, "orderId") or checks.text(params, "orderLinkId"))


def realtime(venue: Venue, params: Params) -> Json:
    """Open orders, or the last 500 closed ones; one order by id wherever of the two it is."""
    checks.spot(params)
    account, symbol = venue.account, checks.text(params, "symbol")
    if _asks_for_one(params):
        order = _named(venue, params)
        known = order and (not order.is_closed or order in account.recently_closed)
        return _order_page([order] if order and known else [], params)
    if checks.text(params, "openOnly", "0") == "1":
        closed = (order for order in account.recently_closed if symbol in ("", order.symbol))
        found = sorted(closed, key=lambda order: order.order_id, reverse=True)
    else:
        books = account.open.values() if not symbol else [account.open.get(symbol, {})]
        resting = (order for book in books for order in book.values())
        found = sorted(resting, key=lambda order: order.order_id, reverse=True)
    return _order_page(found, params)


def order_history(venue: Venue, params: Params) -> Json:
    """Closed orders; empty cancels are forgotten after 24 hours of the tape's clock."""
    checks.spot(params)
    status, symbol = checks.text(params, "orderStatus"), checks.text(params, "symbol")
    if _asks_for_one(params):
        order = _named(venue, params)
        candidates: Iterable[Order] = [order] if order else []
    else:
        start, end = checks.window(params, venue.now)
        candidates = (
            order
            for listed in _lists(venue.account.history, symbol)
            for order in _between(listed, start, end, lambda order: order.created)
        )
    found = [
        order
        for order in candidates
        if order.is_closed
        and status in ("", order.status)
        and (order.cum_qty or order.updated >= venue.now - 24 * 3_600_000)
    ]
    found.sort(key=lambda order: order.order_id, reverse=True)
    return _order_page(found, params)


def executions(venue: Venue, params: Params) -> Json:
    checks.spot(params)
    account = venue.account
    if _asks_for_one(params):
        order = _named(venue, params)
        found = list(account.executions_of.get(order.order_id, ())) if order else []
    else:
        start, end = checks.window(params, venue.now)
        symbol = checks.text(params, "symbol")
        listed = account.executions_in.get(symbol, []) if symbol else account.executions
        found = _between(listed, start, end, lambda execution: execution.fill.time)
        if checks.text(params, "execType", "Trade") != "Trade":
            found = []
    found.reverse()
    page, cursor = _page(found, params, 50, 100, _exec_id)
    return {
        "category": "spot",
        "list": [execution_row(execution) for execution in page],
        "nextPageCursor": cursor,
    }


def _exec_id(execution: Execution) -> str:
    return execution.fill.exec_id


def _lists(lists: Mapping[str, list[T]], symbol: str) -> list[list[T]]:
    return [lists.get(symbol, [])] if symbol else list(lists.values())


def _between(rows: Sequence[T], start: int, end: int, when: Callable[[T], int]) -> list[T]:
    """The part of rows in order of time that lies in [start, end]."""
    return list(rows[bisect_left(rows, start, key=when) : bisect_right(rows, end, key=when)])


def _order_page(found: Sequence[Order], params: Params) -> Json:
    page, cursor = _page(found, params, 20, 50, lambda order: order.order_id)
    return {
        "category": "spot",
        "list": [order_row(order) for order in page],
        "nextPageCursor": cursor,
    }


def _page(
    newest: Sequence[T], params: Params, default: int, most: int, identity: Callable[[T], str]
) -> tuple[Sequence[T], str]:
    """A page of rows and the cursor to the next one, percent-encoded already as Bybit's are."""
    first = 0
    if cursor := checks.text(params, "cursor"):
        after = cursor.removeprefix("page_token=").removesuffix("&")
        if not after.isdecimal():
            raise ApiError(10001, "params error: cursor invalid")
        # Ids fall along the list, so newer rows that came since do not shift the pages.
        first = bisect_right(newest, -int(after), key=lambda row: -int(identity(row)))
    size = checks.limit(params, default, most)
    page = newest[first : first + size]
    more = first + size < len(newest)
    return page, f"page_token%3D{identity(page[-1])}%26" if more else ""


# Account


def wallet_balance(venue: Venue, params: Params) -> Json:
    if checks.needed(params, "accountType") != "UNIFIED":
        raise ApiError(10001, "accountType only support UNIFIED.")
    asked = [coin for coin in checks.text(params, "coin").split(",") if coin]
    wallet = venue.account.wallet
    coins = asked or [name for name, coin in wallet.items() if coin.total or coin.locked]
    return {"list": [wallet_row(wallet, coins, venue.dollars)]}


def account_info(_venue: Venue, _params: Params) -> Json:
    return {
        "unifiedMarginStatus": 5,
        "marginMode": "REGULAR_MARGIN",
        "isMasterTrader": False,
        "spotHedgingStatus": "OFF",
        "updatedTime": str(machine_ms()),
        "dcpStatus": "OFF",
        "timeWindow": 0,
        "smpGroup": 0,
    }


def fee_rate(venue: Venue, params: Params) -> Json:
    checks.spot(params)
    symbol, rates = checks.text(params, "symbol"), venue.account.rates
    symbols = [venue.market(symbol).pair.symbol] if symbol else list(venue.markets)
    row = {"takerFeeRate": plain(rates.taker), "makerFeeRate": plain(rates.maker)}
    return {"list": [{"symbol": symbol, **row} for symbol in symbols]}


NO_PERMISSIONS = (
    "ContractTrade",
    "Wallet",
    "Options",
    "Derivatives",
    "CopyTrading",
    "BlockTrade",
    "Exchange",
    "NFT",
    "Affiliate",
    "Earn",
)

ENDPOINTS: Mapping[str, Endpoint] = {
    "/v5/market/time": Endpoint("GET", market_time, signed=False),
    "/v5/market/kline": Endpoint("GET", kline, signed=False),
    "/v5/market/tickers": Endpoint("GET", tickers, signed=False),
    "/v5/market/instruments-info": Endpoint("GET", instruments, signed=False),
    "/v5/market/orderbook": Endpoint("GET", orderbook, signed=False),
    "/v5/market/recent-trade": Endpoint("GET", recent_trades, signed=False),
    "/v5/order/create": Endpoint("POST", create, per_second=20),
    "/v5/order/cancel": Endpoint("POST", cancel, per_second=20),
    "/v5/order/realtime": Endpoint("GET", realtime),
    "/v5/order/history": Endpoint("GET", order_history),
    "/v5/execution/list": Endpoint("GET", executions),
    "/v5/account/wallet-balance": Endpoint("GET", wallet_balance),
    "/v5/account/info": Endpoint("GET", account_info),
    "/v5/account/fee-rate": Endpoint("GET", fee_rate, per_second=5),
}


def key_info(key: str) -> Endpoint:
    """user/query-api: a key that may trade spot and nothing else."""

    def answer(_venue: Venue, _params: Params) -> Json:
        return {
            "id": "1",
            "note": "simulator",
            "apiKey": key,
            "readOnly": 0,
            "secret": "",
            "permissions": {"Spot": ["SpotTrade"], **{group: [] for group in NO_PERMISSIONS}},
            "ips": ["127.0.0.1"],
            "type": 1,
            "deadlineDay": -2,
            "expiredAt": "1970-01-01T00:00:00Z",
            "createdAt": "2026-01-01T00:00:00Z",
            "unified": 0,
            "uta": 1,
            "userID": 1,
            "inviterID": 0,
            "vipLevel": "No VIP",
            "mktMakerLevel": "0",
            "affiliateID": 0,
            "rsaPublicKey": "",
            "isMaster": True,
            "parentUid": "0",
            "kycLevel": "LEVEL_DEFAULT",
            "kycRegion": "",
        }

    return Endpoint("GET", answer, per_second=10)
