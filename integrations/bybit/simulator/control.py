"""The /sim/ paths, which are ours and not Bybit's: look behind the curtain, move prices by hand."""

from collections.abc import Mapping
from decimal import Decimal

from integrations.bybit.simulator.heard import Heard
from integrations.bybit.simulator.rows import execution_row, order_row
from integrations.bybit.simulator.venue import Venue
from integrations.bybit.simulator.wire import ApiError, Json
from market.types import MalformedNumber, decimal, plain

DEFAULT_SECONDS = 60
MOST_SECONDS = 10 * 24 * 3600  # the closed minute bars of a step still fit a client's queue


def step(venue: Venue, speed: float, body: Json) -> None:
    """Move prices as `{"prices": {symbol: price}, "seconds"?: 60}` says. Raises ApiError (HTTP)."""
    if speed:
        raise ApiError(409, "time runs by itself here; start with --speed 0 to step by hand")
    prices, seconds = body.get("prices", {}), body.get("seconds", DEFAULT_SECONDS)
    if not isinstance(prices, Mapping):
        raise ApiError(400, 'prices must be an object such as {"BTCUSDT": "97000"}')
    if not isinstance(seconds, int) or not 0 < seconds <= MOST_SECONDS:
        raise ApiError(400, f"seconds must be a whole number from 1 to {MOST_SECONDS}")
    venue.step({symbol: _price(venue, symbol, price) for symbol, price in prices.items()}, seconds)


def _price(venue: Venue, symbol: str, price: object) -> Decimal:
    if symbol not in venue.markets:
        raise ApiError(400, f"no pair {symbol!r} here; there are {', '.join(venue.markets)}")
    try:
        value = decimal(price if isinstance(price, str | int) else str(price))
    except MalformedNumber as error:
        raise ApiError(400, f"{symbol}: the price must be a decimal number in quotes") from error
    pair = venue.markets[symbol].pair
    if value <= 0 or pair.instrument.price(value) != value:
        tick = plain(pair.instrument.tick)
        raise ApiError(400, f"{symbol}: the price must be above zero and a multiple of {tick}")
    return value


def asked(heard: Heard, query: Mapping[str, str]) -> Json:
    """Signed requests: `at` is a pattern of their path, `since` a machine time in ms."""
    since = query.get("since", "0")
    if not (since.isascii() and since.isdecimal()):
        raise ApiError(400, "since must be a whole number of milliseconds")
    return heard.show(query.get("at", "*"), int(since))


def state(venue: Venue, speed: float, *, whole: bool) -> Json:
    """The truth: clock and prices, and with `whole` every order, execution and wallet line."""
    account, markets = venue.account, venue.markets
    clock = {
        "tape": venue.tape.name,
        "clock": venue.now,
        "earlier_tapes": venue.earlier,
        "started": venue.start,
        "speed": speed,
        "loops": max(market.path.loops(venue.now) for market in markets.values()),
        "prices": {symbol: plain(market.price) for symbol, market in markets.items()},
        "open_orders": sum(map(len, account.open.values())),
    }
    if not whole:
        return clock
    return {
        **clock,
        "wallet": {
            name: {
                "total": plain(coin.total),
                "locked": plain(coin.locked),
                "free": plain(coin.free),
            }
            for name, coin in account.wallet.items()
        },
        "transfers": {name: plain(amount) for name, amount in account.transfers.items()},
        "orders": [order_row(order) for order in account.orders.values()],
        "executions": [execution_row(execution) for execution in account.executions],
    }
