"""Duplicates, late and reordered messages change nothing in the end state."""

import itertools
import threading
from dataclasses import replace
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.utils import timezone

from bots.books import facts
from bots.models import Bot, Fill, Order
from market.types import ZERO, OrderStatus, Side, TimeInForce
from market.types import Fill as Execution
from market.types import Order as Seen

D = Decimal


@pytest.fixture
def order(running: Bot) -> Order:
    return Order.objects.create(
        client_id="gtests1v1-2-0-B-0",
        bot=running,
        config=running.config,
        cell=2,
        symbol="BTCUSDT",
        side=Side.BUY,
        price=D(53000),
        quantity=D("0.08"),
        time_in_force=TimeInForce.POST_ONLY,
        status=OrderStatus.SENT,
        sent_at=timezone.now(),
    )


def seen(order: Order, status: OrderStatus, filled: str = "0", reason: str = "") -> Seen:
    told = replace(order.to_domain(), order_id="19", status=status, filled=D(filled))
    return replace(told, reason=reason, updated=1_700_000_000_000)


def execution(order: Order, exec_id: str, quantity: str) -> Execution:
    return Execution(
        exec_id, "19", order.client_id, "BTCUSDT", Side.BUY, D(53000), D(quantity),
        D(quantity) / 1000, "BTC", True, 1_700_000_000_000,
    )  # fmt: skip


def test_a_fill_is_kept_once(order: Order) -> None:
    first = execution(order, "e1", "0.03")
    assert facts.record_fill(first) == order.bot_id
    assert facts.record_fill(first) is None
    assert Fill.objects.count() == 1


def test_a_foreign_fill_is_not_ours(order: Order) -> None:
    for client_id in ("", "somebody-else", "1900000000000000001"):
        assert facts.record_fill(replace(execution(order, "e1", "1"), client_id=client_id)) is None
    assert not Fill.objects.exists()


def test_a_fill_may_come_before_everything_else(order: Order) -> None:
    facts.record_fill(execution(order, "e1", "0.08"))
    facts.record_order(seen(order, OrderStatus.OPEN))
    facts.record_order(seen(order, OrderStatus.FILLED, "0.08"))
    order.refresh_from_db()
    assert (order.status, order.filled, order.order_id) == (OrderStatus.FILLED, D("0.08"), "19")


@pytest.mark.parametrize("sequence", list(itertools.permutations(range(4))))
def test_every_order_of_messages_ends_the_same(order: Order, sequence: tuple[int, ...]) -> None:
    messages = [
        seen(order, OrderStatus.OPEN),
        seen(order, OrderStatus.PARTIAL, "0.03"),
        seen(order, OrderStatus.PARTIAL, "0.05"),
        seen(order, OrderStatus.CANCELLED, "0.05", "EC_PerCancelRequest"),
    ]
    for index in sequence:
        facts.record_order(messages[index])
        facts.record_order(messages[index])
    order.refresh_from_db()
    assert (order.status, order.filled) == (OrderStatus.CANCELLED, D("0.05"))
    assert order.reason == "EC_PerCancelRequest"


def test_two_filled_messages_after_a_raced_cancel_are_one(order: Order) -> None:
    facts.record_order(seen(order, OrderStatus.FILLED, "0.08"))
    raced = seen(order, OrderStatus.FILLED, "0.08", "EC_OrigClOrdIDDoesNotExist")
    assert facts.record_order(raced) is None
    order.refresh_from_db()
    assert order.reason == ""


def test_a_cancel_that_was_sent_is_not_undone_by_an_older_message(order: Order) -> None:
    Order.objects.update(status=OrderStatus.CANCEL_SENT)
    facts.record_order(seen(order, OrderStatus.OPEN))
    order.refresh_from_db()
    assert order.status == OrderStatus.CANCEL_SENT


def test_late_evidence_reopens_an_order_that_was_thought_never_to_have_been(order: Order) -> None:
    Order.objects.update(
        status=OrderStatus.REJECTED, reason="it never reached the exchange", settled=True
    )
    assert facts.record_order(seen(order, OrderStatus.OPEN)) == order.bot_id
    order.refresh_from_db()
    assert (order.status, order.settled, order.reason) == (OrderStatus.OPEN, False, "")


def test_the_exchanges_own_refusal_is_final(order: Order) -> None:
    facts.record_order(seen(order, OrderStatus.REJECTED, reason="EC_InvalidPrice"))
    assert facts.record_order(seen(order, OrderStatus.REJECTED, reason="again")) is None


def test_news_reach_the_bot(order: Order) -> None:
    before = Bot.objects.get().news
    facts.record_fill(execution(order, "e1", "0.01"))
    facts.record_order(seen(order, OrderStatus.PARTIAL, "0.01"))
    facts.record_order(seen(order, OrderStatus.PARTIAL, "0.01"))
    assert Bot.objects.get().news == before + 2
    assert Order.objects.get().filled - ZERO == D("0.01")


@pytest.mark.django_db(transaction=True)
def test_a_message_during_a_tick_waits_and_neither_is_a_deadlock(order: Order) -> None:
    """A tick locks its bot, then its orders; a message about an order must not do it backwards."""
    told = threading.Thread(target=_record, args=(seen(order, OrderStatus.PARTIAL, "0.03"),))
    with transaction.atomic():
        Bot.objects.select_for_update().get()
        told.start()
        told.join(0.3)
        assert told.is_alive(), "it waits for the bot"
        Order.objects.update(settled=False)
    told.join(5)
    order.refresh_from_db()
    assert order.filled == D("0.03")


def _record(told: Seen) -> None:
    facts.record_order(told)
    connection.close()
