"""The carrying out of a decision, written down before and after each request."""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from bots.models import Bot, Order
from bots.store import Lease, LostLease, hold
from market.exchange import (
    AlreadyExists,
    Broken,
    ExchangeError,
    NoSuchOrder,
    RateLimited,
    Refused,
    WouldTake,
)
from market.types import POST_ONLY_REFUSED, OrderRequest, OrderStatus, Side, TimeInForce
from market.types import Order as DomainOrder

# Bybit refuses a request that arrives later than recv_window after it was signed; an order that
# is not to be found after that, and the time matching may take, was never accepted.
RECV_WINDOW = timedelta(seconds=5)
GRACE = timedelta(seconds=2)
FIRST_LOOK = timedelta(seconds=1)
REFUSAL_REST = timedelta(seconds=30)  # before a refused order is tried again
BROKEN_REST = timedelta(seconds=60)

_WAITING = (OrderStatus.SENT, OrderStatus.UNKNOWN)


class DatabaseJournal:
    """A journal under one lease: what is not ours to send any more is not sent."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease

    def placing(self, order: OrderRequest) -> bool:
        """Commit that this order goes on the wire, unless the bot was taken over or paused.

        The bot's row is locked meanwhile, so whoever pauses it sees every order sent before.
        """
        with transaction.atomic():
            try:
                bot = hold(self._lease)
            except LostLease:
                return False
            if order.side is Side.BUY and bot.state != Bot.State.RUNNING:
                return False
            now = _now()
            return self._move(
                order.client_id, (OrderStatus.NEW,), OrderStatus.SENT,
                sent_at=now, look_after=now + FIRST_LOOK,
            )  # fmt: skip

    def placed(self, order: OrderRequest, order_id: str) -> None:
        now = _now()
        # What never rests is over at once: when no message says so, it is looked up.
        look = now + FIRST_LOOK if order.time_in_force is TimeInForce.IOC else None
        self._move(
            order.client_id, _WAITING, OrderStatus.OPEN,
            order_id=order_id, acknowledged_at=now, look_after=look,
        )  # fmt: skip

    def not_placed(self, order: OrderRequest, error: ExchangeError) -> None:
        now = _now()
        match error:
            case AlreadyExists():
                self._move(order.client_id, _WAITING, OrderStatus.UNKNOWN, look_after=now)
            case WouldTake():
                self._move(
                    order.client_id, _WAITING, OrderStatus.CANCELLED,
                    reason=POST_ONLY_REFUSED, acknowledged_at=now,
                )  # fmt: skip
            case Refused():
                self._park(order, error.reason, now + REFUSAL_REST)
            case Broken():
                self._park(order, str(error), now + BROKEN_REST)
            case _:
                self._move(
                    order.client_id, _WAITING, OrderStatus.UNKNOWN,
                    reason=str(error)[:300], look_after=now + _pause_before_look(error),
                )  # fmt: skip

    def _park(self, order: OrderRequest, reason: str, until: datetime) -> None:
        self._move(
            order.client_id, _WAITING, OrderStatus.REJECTED,
            reason=reason[:300], acknowledged_at=_now(), look_after=until,
        )  # fmt: skip

    def cancelling(self, order: DomainOrder) -> bool:
        with transaction.atomic():
            try:
                hold(self._lease)
            except LostLease:
                return False
            open_states = (OrderStatus.OPEN, OrderStatus.PARTIAL, OrderStatus.CANCEL_UNKNOWN)
            return self._move(
                order.client_id, open_states, OrderStatus.CANCEL_SENT,
                look_after=_now() + FIRST_LOOK,
            )  # fmt: skip

    def cancelled(self, order: DomainOrder) -> None:
        """The exchange took the cancel; the order's own message, or a look-up, says what came."""

    def not_cancelled(self, order: DomainOrder, error: ExchangeError) -> None:
        wait = timedelta(0) if isinstance(error, NoSuchOrder) else _pause_before_look(error)
        self._move(
            order.client_id, (OrderStatus.CANCEL_SENT,), OrderStatus.CANCEL_UNKNOWN,
            look_after=_now() + wait,
        )  # fmt: skip

    @staticmethod
    def _move(
        client_id: str, known: tuple[OrderStatus, ...], status: OrderStatus, **facts: object
    ) -> bool:
        """Set the status where it is still one of `known`: faster messages are not overwritten."""
        moved = Order.objects.filter(client_id=client_id, status__in=known)
        return moved.update(status=status, **facts) == 1


def deadline(sent_at: datetime) -> datetime:
    """From when on an order that was sent then, and is nowhere, was never accepted."""
    return sent_at + RECV_WINDOW + GRACE


def _pause_before_look(error: ExchangeError) -> timedelta:
    if isinstance(error, RateLimited):
        until = timedelta(milliseconds=error.until_ms - _now().timestamp() * 1000)
        return min(max(until, FIRST_LOOK), RECV_WINDOW)
    return FIRST_LOOK


def _now() -> datetime:
    return timezone.now()
