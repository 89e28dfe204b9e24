"""The kill when things are hurt: crash points, orders in flight, refusals, outages, no database."""

import threading
import time
from collections.abc import Sequence
from datetime import timedelta
from unittest import mock

import pytest
from django.db import connection, connections
from django.utils import timezone

from bots import control, engine, runner, seeds, store
from bots.books import reconcile
from bots.journal import DatabaseJournal
from bots.models import Bot, Order
from bots.safety import course as courses
from bots.safety import killing
from bots.safety.course import Course
from bots.safety.tending import Tender
from integrations.bybit.gateway import Gateway
from integrations.bybit.limits import Turn
from integrations.bybit.session import Answer, Session
from market.exchange import Cancelled, ExchangeError, Refused
from market.types import OrderRequest, OrderStatus
from risk import halts
from risk.models import Halt
from tests.risk.conftest import PRICES, open_ours, rest
from tests.simulator.fixture import RunningSimulator

State = Halt.State


def killed(exchange: Gateway) -> Halt:
    return killing.kill(exchange, reason="test", by="ann", origin="pytest")


class Crash(Exception):
    """The process dies here."""


# Every step of a tick and of a deploy between which a kill can come; the tick dies right there,
# or goes on after the kill.
POINTS = [
    (store, "take_lease"),
    (store, "load"),
    (runner.pretrade, "sound_price"),
    (runner.pretrade, "passed"),
    (store, "save"),
    (DatabaseJournal, "placing"),
    (DatabaseJournal, "placed"),
    (DatabaseJournal, "cancelling"),
    (DatabaseJournal, "cancelled"),
    (Gateway, "place_many"),
    (Gateway, "cancel_many"),
    (store, "create_cells"),
    (store, "release"),
]


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("dies", [True, False], ids=["dies", "goes on"])
@pytest.mark.parametrize(("where", "name"), POINTS, ids=[name for _, name in POINTS])
def test_a_kill_at_any_step_of_a_deploy_and_its_ticks(
    transactional_db: None, simulator: RunningSimulator, exchange: Gateway, *,
    where: object, name: str, dies: bool, moment: str, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Afterwards nothing of ours rests, and nothing comes."""
    monkeypatch.setattr(courses, "SECOND_LOOK", timedelta(milliseconds=300))
    simulator.step(PRICES)
    bot = control.deploy(seeds.BOTS[0], by="tests")
    real, struck = getattr(where, name), threading.Event()

    def strike() -> None:
        if struck.is_set():
            return
        struck.set()
        killed(exchange)
        if dies:
            raise Crash

    def hurt(*args: object, **options: object) -> object:
        if moment == "before" and not connection.in_atomic_block:
            strike()
        came = real(*args, **options)
        if moment == "after" and not connection.in_atomic_block:
            strike()
        return came

    monkeypatch.setattr(where, name, hurt)
    try:
        for _ in range(3):
            runner.run_once(bot.pk, exchange, lambda _: None)
    except Crash:
        pass
    monkeypatch.setattr(where, name, real)
    if not struck.is_set():
        killed(exchange)
    assert halts.killed() is not None
    # What was on the wire at the kill lands by now; the watchdog has a look again.
    tender = Tender(exchange)
    Halt.objects.update(tended_at=timezone.now() - timedelta(minutes=1))
    tender.tend()
    Bot.objects.update(lease_until=None)
    rest(exchange)
    assert open_ours(simulator) == []


class Deaf:
    """A gateway that refuses one cancel in five, the first time it is asked."""

    def __init__(self, real: Gateway) -> None:
        self._real = real
        self._asked: set[str] = set()

    def open_orders(self) -> object:
        return self._real.open_orders()

    def triggers(self) -> object:
        return self._real.triggers()

    def cancel_many(self, orders: Sequence[tuple[str, str]]) -> Sequence[Cancelled]:
        passed = [name for i, name in enumerate(orders) if i % 5 or name[1] in self._asked]
        self._asked |= {client_id for _, client_id in orders}
        came = dict(zip(passed, self._real.cancel_many(passed), strict=True))
        return [came.get(name, Refused(170005, "too busy")) for name in orders]


def test_refused_cancels_are_asked_for_again(
    one: Bot, simulator: RunningSimulator, exchange: Gateway
) -> None:
    halt = killing.kill(
        Deaf(exchange), reason="test", by="ann", origin="pytest",  # type: ignore[arg-type]
        enough=killing.seen_empty_within(10),
    )  # fmt: skip
    assert halt.state == State.VERIFYING
    assert open_ours(simulator) == []


def test_an_outage_is_incomplete_and_ends_done(
    one: Bot, simulator: RunningSimulator, exchange: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courses, "IN_TIME", timedelta(seconds=1))
    simulator.stop()
    began = time.monotonic()
    halt = killing.kill(
        exchange, reason="test", by="ann", origin="pytest",
        enough=lambda course: course.state == State.INCOMPLETE,
    )  # fmt: skip
    assert time.monotonic() - began < 6
    halt.refresh_from_db()
    assert halt.state == State.INCOMPLETE
    assert "not to be seen" in halt.trouble
    simulator.start()
    assert open_ours(simulator)
    Halt.objects.update(tended_at=timezone.now() - timedelta(minutes=1))
    tender = Tender(exchange)
    back = time.monotonic()
    while open_ours(simulator):
        tender.tend()
        assert time.monotonic() - back < 10
    until_done(tender)


def until_done(tender: Tender) -> None:
    deadline = time.monotonic() + 15
    while (halt := halts.killed()) is not None and halt.state != State.DONE:
        tender.tend()
        time.sleep(0.05)
        assert time.monotonic() < deadline


def test_an_order_in_flight_at_the_kill_is_caught(
    one: Bot, simulator: RunningSimulator, exchange: Gateway
) -> None:
    """It was signed before the kill and lands after the exchange was seen empty."""
    late = Order.objects.filter(status=OrderStatus.OPEN).first()
    assert late is not None
    course = killing.run(
        exchange, Course(committed_at=timezone.now()), lambda _: None,
        enough=killing.seen_empty_within(10),
    )  # fmt: skip
    assert course.state == State.VERIFYING
    slot = engine.ids.slot(late.client_id)
    assert slot is not None
    name = engine.ids.client_id(slot._replace(attempt=slot.attempt + 1))
    request = OrderRequest(name, late.symbol, engine.Side(late.side), late.price, late.quantity)
    exchange.place(request)
    course = killing.step(exchange, course)
    assert course.first_empty_at is None, "the second look starts over"
    course = killing.run(exchange, course, lambda _: None, enough=lambda course: course.is_over)
    assert open_ours(simulator) == []


def test_without_a_database_it_cancels_by_the_ids_alone(
    one: Bot, simulator: RunningSimulator, exchange: Gateway
) -> None:
    def refuse(*_: object) -> object:
        raise AssertionError("the database was asked")

    with connection.execute_wrapper(refuse):
        course = killing.run(
            exchange, Course(committed_at=timezone.now()), lambda _: None,
            enough=lambda course: course.is_over, database=lambda: False,
        )  # fmt: skip
    assert course.state == State.DONE
    assert open_ours(simulator) == []


def test_a_kill_without_a_database_is_committed_when_it_is_back(
    one: Bot, simulator: RunningSimulator, exchange: Gateway
) -> None:
    halts.raise_flag(halts.Wish("the database is gone", sell=True))
    try:
        tender = Tender(exchange)
        tender.tend_blindly()
        tender.tend_blindly()
        assert open_ours(simulator) == []
        rest(exchange)
        assert open_ours(simulator) == [], "ticks obey the file"
        tender.tend()
        halt = halts.killed()
        assert halt is not None
        assert (halt.reason, halt.sell) == ("the database is gone", True)
        assert not halts.flag().exists()
    finally:
        halts.flag().unlink(missing_ok=True)


def test_nothing_is_signed_later_than_250_ms_after_the_commit(
    one: Bot, simulator: RunningSimulator, exchange: Gateway
) -> None:
    """Ticks race the kill; what they sign is noted in the act."""
    signed: list[float] = []
    real = Session.send

    def noting(self: Session, turn: Turn, *what: object) -> Answer:
        if turn.endpoint.startswith("place"):
            signed.append(time.time())
        return real(self, turn, *what)

    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            for price in ("96400", "97600"):
                simulator.step({"BTCUSDT": price})
                reconcile.sweep(exchange)  # there is no stream here that tells of fills
                for bot in Bot.objects.all():
                    try:
                        runner.run_once(bot.pk, exchange, lambda _: None)
                    except ExchangeError:
                        continue
        connections.close_all()

    with mock.patch.object(Session, "send", noting):
        worker = threading.Thread(target=churn)
        worker.start()
        deadline = time.monotonic() + 20
        while len(signed) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        halt = killed(exchange)
        stop.set()
        worker.join()
    assert len(signed) >= 2, "ticks did place orders before the kill"
    assert max(signed) - halt.committed_at.timestamp() <= 0.25
    assert open_ours(simulator) == []
