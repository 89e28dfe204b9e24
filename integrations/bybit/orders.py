"""Sending orders and cancels: ten to a request where the exchange takes batches, else singly."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from integrations.bybit.fields import MalformedMessage, Row, field, records, text
from integrations.bybit.limits import Turn
from integrations.bybit.refusals import NoSuchPath, error_for
from integrations.bybit.session import Session
from market.exchange import (
    Cancelled,
    ExchangeError,
    NotSent,
    Placed,
    RateLimited,
    Refused,
)
from market.types import OrderRequest, plain

T = TypeVar("T")

CLIENT_ID = re.compile(r"[A-Za-z0-9_-]{1,36}", re.ASCII)
SYMBOL = re.compile(r"[A-Z0-9]{1,30}", re.ASCII)

BATCH = 10  # Bybit v5, order/create-batch and order/cancel-batch on spot
#: A server's words for "no batches here": no such path, no such operation, not in demo trading.
NO_BATCHES = frozenset({10017, 10032, 10404, 110100})


@dataclass(frozen=True, slots=True)
class Kind:
    """A single and a batch method of pybit that do the same."""

    single: str
    batch: str


PLACE = Kind("place_order", "place_batch_order")
CANCEL = Kind("cancel_order", "cancel_batch_order")


class Orders:
    """Places and cancels through one session, and learns whether batches are offered."""

    def __init__(self, session: Session, *, batches: bool) -> None:
        self._session = session
        self._batches = batches

    @property
    def batch(self) -> int:
        """How many go into one request."""
        return BATCH if self._batches else 1

    def place(self, orders: Sequence[OrderRequest], by: float | None) -> list[Placed]:
        """Order ids, or what went wrong, in the orders' own sequence."""
        return self._all([_create(order) for order in orders], PLACE, by, _order_id)

    def cancel(self, names: Sequence[tuple[str, str]]) -> list[Cancelled]:
        items = [
            {"symbol": checked_symbol(symbol), "orderLinkId": checked_client_id(client_id)}
            for symbol, client_id in names
        ]
        return self._all(items, CANCEL, None, _acknowledged)

    def _all(
        self,
        items: Sequence[Row],
        kind: Kind,
        by: float | None,
        read: Callable[[Row, Row], T],
    ) -> list[T | ExchangeError]:
        """What came of each item; `read` takes an item and its row of the answer."""
        done: list[T | ExchangeError] = []
        while len(done) < len(items):
            rest = items[len(done) : len(done) + BATCH]
            # Singles have a pool of their own, so they go on where the batches' is used up.
            batched = self._batches and len(rest) > 1
            endpoints = [kind.batch, kind.single] if batched else [kind.single]
            try:
                turn = self._session.turn(endpoints, len(rest), by)
            except NotSent as error:
                done += [error.with_traceback(None)] * (len(items) - len(done))
                break
            if turn.endpoint == kind.batch:
                done += self._many(rest[: turn.units], turn, by, read)
            else:
                done.append(self._one(rest[0], turn, by, read))
        return done

    def _one(
        self, item: Row, turn: Turn, by: float | None, read: Callable[[Row, Row], T]
    ) -> T | ExchangeError:
        try:
            return read(item, self._session.send(turn, {"category": "spot", **item}, by).result)
        except ExchangeError as error:
            return error.with_traceback(None)

    def _many(
        self,
        items: Sequence[Row],
        turn: Turn,
        by: float | None,
        read: Callable[[Row, Row], T],
    ) -> list[T | ExchangeError]:
        """The items of one batch; none when there are no batches after all."""
        try:
            answer = self._session.send(turn, {"category": "spot", "request": list(items)}, by)
            rows, said = records(answer.result, "list"), records(answer.extra, "list")
        except ExchangeError as error:
            if _says_no_batches(error):
                self._batches = False
                return []
            return [error.with_traceback(None)] * len(items)
        if not len(items) == len(rows) == len(said):
            wrong = MalformedMessage("a batch was answered with another number of rows")
            return [wrong] * len(items)
        return [
            self._item(item, row, outcome, turn, read)
            for item, row, outcome in zip(items, rows, said, strict=True)
        ]

    def _item(
        self, item: Row, row: Row, said: Row, turn: Turn, read: Callable[[Row, Row], T]
    ) -> T | ExchangeError:
        try:
            number = field(said, "code")
            if type(number) is not int:
                raise MalformedMessage(f"code should be a number, not {number!r:.80}")
            if number:
                now_ms = int(time.time() * 1000)
                raise error_for(number, self._session.clear(said.get("msg")), now_ms)
            return read(item, row)
        except RateLimited as error:
            self._session.refused(turn.endpoint, error)
            return error.with_traceback(None)
        except ExchangeError as error:
            return error.with_traceback(None)


def _says_no_batches(error: ExchangeError) -> bool:
    # Sending the same ids again one by one is safe even if that was not Bybit's own answer.
    return isinstance(error, NoSuchPath) or (
        isinstance(error, Refused) and error.code in NO_BATCHES
    )


def _create(order: OrderRequest) -> Row:
    """The parameters of a limit order.

    smpType CancelTaker: should two of our grids meet, the arriving order is cancelled and the
    resting one stays, so no order vanishes without the bot that owns it having acted.
    """
    return {
        "symbol": checked_symbol(order.symbol),
        "side": order.side.value,
        "orderType": "Limit",
        "qty": plain(order.quantity),
        "price": plain(order.price),
        "timeInForce": order.time_in_force.value,
        "orderLinkId": checked_client_id(order.client_id),
        "isLeverage": 0,
        "smpType": "CancelTaker",
    }


def _order_id(item: Row, row: Row) -> str:
    if row.get("orderLinkId", item["orderLinkId"]) != item["orderLinkId"]:
        raise MalformedMessage(f"the answer to {item['orderLinkId']} names another order")
    return text(row, "orderId")


def _acknowledged(item: Row, row: Row) -> None:
    if row.get("orderLinkId", item["orderLinkId"]) not in ("", item["orderLinkId"]):
        raise MalformedMessage(f"the answer to {item['orderLinkId']} names another order")


def checked_symbol(symbol: str) -> str:
    if not SYMBOL.fullmatch(symbol):
        raise ValueError(f"{symbol!r} is no symbol: capital letters and digits are accepted")
    return symbol


def checked_client_id(client_id: str) -> str:
    if not CLIENT_ID.fullmatch(client_id):
        raise ValueError(f"{client_id!r} is no client id: 1 to 36 of A-Z a-z 0-9 _ - are accepted")
    return client_id
