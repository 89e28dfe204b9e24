"""Facts from the exchange: fills and orders, written once by whoever hears of them first.

Duplicates, late and reordered messages change nothing in the end state.
"""

from collections.abc import Iterable
from datetime import timedelta

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from bots.books import worth
from bots.models import Bot, Fill, Order
from market import types
from market.types import OrderStatus

_CHANGING = [
    "order_id", "status", "filled", "updated", "reason", "settled", "acknowledged_at", "look_after",
]  # fmt: skip
FILLS_SHOULD_FOLLOW = timedelta(seconds=1)

# Evidence only moves an order forward; closed states absorb.
_RANK = {
    OrderStatus.NEW: 0,
    OrderStatus.SENT: 1,
    OrderStatus.UNKNOWN: 1,
    OrderStatus.OPEN: 2,
    OrderStatus.PARTIAL: 3,
    OrderStatus.CANCEL_SENT: 4,
    OrderStatus.CANCEL_UNKNOWN: 4,
    OrderStatus.NEVER_SENT: 5,
    OrderStatus.REJECTED: 5,
    OrderStatus.CANCELLED: 6,
    OrderStatus.FILLED: 6,
}


def tell(bot_ids: Iterable[int]) -> None:
    """Note that these bots have news: a tick that looked earlier must look again."""
    Bot.objects.filter(pk__in=set(bot_ids)).update(news=F("news") + 1)


def record_fill(fill: types.Fill) -> int | None:
    """Keep an execution. Answers its bot's id when it was new; None for a known or foreign one."""
    order = Order.objects.filter(client_id=fill.client_id).first() if fill.client_id else None
    if order is None:
        return None
    with transaction.atomic():
        before = Fill.objects.filter(exec_id=fill.exec_id).exists()
        if before:
            return None
        # With the row the database posts it in the ledger (bots/models/ledger.py).
        Fill.objects.bulk_create([_fill_row(order, fill)], ignore_conflicts=True)
        tell([order.bot_id])
    return order.bot_id


def _fill_row(order: Order, fill: types.Fill) -> Fill:
    return Fill(
        exec_id=fill.exec_id,
        order=order,
        bot_id=order.bot_id,
        symbol=fill.symbol,
        side=fill.side,
        price=fill.price,
        quantity=fill.quantity,
        fee=fill.fee,
        fee_coin=fill.fee_coin,
        fee_worth=worth.of_fee(fill),
        is_maker=fill.is_maker,
        time=types.moment(fill.time),
    )


def record_order(seen: types.Order) -> int | None:
    """Take in what the exchange says of an order; answers its bot's id when that changed anything.

    None for a foreign order and for old news.
    """
    ours = (
        Order.objects.filter(client_id=seen.client_id) if seen.client_id else Order.objects.none()
    )
    bot_id = ours.values_list("bot_id", flat=True).first()
    if bot_id is None:
        return None
    with transaction.atomic():
        # The bot's row before the order's, as a tick locks them: so neither waits for the other.
        Bot.objects.select_for_update(no_key=True).get(pk=bot_id)
        row = ours.select_for_update().get()
        if not _merge(row, seen):
            return None
        row.save(update_fields=_CHANGING)
        tell([bot_id])
    return bot_id


def _merge(row: Order, seen: types.Order) -> bool:
    """Move the row forward by the evidence; False when there is nothing new in it."""
    before = (row.order_id, row.status, row.filled)
    row.order_id = row.order_id or seen.order_id
    row.filled = max(row.filled, seen.filled)
    row.updated = max(row.updated, seen.updated)
    known = OrderStatus(row.status)
    reopened = known in {OrderStatus.REJECTED, OrderStatus.NEVER_SENT}
    if reopened and seen.status is not OrderStatus.REJECTED:
        # We had concluded that it never existed. It does: late evidence wins.
        row.settled = False
        known = OrderStatus.SENT
        row.status = known
    if _RANK[seen.status] > _RANK[known]:
        row.status = seen.status
        row.reason = seen.reason[:300]
        row.acknowledged_at = row.acknowledged_at or timezone.now()
    if row.status != before[1] or row.filled != before[2]:
        row.look_after = timezone.now() + FILLS_SHOULD_FOLLOW if seen.status.is_closed else None
    return before != (row.order_id, row.status, row.filled)
