"""Learning what became of every order whose fate is not proven, before anything is decided.

The order itself is asked for first, then the history, then its executions. That it is nowhere is
believed after two rounds that found nothing, both begun after it could last have been accepted;
and even then later evidence re-opens it.
"""

from collections.abc import Sequence
from datetime import datetime

from django.utils import timezone

from bots import models as rows
from bots import store
from bots.books import facts
from bots.models import Order
from market import types
from market.exchange import Exchange, Patience
from market.types import ZERO, Fill, OrderStatus

NEGATIVE_ROUNDS = 2


def settle_unknown(lease: store.Lease, exchange: Exchange, patience: Patience) -> None:
    """Look up what is due among the unsettled orders of a bot. Raises ExchangeError."""
    now = timezone.now()
    for row in store.unsettled(lease.bot.config):
        status = OrderStatus(row.status)
        if status is OrderStatus.NEW:
            # Committed by a tick that ended before sending it. That epoch is over: it never will.
            _update(row, status=OrderStatus.NEVER_SENT, reason="withdrawn before it was sent")
        elif row.look_after is None or row.look_after > now:
            continue
        elif not status.is_closed and row.order_id and row.in_fills >= row.quantity:
            # Its executions prove it: nobody needs to be asked, be they ever so many at once.
            facts.record_order(_as_executed(row, [fill.to_domain() for fill in _kept(row)]))
        elif not status.is_closed:
            _look_up(row, exchange, patience)
        elif row.in_fills < row.filled:
            _record(exchange.fills_of(row.symbol, row.client_id))


def _kept(row: Order) -> Sequence[rows.Fill]:
    return rows.Fill.objects.filter(order=row).select_related("order").order_by("time", "exec_id")


def _look_up(row: Order, exchange: Exchange, patience: Patience) -> None:
    """Ask what an order is, and take in the answer."""
    found = exchange.order(row.symbol, row.client_id)
    if found is None and (fills := exchange.fills_of(row.symbol, row.client_id)):
        _record(fills)
        found = _as_executed(row, fills)
    if found is None:
        _not_found(row, patience)
        return
    if found.status.is_open:
        _rests(row, found, patience)
    else:
        _note(row, timezone.now() + patience.first_look)
    facts.record_order(found)
    if found.filled > row.in_fills:
        _record(exchange.fills_of(row.symbol, row.client_id))


def _rests(row: Order, found: types.Order, patience: Patience) -> None:
    """It is on the book. A cancel of it may still come, until its signature holds no more."""
    if OrderStatus(row.status) not in (OrderStatus.CANCEL_SENT, OrderStatus.CANCEL_UNKNOWN):
        _update(row, look_after=None, not_found=0)
    elif row.status == OrderStatus.CANCEL_UNKNOWN and row.not_found:
        _move(row, found.status, None)  # the second look, past that time: the cancel never landed
    else:
        _move(row, OrderStatus.CANCEL_UNKNOWN, timezone.now() + patience.proof, not_found=1)


def _move(row: Order, status: OrderStatus, after: datetime | None, not_found: int = 0) -> None:
    _update(row, status=status, look_after=after, not_found=not_found)
    row.status = status


def _as_executed(row: Order, fills: Sequence[Fill]) -> types.Order:
    """An order that only its executions know of; whole when they are, else taken to rest on."""
    filled = sum((fill.quantity for fill in fills), ZERO)
    whole = filled >= row.quantity
    return types.Order(
        client_id=row.client_id,
        order_id=fills[-1].order_id,
        symbol=row.symbol,
        side=types.Side(row.side),
        price=row.price,
        quantity=row.quantity,
        filled=filled,
        status=OrderStatus.FILLED if whole else OrderStatus.PARTIAL,
        time_in_force=types.TimeInForce(row.time_in_force),
        updated=fills[-1].time,
    )


def _not_found(row: Order, patience: Patience) -> None:
    """It is nowhere; that is final only past its time, and the second time."""
    now, due = timezone.now(), row.sent_at + patience.proof
    if now < due:
        _note(row, due)
    elif row.not_found + 1 < NEGATIVE_ROUNDS:
        _note(row, now + patience.grace, row.not_found + 1)
    else:
        known = row.order_id or row.filled
        reason = "the exchange knows it no longer" if known else "it never reached the exchange"
        _update(row, status=OrderStatus.REJECTED, reason=reason, look_after=None)


def _record(fills: Sequence[Fill]) -> None:
    for fill in fills:
        facts.record_fill(fill)


def _note(row: Order, after: datetime, not_found: int = 0) -> None:
    _update(row, look_after=after, not_found=not_found)


def _update(row: Order, **facts_: object) -> None:
    """Write on a row unless faster news has moved it meanwhile."""
    Order.objects.filter(pk=row.pk, status=row.status).update(**facts_)
