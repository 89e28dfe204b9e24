"""The kill when things are hurt: orders in flight, refusals, outages, no database, held locks."""

import threading
import time
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
import requests
from django.db import connection, connections, transaction
from django.utils import timezone

from bots import engine, runner
from bots.books import reconcile
from bots.models import Bot, Order
from bots.safety import course as courses
from bots.safety import killing
from bots.safety.course import Course
from bots.safety.tending import Tender
from integrations.bybit.gateway import Gateway
from market.exchange import ExchangeError
from market.locks import Lock
from market.types import OrderRequest, OrderStatus
from risk import audit, halts
from risk.models import Halt
from tests.rig.waiting import until
from tests.risk.conftest import open_ours, placing_signed, rest, signed_late
from tests.simulator.fixture import RunningSimulator

State = Halt.State


def killed(exchange: Gateway) -> Halt:
    return killing.kill(exchange, reason="test", by="ann", origin="pytest")


CANCELS = "/v5/order/cancel*"
REFUSALS = [
    {"kind": "code", "at": CANCELS, "code": 170210, "count": 2},  # refused
    {"kind": "code", "at": CANCELS, "code": 10016, "count": 2},  # nobody knows
    {"kind": "lost_answer", "at": CANCELS, "count": 1},  # done, and not told
    {"kind": "cut_batch", "at": CANCELS, "passed": 3, "count": 2},  # too many at once
    {"kind": "too_many", "at": CANCELS, "count": 1},
]


def test_refused_cancels_are_asked_for_again(
    one: Bot, simulator: RunningSimulator, exchange: Gateway
) -> None:
    switches(simulator, on=REFUSALS)
    halt = killing.kill(
        exchange, reason="test", by="ann", enough=killing.seen_empty_within(20)
    )  # fmt: skip
    happened = switches(simulator)["happened"]
    assert happened["code"] >= 2, "cancels were refused"
    assert halt.state == State.VERIFYING
    assert open_ours(simulator) == []
    assert signed_late(simulator, halt) == []


def switches(simulator: RunningSimulator, **body: object) -> dict[str, Any]:
    """Switch faults; what is on and what has happened."""
    answer = requests.post(f"{simulator.rest_url}/sim/faults", json=body, timeout=10)
    assert answer.ok, answer.text
    return answer.json()


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
    until_done(tender, halt)
    assert signed_late(simulator, halt) == []


def until_done(tender: Tender, halt: Halt) -> None:
    """As the watchdog does once nobody else works on it."""

    def done() -> bool:
        tender.tend()
        halt.refresh_from_db()
        return halt.state == State.DONE

    Halt.objects.update(tended_at=timezone.now() - timedelta(minutes=1))
    until(done, 20, "DONE")


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
        assert signed_late(simulator, halt) == []
    finally:
        halts.flag().unlink(missing_ok=True)


def test_nothing_is_signed_later_than_250_ms_after_the_commit(
    one: Bot, simulator: RunningSimulator, exchange: Gateway
) -> None:
    """Ticks race the kill; the exchange tells when each of their orders was signed."""
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            for price in ("96400", "97600"):
                simulator.step({"BTCUSDT": price})
                reconcile.sweep(exchange)  # there is no stream here that tells of fills
                for bot in Bot.objects.all():
                    with suppress(ExchangeError):
                        runner.run_once(bot.pk, exchange, lambda _: None)
        connections.close_all()

    before = len(placing_signed(simulator))
    worker = threading.Thread(target=churn)
    worker.start()
    until(lambda: len(placing_signed(simulator)) >= before + 2, 20, "ticks place orders")
    halt = killed(exchange)
    stop.set()
    worker.join()
    assert signed_late(simulator, halt) == []
    assert open_ours(simulator) == []


@pytest.mark.parametrize("lock", [Lock.SENDING, Lock.AUDIT])
def test_a_process_that_hangs_with_a_lock_does_not_hold_up_a_kill(
    one: Bot, simulator: RunningSimulator, exchange: Gateway, lock: Lock
) -> None:
    holds, ends = threading.Event(), threading.Event()

    def hang() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [lock])
            holds.set()
            ends.wait(30)
        connections.close_all()

    hanging = threading.Thread(target=hang)
    hanging.start()
    assert holds.wait(10)
    began = timezone.now()
    halt = killing.kill(
        exchange, reason="test", by="ann", enough=killing.seen_empty_within(10)
    )  # fmt: skip
    assert open_ours(simulator) == []
    assert halt.first_empty_at - began < timedelta(seconds=4), "locks are not waited for"
    ends.set()
    hanging.join()
    until_done(Tender(exchange), halt)
    assert audit.AuditRow.objects.filter(what="kill").count() == 1, "written down all the same"
