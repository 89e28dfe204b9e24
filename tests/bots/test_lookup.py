"""Orders of unknown fate: the order, its history, its executions, and only then the verdict."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from bots import store
from bots.books import facts
from bots.engine import Decision, carry_out, decide
from bots.journal import SIGNED_WITHIN_S, DatabaseJournal
from bots.lookup import settle_unknown
from bots.models import Bot, Fill, Order
from integrations.bybit import wire
from integrations.bybit.gateway import Gateway
from market.exchange import USUAL, NotSent, Patience, Unresolved
from market.types import OrderStatus
from risk.rules import FREE
from tests.bybit.fake_rest import FakeRest, fake_rest, page, raw, refused
from tests.bybit.rows import execution_row, order_row
from tests.factories import FillFactory
from tests.grid.examples import BTC, tick

REALTIME, HISTORY, EXECUTIONS = "/v5/order/realtime", "/v5/order/history", "/v5/execution/list"
SOON = USUAL.times(0.01)


@pytest.fixture
def bybit() -> Iterator[FakeRest]:
    with fake_rest() as fake:
        for path in (REALTIME, HISTORY, EXECUTIONS):
            fake.on(path, page())
        yield fake


@pytest.fixture
def exchange(bybit: FakeRest) -> Gateway:
    return Gateway(bybit.url, "key", "secret", timeout=(1.0, 0.5))


@dataclass
class Tick:
    """A tick of a bot up to the moment before anything is sent."""

    lease: store.Lease
    decision: Decision
    journal: DatabaseJournal
    names: Sequence[str] = field(init=False)

    def __post_init__(self) -> None:
        self.names = [order.client_id for order in self.decision.place]

    def row(self, number: int = 0) -> Order:
        return Order.objects.get(client_id=self.names[number])


@pytest.fixture
def looking(running: Bot) -> Tick:
    lease = store.take_lease(running.pk)
    assert lease is not None
    loaded = store.load(running.config, BTC)
    assert loaded is not None
    decision = decide(loaded.grid, loaded.fills, loaded.orders, tick(54000), FREE)
    store.save(lease, loaded, decision)
    return Tick(lease, decision, DatabaseJournal(lease, SOON))


def is_due(name: str, **facts: object) -> None:
    before = timezone.now() - timedelta(seconds=1)
    Order.objects.filter(client_id=name).update(look_after=before, **facts)


def sent(looking: Tick, **facts: object) -> str:
    """The first order, on the wire without an answer, due for a look."""
    name = looking.names[0]
    Order.objects.exclude(client_id=name).delete()
    is_due(name, **{"status": OrderStatus.UNKNOWN, "sent_at": timezone.now(), **facts})
    return name


def row_of(name: str, order: Order, **facts: str) -> dict:
    return order_row(
        orderLinkId=name, symbol="BTCUSDT", side=order.side, price=format(order.price, "f"),
        qty=format(order.quantity, "f"), cumExecQty="0", **facts,
    )  # fmt: skip


def test_it_is_asked_for_in_three_places_and_the_verdict_takes_two_rounds(
    looking: Tick, exchange: Gateway, bybit: FakeRest
) -> None:
    name = sent(looking)
    settle_unknown(looking.lease, exchange, USUAL)
    assert [one.path for one in bybit.asked] == [REALTIME, HISTORY, EXECUTIONS]
    row = looking.row()
    assert (row.status, row.not_found) == (OrderStatus.UNKNOWN, 0)
    assert row.look_after == row.sent_at + USUAL.proof, "not before its time"

    is_due(name, sent_at=timezone.now() - USUAL.proof)
    settle_unknown(looking.lease, exchange, USUAL)
    assert (looking.row().status, looking.row().not_found) == (OrderStatus.UNKNOWN, 1)
    settle_unknown(looking.lease, exchange, USUAL)
    assert looking.row().not_found == 1, "a round of its own, after a while"
    is_due(name)
    settle_unknown(looking.lease, exchange, USUAL)
    assert looking.row().status == OrderStatus.REJECTED
    assert looking.row().reason == "it never reached the exchange"


@pytest.mark.parametrize("trouble", [refused(10016), raw("", 503)])
@pytest.mark.parametrize("path", [REALTIME, HISTORY, EXECUTIONS])
def test_a_place_that_does_not_answer_proves_nothing(
    looking: Tick, exchange: Gateway, bybit: FakeRest, path: str, trouble: object
) -> None:
    sent(looking, sent_at=timezone.now() - timedelta(minutes=1), not_found=1)
    bybit.on(path, trouble)
    with pytest.raises(Unresolved):
        settle_unknown(looking.lease, exchange, USUAL)
    assert looking.row().status == OrderStatus.UNKNOWN


@pytest.mark.parametrize(
    ("quantities", "status"),
    [(["0.08795882"], OrderStatus.FILLED), (["0.03", "0.01"], OrderStatus.PARTIAL)],
)
def test_executions_alone_prove_that_it_landed(
    looking: Tick, exchange: Gateway, bybit: FakeRest, quantities: list[str], status: OrderStatus
) -> None:
    name = sent(looking, sent_at=timezone.now() - timedelta(minutes=1), not_found=1)
    order = looking.row()
    bybit.on(EXECUTIONS, page(*(
        execution_row(
            execId=f"e{number}", orderLinkId=name, symbol="BTCUSDT", side=order.side,
            execPrice=format(order.price, "f"), execQty=quantity, execFee="0", feeCurrency="BTC",
        )
        for number, quantity in enumerate(quantities)
    )))  # fmt: skip
    settle_unknown(looking.lease, exchange, USUAL)
    row = looking.row()
    assert row.status == status
    assert Fill.objects.filter(order=row).count() == len(quantities)
    assert row.filled == sum(fill.quantity for fill in row.fills.all())


@pytest.mark.parametrize(("quantity", "asks"), [("0.08795882", False), ("0.03", True)])
def test_an_order_whose_executions_are_whole_is_not_asked_for(
    looking: Tick, exchange: Gateway, bybit: FakeRest, quantity: str, asks: bool
) -> None:
    """A crash through twelve levels fills twelve at once: their sells must not wait for that."""
    name = sent(looking, status=OrderStatus.OPEN, order_id="19")
    order = looking.row()
    FillFactory(order=order, bot=order.bot, price=order.price, quantity=quantity)
    settle_unknown(looking.lease, exchange, USUAL)
    assert bool(bybit.asked) == asks
    if not asks:
        row = Order.objects.get(client_id=name)
        assert (row.status, row.filled, row.settled) == (OrderStatus.FILLED, row.quantity, False)


def test_late_evidence_reopens_what_was_thought_never_to_have_existed(
    looking: Tick, exchange: Gateway, bybit: FakeRest
) -> None:
    name = sent(looking, status=OrderStatus.REJECTED)
    facts.record_order(wire.order(row_of(name, looking.row())))
    assert looking.row().status == OrderStatus.OPEN


def test_a_cancel_that_came_to_nothing_may_be_asked_for_again(
    looking: Tick, exchange: Gateway, bybit: FakeRest
) -> None:
    name = sent(looking, status=OrderStatus.CANCEL_SENT, order_id="19")
    bybit.on(REALTIME, page(row_of(name, looking.row(), orderStatus="New")))
    settle_unknown(looking.lease, exchange, USUAL)
    row = looking.row()
    assert row.status == OrderStatus.CANCEL_UNKNOWN
    assert row.look_after > timezone.now(), "looked at once more when the cancel cannot land later"
    assert looking.journal.cancelling([row.to_domain()])


# Carrying out, by the batch


def test_a_batch_is_committed_as_sent_before_its_one_request(
    looking: Tick, exchange: Gateway, bybit: FakeRest
) -> None:
    seen: list[set[str]] = []
    bybit.on("/v5/order/create-batch", refused(10016))
    place_many = exchange.place_many

    def watched(orders: Sequence, by: float | None = None) -> Sequence:
        seen.append(set(Order.objects.values_list("status", flat=True)))
        return place_many(orders, by)

    exchange.place_many = watched  # type: ignore[method-assign]
    carry_out(looking.decision, exchange, looking.journal)
    assert seen == [{OrderStatus.SENT}]
    assert len(bybit.asked) == 1
    assert set(Order.objects.values_list("status", flat=True)) == {OrderStatus.UNKNOWN}


def test_what_was_not_sent_waits_for_its_turn_and_gets_a_new_id(
    looking: Tick, running: Bot
) -> None:
    permit = looking.journal.placing(looking.decision.place)
    until = timezone.now() + timedelta(seconds=30)
    error = NotSent("kept back", int(until.timestamp() * 1000))
    looking.journal.placed([(order, error) for order in permit.orders])
    loaded = store.load(running.config, BTC)
    assert loaded is not None
    waiting = decide(loaded.grid, loaded.fills, loaded.orders, tick(54000), FREE)
    assert waiting.place == ()
    assert waiting.idle[0].reason.startswith("not sent: kept back; next try at ")
    Order.objects.update(look_after=timezone.now())
    loaded = store.load(running.config, BTC)
    assert loaded is not None
    again = decide(loaded.grid, loaded.fills, loaded.orders, tick(54000), FREE)
    assert [order.client_id[-2:] for order in again.place] == ["-1"] * 5


def test_a_cancel_that_was_not_sent_leaves_the_order_as_it_was(looking: Tick) -> None:
    name = sent(looking, status=OrderStatus.PARTIAL)
    order = looking.row().to_domain()
    (asked,) = looking.journal.cancelling([order])
    assert looking.row().status == OrderStatus.CANCEL_SENT
    looking.journal.cancelled([(asked, NotSent("kept back", 0))])
    row = Order.objects.get(client_id=name)
    assert (row.status, row.look_after) == (OrderStatus.PARTIAL, None)


def test_who_hangs_while_marking_orders_has_no_time_left_to_sign_them(
    looking: Tick, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill may have been committed meanwhile: its look for halts is as old as the marking."""
    real = DatabaseJournal._move_all

    def hang(journal: DatabaseJournal, *given: Any, **facts: Any) -> Any:
        moved = real(journal, *given, **facts)
        time.sleep(SIGNED_WITHIN_S)
        return moved

    monkeypatch.setattr(DatabaseJournal, "_move_all", hang)
    permit = looking.journal.placing(looking.decision.place)
    assert permit.orders, "they are marked"
    assert permit.by <= time.monotonic(), "and are not to be signed any more"


def test_a_journal_that_lost_its_lease_cancels_nothing(looking: Tick) -> None:
    sent(looking, status=OrderStatus.OPEN)
    Bot.objects.update(epoch=looking.lease.epoch + 1)
    assert not looking.journal.cancelling([looking.row().to_domain()])
    assert looking.row().status == OrderStatus.OPEN


def test_patience_is_one_value_and_proof_covers_every_wait() -> None:
    assert USUAL.proof == USUAL.turn + USUAL.recv_window + USUAL.grace
    assert USUAL.times(0.01) == Patience(*(
        timedelta(seconds=seconds) for seconds in (0.25, 0.05, 0.02, 0.01, 0.3, 0.6)
    ))  # fmt: skip
