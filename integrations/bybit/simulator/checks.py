"""Parameters of requests: read, checked against the pair's filters, refused with Bybit's codes."""

import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from integrations.bybit.simulator.account import Request
from integrations.bybit.simulator.facts import Order
from integrations.bybit.simulator.market import Market
from integrations.bybit.simulator.taking import SMP_TYPES
from integrations.bybit.simulator.wire import ApiError, Json
from market.types import ZERO, MalformedNumber, Side, decimal, plain, step_round

LINK_ID = re.compile(r"[A-Za-z0-9_-]{1,36}")
TIMES_IN_FORCE = frozenset({"GTC", "IOC", "FOK", "PostOnly"})
CATEGORIES = ("spot", "linear", "inverse", "option")
ORDER_FILTERS = (
    "Order",
    "StopOrder",
    "tpslOrder",
    "OcoOrder",
    "BidirectionalTpslOrder",
    "OpenOrder",
)
Params = Mapping[str, Any]
DIGITS = 18  # of a whole number in a query
WEEK = 7 * 24 * 3_600_000
FOREVER = 2**62


def text(params: Params, name: str, default: str = "") -> str:
    """A parameter as text; numbers in a JSON body are accepted as Bybit does."""
    value = params.get(name, default)
    return default if value is None else str(value)


def needed(params: Params, name: str) -> str:
    """A parameter that must be there. Raises ApiError 10001."""
    value = text(params, name)
    if not value:
        raise ApiError(10001, f"params error: {name} is required")
    return value


def spot(params: Params) -> None:
    """Only the spot category lives here. Raises ApiError 10001."""
    category = text(params, "category")
    if category != "spot":
        raise ApiError(10001, f"params error: category {category!r}: only spot is simulated")


def lists_spot(params: Params) -> bool:
    """Whether a list is wanted of the category that has something in it.

    Clients ask the others too, to see whether anything is there. Raises ApiError 10001.
    """
    category = needed(params, "category")
    if category not in CATEGORIES:
        raise ApiError(10001, f"params error: category must be one of {', '.join(CATEGORIES)}")
    return category == "spot"


def number(params: Params, name: str, default: int) -> int:
    """A whole number, not negative. Raises ApiError 10001."""
    value = text(params, name)
    if not value:
        return default
    if not (value.isdecimal() and value.isascii() and len(value) <= DIGITS):
        raise ApiError(10001, f"params error: {name} must be a whole number")
    return int(value)


def limit(params: Params, default: int, most: int) -> int:
    """The page size: at least 1, silently cut to what the endpoint allows."""
    size = number(params, "limit", default)
    if size < 1:
        raise ApiError(10001, "params error: limit must be at least 1")
    return min(size, most)


def window(params: Params, now: int) -> tuple[int, int]:
    """The times asked for, at most 7 days apart; the last 7 days when neither is given."""
    start, end = number(params, "startTime", -1), number(params, "endTime", -1)
    if start < 0 and end < 0:
        return now - WEEK, FOREVER
    if start < 0:
        start = end - WEEK
    if end < 0:
        end = start + WEEK
    if end < start or end - start > WEEK:
        raise ApiError(10001, "params error: endTime must be at most 7 days after startTime")
    return start, end


def order_filter(params: Params) -> str:
    """Which kind of order is meant (Bybit v5, enum orderFilter). Raises ApiError 10001."""
    wanted = text(params, "orderFilter") or "Order"
    if wanted not in ORDER_FILTERS:
        raise ApiError(10001, f"params error: orderFilter must be {', '.join(ORDER_FILTERS)}")
    return wanted


def order_request(params: Json, market: Market) -> Request:
    """The body of order/create, checked against the pair's filters. Raises ApiError."""
    kind = needed(params, "orderType")
    if kind not in ("Limit", "Market"):
        raise ApiError(10001, "params error: orderType must be Limit or Market")
    side = needed(params, "side")
    if side not in ("Buy", "Sell"):
        raise ApiError(10001, "params error: side must be Buy or Sell")
    link = text(params, "orderLinkId")
    if link and not LINK_ID.fullmatch(link):
        raise ApiError(10001, "params error: orderLinkId is at most 36 of A-Z a-z 0-9 _ -")
    if text(params, "isLeverage", "0") not in ("0", ""):
        raise ApiError(10001, "params error: isLeverage: margin trading is not simulated")
    if order_filter(params) != "Order":
        raise ApiError(10001, "params error: orderFilter: only Order is simulated")
    smp_type = text(params, "smpType") or "None"
    if smp_type not in SMP_TYPES:
        raise ApiError(10001, f"params error: smpType must be one of {', '.join(SMP_TYPES)}")
    build = _limit_order if kind == "Limit" else _market_order
    return replace(build(params, market, Side(side), link), smp_type=smp_type)


def _limit_order(params: Json, market: Market, side: Side, link: str) -> Request:
    tif = text(params, "timeInForce") or "GTC"
    if tif not in TIMES_IN_FORCE:
        raise ApiError(10001, "params error: timeInForce must be GTC, IOC, FOK or PostOnly")
    price, qty = _positive(params, "price"), _positive(params, "qty")
    _check_limit(market, side, price, qty)
    return Request(market.pair.symbol, side, "Limit", tif, price, qty, "", link)


def amendment(params: Json, market: Market, order: Order) -> tuple[Decimal, Decimal]:
    """The price and total quantity that order/amend asks for. Raises ApiError."""
    if not (text(params, "price") or text(params, "qty")):
        raise ApiError(10001, "params error: price or qty is required")
    price = _positive(params, "price") if text(params, "price") else order.price
    qty = _positive(params, "qty") if text(params, "qty") else order.qty
    _check_limit(market, order.side, price, qty)
    return price, qty


def _check_limit(market: Market, side: Side, price: Decimal, qty: Decimal) -> None:
    """The filters of a limit order, and the price band. Raises ApiError."""
    rules = market.pair.instrument
    if step_round(price, rules.tick, "ROUND_DOWN") != price:
        raise ApiError(170134, "Order price has too many decimals.")
    _check_lots(market, qty, rules.max_limit_quantity)
    if price * qty < rules.min_notional:
        raise ApiError(170140, "Order value exceeded lower limit.")
    lowest, highest = market.band()
    if side is Side.BUY and price > highest:
        raise ApiError(170193, f"Buy order price cannot be higher than {plain(highest)}.")
    if side is Side.SELL and price < lowest:
        raise ApiError(170194, f"Sell order price cannot be lower than {plain(lowest)}.")


def _market_order(params: Json, market: Market, side: Side, link: str) -> Request:
    default = "quoteCoin" if side is Side.BUY else "baseCoin"
    unit = text(params, "marketUnit") or default
    if unit not in ("baseCoin", "quoteCoin"):
        raise ApiError(10001, "params error: marketUnit must be baseCoin or quoteCoin")
    rules, qty = market.pair.instrument, _positive(params, "qty")
    if unit == "baseCoin":
        _check_lots(market, qty, market.pair.max_market_quantity)
    elif market.pair.amount(qty) != qty:
        raise ApiError(170148, "Market order amount decimal too long.")
    value = qty if unit == "quoteCoin" else qty * market.price
    if value < rules.min_notional:
        raise ApiError(170140, "Order value exceeded lower limit.")
    if value > market.pair.max_market_quantity * market.price:
        raise ApiError(170135, "Order quantity exceeded upper limit.")
    return Request(market.pair.symbol, side, "Market", "IOC", ZERO, qty, unit, link)


def _check_lots(market: Market, qty: Decimal, most: Decimal) -> None:
    if market.pair.instrument.quantity(qty) != qty:
        raise ApiError(170137, "Order volume decimal too long.")
    if qty > most:
        raise ApiError(170135, "Order quantity exceeded upper limit.")


def _positive(params: Json, name: str) -> Decimal:
    try:
        value = decimal(needed(params, name))
    except MalformedNumber as error:
        raise ApiError(10001, f"params error: {name} must be a decimal number") from error
    if value <= 0:
        raise ApiError(10001 if name == "price" else 170136, f"{name} must be above zero")
    return value
