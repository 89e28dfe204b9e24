"""One writer per bot, intents before sending, and nothing written by who lost the lease."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from django.db import connection
from django.utils import timezone

from bots import control, store, terms
from bots.books import facts
from bots.engine import Decision, decide
from bots.grid.cells import build
from bots.journal import DatabaseJournal
from bots.models import Bot, Cell, Fill, Order, RoundTrip
from market.exchange import (
    USUAL,
    AlreadyExists,
    Broken,
    NoSuchOrder,
    NotSent,
    RateLimited,
    Refused,
    Unresolved,
    WouldTake,
)
from market.types import POST_ONLY_REFUSED, ZERO, OrderStatus, Side
from market.types import Fill as Execution
from risk.rules import FREE
from tests.grid.examples import BTC, tick

D = Decimal


def looked(bot: Bot, lease: store.Lease) -> tuple[store.Loaded, Decision]:
    loaded = store.load(bot.config, BTC)
    assert loaded is not None
    decision = decide(loaded.grid, loaded.fills, loaded.orders, tick(54000), FREE)
    return loaded, decision


def intended(bot: Bot) -> tuple[store.Lease, Decision]:
    """A tick up to the moment before anything is sent."""
    lease = store.take_lease(bot.pk)
    assert lease is not None
    loaded, decision = looked(bot, lease)
    store.save(lease, loaded, decision)
    return lease, decision


def execution(order: Order, exec_id: str, quantity: Decimal | None = None) -> Execution:
    quantity = order.quantity if quantity is None else quantity
    buy = order.side == Side.BUY
    fee = quantity / 1000 if buy else quantity * order.price / 1000
    return Execution(
        exec_id, "x1", order.client_id, order.symbol, Side(order.side), order.price,
        quantity, fee, "BTC" if buy else "USDT", True, 1_700_000_100_000,
    )  # fmt: skip


def test_a_lease_has_one_holder(running: Bot) -> None:
    lease = store.take_lease(running.pk)
    assert lease is not None
    assert store.take_lease(running.pk) is None
    store.release(lease)
    assert store.take_lease(running.pk).epoch == lease.epoch + 1


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_gets_the_lease(running: Bot) -> None:
    def attempt(_: int) -> bool:
        try:
            return store.take_lease(running.pk) is not None
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(24))) == 1


def test_an_expired_lease_is_taken_over_and_its_holder_writes_nothing(running: Bot) -> None:
    slow, decision = intended(running)
    Bot.objects.update(lease_until=timezone.now())
    fast = store.take_lease(running.pk)
    assert fast is not None
    assert DatabaseJournal(slow).placing(decision.place).orders == ()
    assert not Order.objects.exclude(status=OrderStatus.NEW).exists()
    loaded, again = looked(running, slow)
    with pytest.raises(store.LostLease):
        store.save(slow, loaded, again)
    store.release(slow)
    assert store.take_lease(running.pk) is None, "the loser does not free the winner's lease"


def test_news_during_a_tick_makes_somebody_look_again(running: Bot) -> None:
    lease = store.take_lease(running.pk)
    facts.tell([running.pk])
    assert store.release(lease) is True
    assert store.release(store.take_lease(running.pk)) is False


def test_intents_are_committed_before_anything_is_sent(running: Bot) -> None:
    intended(running)
    assert set(Order.objects.values_list("status", flat=True)) == {OrderStatus.NEW}
    assert Order.objects.count() == 5


def test_a_save_keeps_cells_trips_and_booked_fills_together(running: Bot) -> None:
    lease, decision = intended(running)
    buy = Order.objects.get(cell=2, side=Side.BUY)
    facts.record_fill(execution(buy, "e1"))
    Order.objects.filter(pk=buy.pk).update(status=OrderStatus.FILLED, filled=buy.quantity)
    loaded, decision = looked(running, lease)
    store.save(lease, loaded, decision)
    sell = Order.objects.get(cell=2, side=Side.SELL)
    assert sell.quantity == D("0.08787086")
    assert sell.caused_at == Fill.objects.get().received_at
    facts.record_fill(execution(sell, "e2"))
    loaded, decision = looked(running, lease)
    store.save(lease, loaded, decision)
    assert RoundTrip.objects.get().grid_profit == D("341.81292098")
    assert Cell.objects.get(index=2).held == D("0.00000000118")
    assert not Fill.objects.filter(booked=False).exists()
    again = store.load(running.config, BTC)
    assert again.grid == decision.grid, "what is loaded is what was decided"


def test_a_pause_that_answered_lets_no_buy_out(running: Bot) -> None:
    lease, decision = intended(running)
    journal = DatabaseJournal(lease)
    control.pause(running, by="ann")
    assert journal.placing(decision.place).orders == ()


def test_a_pause_waits_for_the_buy_on_the_wire(running: Bot, settings: object) -> None:
    lease, decision = intended(running)
    journal = DatabaseJournal(lease)
    assert journal.placing(decision.place[:1]).orders == decision.place[:1]
    assert Order.objects.get(client_id=decision.place[0].client_id).status == OrderStatus.SENT
    journal.placed([(decision.place[0], "x1")])
    control.pause(running, by="ann", reason="lunch")
    running.refresh_from_db()
    assert (running.state, running.reason) == (Bot.State.PAUSED, "paused by ann: lunch")


def test_a_bot_that_is_still_deploying_pauses_and_builds_its_cells_paused(bot: Bot) -> None:
    control.pause(bot, by="ann")
    lease = store.take_lease(bot.pk)
    grid = build(bot.config.grid_name, terms.spec_of(bot.config), BTC, D(54000))
    store.create_cells(lease, grid, deployed=1_700_000_000_000)
    bot.refresh_from_db()
    assert bot.state == Bot.State.PAUSED


def test_commands_out_of_state_are_refused_in_words(bot: Bot) -> None:
    Bot.objects.update(state=Bot.State.STOPPED)
    with pytest.raises(control.NotPossible, match="only a running bot pauses"):
        control.pause(bot, by="ann")
    with pytest.raises(control.NotPossible, match="only a paused bot resumes"):
        control.resume(bot)


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (Unresolved("no answer"), OrderStatus.UNKNOWN, "no answer"),
        (RateLimited("10006", 0), OrderStatus.UNKNOWN, "10006"),
        (NotSent("kept back", 0), OrderStatus.NEVER_SENT, "kept back"),
        (Broken("10003: key"), OrderStatus.REJECTED, "10003: key"),
        (AlreadyExists(170141, "Duplicate"), OrderStatus.UNKNOWN, ""),
        (Refused(170131, "Insufficient balance."), OrderStatus.REJECTED, "Insufficient balance."),
        (WouldTake(170218, "post only"), OrderStatus.CANCELLED, POST_ONLY_REFUSED),
    ],
)
def test_each_answer_has_its_state(
    running: Bot, error: Exception, status: OrderStatus, reason: str
) -> None:
    lease, decision = intended(running)
    journal, request = DatabaseJournal(lease), decision.place[0]
    journal.placing([request])
    journal.placed([(request, error)])
    row = Order.objects.get(client_id=request.client_id)
    assert (row.status, row.reason) == (status, reason)


def test_a_refused_order_rests_before_it_is_tried_again(running: Bot) -> None:
    lease, decision = intended(running)
    journal, request = DatabaseJournal(lease), decision.place[0]
    journal.placing([request])
    journal.placed([(request, Refused(170131, "Insufficient balance."))])
    _, waiting = looked(running, lease)
    assert "Insufficient balance" in waiting.idle[0].reason
    Order.objects.update(look_after=timezone.now() - USUAL.refusal_rest)
    _, retried = looked(running, lease)
    assert request.client_id in retried.settled
    assert retried.place[0].client_id.endswith("-1"), "a new attempt, never the same id"


def test_a_faster_message_is_not_overwritten_by_the_answer(running: Bot) -> None:
    lease, decision = intended(running)
    journal, request = DatabaseJournal(lease), decision.place[0]
    journal.placing([request])
    Order.objects.filter(client_id=request.client_id).update(status=OrderStatus.FILLED)
    journal.placed([(request, "x1")])
    assert Order.objects.get(client_id=request.client_id).status == OrderStatus.FILLED


def test_a_cancel_of_what_is_gone_is_looked_up_at_once(running: Bot) -> None:
    lease, decision = intended(running)
    journal, request = DatabaseJournal(lease), decision.place[0]
    journal.placing([request])
    journal.placed([(request, "x1")])
    order = Order.objects.get(client_id=request.client_id).to_domain()
    assert journal.cancelling([order]) == [order]
    journal.cancelled([(order, NoSuchOrder(170213, "Order does not exist."))])
    row = Order.objects.get(client_id=request.client_id)
    assert row.status == OrderStatus.CANCEL_UNKNOWN
    assert row.look_after <= timezone.now()


def test_zero_is_what_a_new_order_has_filled(running: Bot) -> None:
    intended(running)
    assert {order.to_domain().filled for order in Order.objects.all()} == {ZERO}
