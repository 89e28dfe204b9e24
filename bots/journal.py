"""The carrying out of a decision, written down before and after each request."""

import time
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from django.db import transaction
from django.utils import timezone

from bots.engine import Permit
from bots.models import Bot, Order
from bots.safety import guarding
from bots.store import Lease, LostLease, hold, renew
from market import ingest
from market.exchange import (
    USUAL,
    AlreadyExists,
    Broken,
    Cancelled,
    ExchangeError,
    Misfit,
    NoSuchOrder,
    NotSent,
    NotTrading,
    Patience,
    Placed,
    RateLimited,
    Refused,
    WouldTake,
)
from market.types import POST_ONLY_REFUSED, OrderRequest, OrderStatus, Side, TimeInForce
from market.types import Order as DomainOrder
from risk import guards

Named = TypeVar("Named", OrderRequest, DomainOrder)

# A kill promises that nothing is signed later than a quarter of a second after it is committed. It
# may have been committed as soon as the database has looked for halts, so that is when this begins:
# who hangs before the end of the transaction must not sign when it is woken.
SIGNED_WITHIN_S = 0.2

_WAITING = (OrderStatus.SENT, OrderStatus.UNKNOWN)
_CANCELLABLE = (OrderStatus.OPEN, OrderStatus.PARTIAL, OrderStatus.CANCEL_UNKNOWN)


class DatabaseJournal:
    """A journal under one lease: what is not ours to send any more is not sent."""

    def __init__(self, lease: Lease, patience: Patience = USUAL) -> None:
        self._lease = lease
        self._patience = patience

    def placing(self, orders: Sequence[OrderRequest]) -> Permit:
        """Commit that these go on the wire now, but for those whose bot was taken over or paused.

        The bot's row is locked meanwhile, so whoever pauses it sees every order sent before.
        """
        by = time.monotonic() + self._patience.turn.total_seconds()
        with transaction.atomic():
            try:
                bot = hold(self._lease)
            except LostLease:
                return Permit((), by)
            may_buy = bot.state == Bot.State.RUNNING
            asked = [order for order in orders if may_buy or order.side is Side.SELL]
            now, looked = timezone.now(), time.monotonic()
            sent = self._move_all(
                asked, (OrderStatus.NEW,), OrderStatus.SENT,
                sent_at=now, look_after=now + self._patience.turn + self._patience.first_look,
            )  # fmt: skip
        return Permit(tuple(sent), min(by, looked + SIGNED_WITHIN_S))

    def placed(self, outcomes: Iterable[tuple[OrderRequest, Placed]]) -> None:
        """Write down what came of each."""
        with transaction.atomic():
            for order, came in outcomes:
                if isinstance(came, ExchangeError):
                    self._not_placed(order, came)
                else:
                    self._acknowledged(order, came)

    def _acknowledged(self, order: OrderRequest, order_id: str) -> None:
        now = timezone.now()
        # What never rests is over at once: when no message says so, it is looked up.
        ends = order.time_in_force is TimeInForce.IOC
        self._move(
            order.client_id, _WAITING, OrderStatus.OPEN, order_id=order_id, acknowledged_at=now,
            look_after=now + self._patience.first_look if ends else None,
        )  # fmt: skip

    def _not_placed(self, order: OrderRequest, error: ExchangeError) -> None:
        now, patience = timezone.now(), self._patience
        match error:
            case AlreadyExists():
                self._move(order.client_id, _WAITING, OrderStatus.UNKNOWN, look_after=now)
            case WouldTake():
                self._move(
                    order.client_id, _WAITING, OrderStatus.CANCELLED,
                    reason=POST_ONLY_REFUSED, acknowledged_at=now,
                )  # fmt: skip
            case Refused():
                self._park(order, error.reason, now + patience.refusal_rest)
                _follow(order, error)
            case Broken():
                self._park(order, str(error), now + patience.broken_rest)
                guarding.note(guards.access(str(error)))
            case NotSent():
                self._move(
                    order.client_id, (OrderStatus.SENT,), OrderStatus.NEVER_SENT,
                    reason=str(error)[:300], look_after=now + _until(error),
                )  # fmt: skip
            case _:
                self._move(
                    order.client_id, _WAITING, OrderStatus.UNKNOWN,
                    reason=str(error)[:300], look_after=now + self._pause(error),
                )  # fmt: skip

    def _park(self, order: OrderRequest, reason: str, until: datetime) -> None:
        self._move(
            order.client_id, _WAITING, OrderStatus.REJECTED,
            reason=reason[:300], acknowledged_at=timezone.now(), look_after=until,
        )  # fmt: skip

    def cancelling(self, orders: Sequence[DomainOrder]) -> Sequence[DomainOrder]:
        """Commit that these cancels go on the wire now, but for what is not ours any more.

        Nothing but the orders is locked here: messages lock an order first and then its bot.
        """
        if not renew(self._lease):
            return ()
        with transaction.atomic():
            now = timezone.now()
            return self._move_all(
                orders, _CANCELLABLE, OrderStatus.CANCEL_SENT, not_found=0,
                look_after=now + self._patience.turn + self._patience.first_look,
            )  # fmt: skip

    def cancelled(self, outcomes: Iterable[tuple[DomainOrder, Cancelled]]) -> None:
        """Write down what was not taken; of what was, a message or a look-up says what came."""
        now = timezone.now()
        for order, error in outcomes:
            if error is None:
                continue
            status, wait = OrderStatus.CANCEL_UNKNOWN, self._pause(error)
            if isinstance(error, NoSuchOrder):
                wait = timedelta(0)
            after: datetime | None = now + wait
            if isinstance(error, NotSent):
                status, after = order.status, None  # as if it had not been asked for
            self._move(order.client_id, (OrderStatus.CANCEL_SENT,), status, look_after=after)

    def _pause(self, error: ExchangeError) -> timedelta:
        """How long before an order of unknown fate is looked up."""
        first = self._patience.first_look
        if isinstance(error, RateLimited):
            return min(max(_until(error), first), self._patience.recv_window)
        return first

    @staticmethod
    def _move(
        client_id: str, known: tuple[OrderStatus, ...], status: OrderStatus, **facts: object
    ) -> None:
        """Set the status where it is still one of `known`: faster messages are not overwritten."""
        moved = Order.objects.filter(client_id=client_id, status__in=known)
        moved.update(status=status, **facts)

    def _move_all(
        self,
        orders: Sequence[Named],
        known: tuple[OrderStatus, ...],
        status: OrderStatus,
        **facts: object,
    ) -> list[Named]:
        """The same for several; answers those that were moved. Needs a running transaction."""
        mine = Order.objects.filter(bot=self._lease.bot, bot__epoch=self._lease.epoch)
        found = mine.filter(client_id__in=[order.client_id for order in orders], status__in=known)
        # In the order of their ids, as whoever else locks several does.
        locked = found.order_by("id").select_for_update(of=("self",))
        free = set(locked.values_list("client_id", flat=True))
        Order.objects.filter(client_id__in=free).update(status=status, **facts)
        # The database refuses some by itself: nothing is marked as sent under a halt.
        moved = Order.objects.filter(client_id__in=free, status=status)
        names = set(moved.values_list("client_id", flat=True))
        return [order for order in orders if order.client_id in names]


def _follow(order: OrderRequest, error: Refused) -> None:
    """What a refusal says of the pair, beyond the order."""
    if isinstance(error, NotTrading):
        guarding.note(guards.listing(order.symbol, error.reason))
    elif isinstance(error, Misfit):
        ingest.doubt(order.symbol)


def _until(error: RateLimited) -> timedelta:
    left = error.until_ms - timezone.now().timestamp() * 1000
    return timedelta(milliseconds=max(left, 0))
