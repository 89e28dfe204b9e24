"""The kill on the simulator: nothing of ours rests afterwards, and nothing comes after it."""

import pytest
from django.db import DatabaseError, connection
from django.utils import timezone

from bots.models import Bot, Order
from bots.safety import killing
from bots.safety.course import SECOND_LOOK
from bots.safety.tending import Tender
from integrations.bybit.gateway import Gateway
from market.exchange import Trigger
from market.types import OrderStatus, Side
from risk import audit, halts
from risk.models import Halt
from tests.factories import OrderFactory
from tests.risk.conftest import open_ours, rest, signed_late
from tests.simulator.client import http, limit
from tests.simulator.fixture import RunningSimulator


def test_a_kill_leaves_nothing_of_ours_and_touches_nothing_foreign(
    four: None, simulator: RunningSimulator, exchange: Gateway
) -> None:
    http(simulator).place_order(**limit(price="90000", orderLinkId="by-hand"))
    resting = len(open_ours(simulator))
    assert resting >= 60
    began = timezone.now()
    halt = killing.kill(exchange, reason="test", by="ann", origin="pytest")
    assert open_ours(simulator) == []
    assert [order.client_id for order in exchange.open_orders()] == ["by-hand"]
    halt.refresh_from_db()
    assert (halt.state, halt.open_orders, halt.cancelled) == (Halt.State.DONE, 0, resting)
    assert halt.committed_at - began < timezone.timedelta(seconds=0.2)
    assert halt.done_at - halt.first_empty_at >= SECOND_LOOK
    row = audit.AuditRow.objects.get(what="kill")
    assert (row.who, row.origin, row.reason) == ("ann", "pytest", "test")
    rest(exchange)
    assert open_ours(simulator) == [], "ticks place nothing while the kill stands"
    assert signed_late(simulator, halt) == []


def test_asked_to_it_cancels_foreign_orders_too(
    one: Bot, simulator: RunningSimulator, exchange: Gateway
) -> None:
    http(simulator).place_order(**limit(price="90000", orderLinkId="by-hand"))
    halt = killing.kill(
        exchange, reason="test", by="ann", origin="pytest", foreign=True,
        enough=killing.seen_empty_within(10),
    )  # fmt: skip
    assert exchange.open_orders() == []
    assert audit.AuditRow.objects.get(what="kill").after["foreign"] is True
    http(simulator).place_order(**limit(price="90000", orderLinkId="again"))
    Halt.objects.filter(pk=halt.pk).update(tended_at=None)
    Tender(exchange).tend()
    assert exchange.open_orders() == [], "as long as the kill stands"


class Stops:
    """An account on which orders wait for a price: the simulator has none of these."""

    def __init__(self, real: Gateway, waiting: list[Trigger]) -> None:
        self._real = real
        self.waiting = waiting

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)

    def triggers(self) -> list[Trigger]:
        return list(self.waiting)

    def cancel_trigger(self, trigger: Trigger) -> None:
        self.waiting.remove(trigger)


@pytest.mark.parametrize("foreign", [True, False])
def test_orders_that_wait_for_a_price_are_looked_for_before_it_is_empty(
    one: Bot, exchange: Gateway, foreign: bool
) -> None:
    ours = Trigger("StopOrder", "BTCUSDT", "1", "gabcdefgv1-3-0-B-0")
    theirs = Trigger("OcoOrder", "BTCUSDT", "2", "by-hand")
    account = Stops(exchange, [ours, theirs])
    halt = killing.kill(
        account, reason="test", by="ann", origin="pytest", foreign=foreign,  # type: ignore[arg-type]
        enough=killing.seen_empty_within(10),
    )  # fmt: skip
    assert halt.first_empty_at is not None
    assert account.waiting == ([] if foreign else [theirs])


@pytest.fixture
def intent(db: None) -> Order:
    """An order that is committed and not sent."""
    return OrderFactory(status=OrderStatus.NEW, order_id="")


def send(order: Order) -> int:
    """What journal.placing does, and what anybody with a database shell could do."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE bots_order SET status = 'SENT' WHERE id = %s", [order.pk])
        return cursor.rowcount


@pytest.mark.parametrize("subject", ["all", "bot:%s"])
def test_the_database_refuses_to_send_under_a_halt(intent: Order, subject: str) -> None:
    subject = subject.replace("%s", str(intent.bot_id))
    halt = halts.open_halt(subject, reason="test", by="ann")
    assert send(intent) == 0
    intent.refresh_from_db()
    assert intent.status == OrderStatus.NEW
    halts.lift(halt, by="ann", reason="over")
    assert send(intent) == 1


def test_a_halt_of_another_bot_is_no_obstacle(intent: Order) -> None:
    halts.open_halt(f"bot:{intent.bot_id + 1}", reason="test", by="ann")
    assert send(intent) == 1


def test_a_row_that_is_born_sent_is_refused_too(intent: Order) -> None:
    halts.open_halt("all", reason="test", by="ann")
    with pytest.raises(DatabaseError, match="a halt stands"):
        OrderFactory(bot=intent.bot, config=intent.config, status=OrderStatus.SENT)


@pytest.mark.parametrize(
    ("kind", "sell", "side", "passes"),
    [
        ("HALT", False, Side.SELL, True),  # a stop-loss outranks a halt
        ("KILL", False, Side.SELL, False),
        ("KILL", True, Side.SELL, True),
        ("KILL", True, Side.BUY, False),  # whatever its name says
    ],
)
def test_exits_pass_a_halt_and_a_kill_that_sells(
    db: None, kind: str, sell: bool, side: Side, passes: bool
) -> None:
    order = OrderFactory(status=OrderStatus.NEW, side=side, client_id="gabcdefgv1-3-0-X-0")
    Halt.objects.create(subject="all", reason="test", opened_by="ann", kind=kind, sell=sell)
    assert send(order) == passes


def test_what_the_exchange_says_is_still_taken_in(intent: Order) -> None:
    """Evidence is not sending: an order that rests is seen to rest, halt or not."""
    Order.objects.filter(pk=intent.pk).update(status=OrderStatus.SENT)
    halts.open_halt("all", reason="test", by="ann")
    assert Order.objects.filter(pk=intent.pk).update(status=OrderStatus.OPEN) == 1
    assert Order.objects.filter(pk=intent.pk).update(status=OrderStatus.FILLED) == 1
