"""Bybit v5's market endpoints: what anybody may ask (unsigned)."""

import time
from itertools import islice

from integrations.bybit.simulator import checks
from integrations.bybit.simulator.bars import INTERVALS, PAST
from integrations.bybit.simulator.checks import Params
from integrations.bybit.simulator.market import FIRST_TRADE_ID, Market
from integrations.bybit.simulator.venue import Venue
from integrations.bybit.simulator.wire import ApiError, Json
from market.types import plain


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
    start = max(checks.number(params, "start", 0), venue.start - PAST)
    end = checks.number(params, "end", checks.FOREVER)
    bars = market.bars.newest_first(interval, start, end, market.now)
    rows = [market.kline(bar) for bar in islice(bars, checks.limit(params, 200, 1000))]
    return {"symbol": market.pair.symbol, "category": "spot", "list": rows}


def orderbook(venue: Venue, params: Params) -> Json:
    checks.spot(params)
    market = _public_market(venue, checks.needed(params, "symbol"))
    book = market.book(checks.limit(params, 1, 1000))
    return {**book, "ts": market.now, "cts": market.now}


def price_limit(venue: Venue, params: Params) -> Json:
    """The highest buy and the lowest sell that are let in. `category` may be left out."""
    market = _public_market(venue, checks.needed(params, "symbol"))
    return {**market.limits(), "ts": str(market.now)}


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
