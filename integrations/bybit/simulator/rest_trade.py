"""Bybit v5's order and execution endpoints; answers are acks, the truth follows on the stream."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar
from urllib.parse import unquote

from integrations.bybit.simulator import checks
from integrations.bybit.simulator.account import Execution
from integrations.bybit.simulator.checks import Params
from integrations.bybit.simulator.facts import Order
from integrations.bybit.simulator.rows import execution_row, order_row
from integrations.bybit.simulator.venue import Venue
from integrations.bybit.simulator.wire import ApiError, Json

PLAIN = ("Order", "OpenOrder")  # filters; orders that wait for a price are not simulated
T = TypeVar("T")


def create(venue: Venue, params: Params) -> Json:
    checks.spot(params)
    market = venue.market(checks.needed(params, "symbol"))
    return _ack(venue.place(checks.order_request(dict(params), market)))


def amend(venue: Venue, params: Params) -> Json:
    order = _addressed(venue, params)
    if order.is_closed:
        raise ApiError(170213, "Order does not exist.")
    price, qty = checks.amendment(dict(params), venue.market(order.symbol), order)
    venue.amend(order, price, qty)
    return _ack(order)


def cancel(venue: Venue, params: Params) -> Json:
    order = _addressed(venue, params)
    venue.cancel(order)
    return _ack(order)


def cancel_all(venue: Venue, params: Params) -> Json:
    """Every open order of the account that fits, whoever sent it."""
    if not checks.lists_spot(params):
        return {"list": [], "success": "1"}
    if checks.text(params, "settleCoin"):
        raise ApiError(10001, "params error: settleCoin is not for spot")
    symbol, base = checks.text(params, "symbol"), checks.text(params, "baseCoin")
    if symbol:
        pairs = [venue.market(symbol).pair]
    else:
        every = (venue.account.pairs[listed] for listed in venue.account.open)
        pairs = [pair for pair in every if base in ("", pair.instrument.base)]
    plain_orders = checks.order_filter(params) in PLAIN
    found = [
        order
        for pair in (pairs if plain_orders else ())
        for order in venue.account.open[pair.symbol].values()
    ]
    if found:
        venue.cancel_all(found)
    return {"list": [_ack(order) for order in found], "success": "1"}


def _addressed(venue: Venue, params: Params) -> Order:
    """The order that an amend or cancel names. Raises ApiError."""
    checks.spot(params)
    symbol = venue.market(checks.needed(params, "symbol")).pair.symbol
    if not (checks.text(params, "orderId") or checks.text(params, "orderLinkId")):
        raise ApiError(10001, "params error: orderId or orderLinkId is required")
    order = _named(venue, params)
    if order is None or order.symbol != symbol:
        raise ApiError(170213, "Order does not exist.")
    return order


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
    if not checks.lists_spot(params):
        return _nothing(params)
    account, symbol = venue.account, checks.text(params, "symbol")
    if _asks_for_one(params):
        order = _named(venue, params)
        known = order and (not order.is_closed or order in account.recently_closed)
        return _order_page([order] if order and known else [], params)
    if checks.order_filter(params) not in PLAIN:
        return _nothing(params)
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
    if not checks.lists_spot(params):
        return _nothing(params)
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
    if not checks.lists_spot(params):
        return _nothing(params)
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


def _nothing(params: Params) -> Json:
    """The list of a category in which nothing is traded here."""
    return {"category": checks.text(params, "category"), "list": [], "nextPageCursor": ""}


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
        # Sent back as it came, or percent-encoded once more, as bybit-api does.
        after = unquote(unquote(cursor)).removeprefix("page_token=").removesuffix("&")
        if not after.isdecimal():
            raise ApiError(10001, "params error: cursor invalid")
        # Ids fall along the list, so newer rows that came since do not shift the pages.
        first = bisect_right(newest, -int(after), key=lambda row: -int(identity(row)))
    size = checks.limit(params, default, most)
    page = newest[first : first + size]
    more = first + size < len(newest)
    return page, f"page_token%3D{identity(page[-1])}%26" if more else ""
