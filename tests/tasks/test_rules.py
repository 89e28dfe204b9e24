"""The queue takes JSON alone and only so much; what waits too long is dropped; one beat sends."""

import os
import time
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
import redis
from django.conf import settings as live_settings
from django.db import connection, connections
from django.utils import timezone
from kombu.exceptions import OperationalError
from pytest_django import Settings

from bots import control, tasks
from bots.models import CapitalMove, Order
from bots.safety import agreement
from bots.seeds import BOTS
from gridtrader import nudge
from gridtrader.beat import OneBeat, Turn
from gridtrader.celery import app
from gridtrader.nudge import Queue, TimeLimit, queue_name
from market.locks import Lock
from market.types import OrderStatus
from risk.models import Pulse
from tests.factories import OrderFactory

app.loader.import_default_modules()  # as a worker does


@pytest.fixture
def waiting() -> Iterator["redis.Redis"]:
    """The queue, empty before and after."""
    link = redis.Redis.from_url(live_settings.REDIS_URL)
    link.delete(queue_name())
    yield link
    link.delete(queue_name())


def test_only_json_is_written_and_read() -> None:
    conf = app.conf
    assert {conf.task_serializer, conf.result_serializer, conf.event_serializer} == {"json"}
    assert [*conf.accept_content, *conf.result_accept_content] == ["json", "json"]


def test_every_scheduled_task_is_ours_and_expires_before_its_next() -> None:
    for name, entry in app.conf.beat_schedule.items():
        assert entry["task"] in app.tasks, name
        assert entry["options"]["expires"] <= entry["schedule"]


def test_a_task_takes_its_broker_s_patience_less_than_it_is_given_out_again_after() -> None:
    again = app.conf.broker_transport_options["visibility_timeout"]
    assert again > live_settings.TASK_TIME_LIMIT_S


# --- bounded, fresh ------------------------------------------------------------------------------


def test_a_tick_says_when_it_is_stale(waiting: "redis.Redis") -> None:
    tasks.tick_bot.delay(7)
    (raw,) = waiting.lrange(queue_name(), 0, -1)
    expires = app.backend.decode(raw)["headers"]["expires"]
    soon = (timezone.now() + timedelta(seconds=nudge.STALE_S)).isoformat()
    assert timezone.now().isoformat() < expires <= soon


def test_a_queue_that_nobody_works_off_takes_no_more(
    waiting: "redis.Redis", monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(nudge, "MOST_WAITING", 5)
    monkeypatch.setattr(nudge, "_queue", Queue(look_s=0.0))
    sent = [tasks.tick_bot.delay(number) for number in range(9)]
    assert waiting.llen(queue_name()) == 5
    assert [each is None for each in sent] == [False] * 5 + [True] * 4
    assert [record.getMessage() for record in caplog.records] == [
        "5 tasks wait and nobody works them off: no more are sent"
    ]
    waiting.lpop(queue_name())
    assert tasks.tick_bot.delay(9) is not None


def test_without_a_broker_sending_fails_at_once(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1"
    monkeypatch.setattr(nudge, "_queue", Queue())
    begun = time.monotonic()
    with pytest.raises(OperationalError):
        tasks.tick_bot.delay(1)
    assert time.monotonic() - begun < nudge._PATIENCE_S


# --- in time -------------------------------------------------------------------------------------


def test_a_task_that_hangs_ends_the_worker(caplog: pytest.LogCaptureFixture) -> None:
    ends: list[int] = []
    limit = TimeLimit(0.05, ends.append)
    limit.begun("a", "quick")
    limit.done("a")
    limit.begun("b", "bots.tasks.sweep")
    limit.look()
    assert ends == []
    time.sleep(0.06)
    limit.look()
    assert ends == [os.EX_TEMPFAIL]
    assert "bots.tasks.sweep runs for more than" in caplog.text


# --- one beat ------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_of_two_beats_one_sends_and_the_other_takes_over(
    waiting: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gridtrader.beat.LOOK_S", 0.0)
    first, second = OneBeat(app=app), OneBeat(app=app)

    def sends(beat: OneBeat) -> bool:
        before = waiting.llen(queue_name())
        for entry in beat.schedule.values():
            entry.last_run_at = timezone.now() - timedelta(days=1)
        beat.populate_heap()
        beat.tick()
        return waiting.llen(queue_name()) > before

    assert (sends(first), sends(second)) == (True, False)
    assert (sends(first), sends(second)) == (True, False)
    assert Pulse.objects.filter(name="beat").exists()
    first.close()
    assert sends(second)
    second.close()


@pytest.mark.django_db(transaction=True)
def test_a_beat_whose_session_was_ended_stands_by_and_looks_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gridtrader.beat.LOOK_S", 0.0)
    turn, other = Turn(), Turn()
    assert (turn.is_mine(), other.is_mine()) == (True, False)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks"
            " WHERE locktype = 'advisory' AND objid = %s",
            [Lock.BEAT],
        )
    assert not turn.is_mine()
    assert other.is_mine()
    assert not turn.is_mine()
    other.give_back()
    assert turn.is_mine()
    turn.give_back()


@pytest.mark.django_db(transaction=True)
def test_locks_that_are_held_for_long_hold_nothing_else_up() -> None:
    """Beat keeps its lock for ever and a refill for minutes: no order or grid waits for them."""
    session = connections["default"].copy()
    try:
        with session.cursor() as cursor:
            for lock in (Lock.BEAT, Lock.REPAIR):
                cursor.execute("SELECT pg_advisory_lock(%s)", [lock])
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '200ms'")
        order = OrderFactory(status=OrderStatus.NEW)
        assert Order.objects.filter(pk=order.pk).update(status=OrderStatus.SENT) == 1
        control.edit(control.deploy(BOTS[1], by="a test"), {"capital": 5_000}, by="a test")
        agreement._book_outside_moves({"MNT": Decimal(1)}, "", seen=0)
        assert CapitalMove.objects.count() == 1
    finally:
        session.close()
        connection.close()
