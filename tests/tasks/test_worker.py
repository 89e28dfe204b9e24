"""A real worker on a real queue: pickled and doubled messages, deaths, and a task that hangs."""

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
import redis
from django.conf import settings as live_settings
from django.db import connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from bots.backtest import tapes
from bots.models import Backtest, Bot
from bots.outside import tasks
from bots.tasks import run_backtest
from gridtrader.celery import app
from gridtrader.nudge import queue_name
from integrations.models import Alert, AlertEffect
from integrations.tradingview import inbox
from tests.factories import BotFactory, InstrumentFactory
from tests.integrations.test_alerts import alert
from tests.rig.waiting import until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]

WORK = """
from django.conf import settings
settings.TASK_TIME_LIMIT_S = {limit}
from gridtrader.celery import app
app.conf.broker_transport_options["visibility_timeout"] = 1
app.worker_main(["worker", "-l", "warning", "-P", "threads", "-c", "2",
                 "--without-gossip", "--without-mingle"])
"""
Worker = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def queue() -> Iterator["redis.Redis"]:
    link = redis.Redis.from_url(live_settings.REDIS_URL)
    names = [queue_name(), "gridtrader.unacked", "gridtrader.unacked_index"]
    link.delete(*names)
    yield link
    link.delete(*names)


@pytest.fixture
def worker(queue: "redis.Redis") -> Iterator[Worker]:
    """Starts workers on the test's database; what still runs at the end is killed."""
    place = connection.settings_dict
    url = f"postgres://{place['USER']}:{quote(place['PASSWORD'])}@{place['HOST']}:{place['PORT']}"
    env = os.environ | {
        "DATABASE_URL": f"{url}/{place['NAME']}",
        "REDIS_URL": live_settings.REDIS_URL,
        "DJANGO_SETTINGS_MODULE": "gridtrader.settings",
    }
    started: list[subprocess.Popen[bytes]] = []

    def start(limit: float = 60.0) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-c", WORK.format(limit=limit)]
        started.append(subprocess.Popen(command, env=env, cwd=live_settings.BASE_DIR))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def state(row: Alert) -> str:
    row.refresh_from_db()
    return row.state


class Trap:
    """Unpickled, it leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_a_pickled_message_is_refused_and_a_doubled_one_has_one_effect(
    worker: Worker, tmp_path: Path
) -> None:
    bot = BotFactory()
    row = alert("pause", bot.symbol)
    with app.connection_for_write() as link:
        producer = app.amqp.Producer(link)
        body = pickle.dumps(([Trap(tmp_path / "trap")], {}, {}))
        headers = {"task": "bots.tasks.tick_bot", "id": "x", "lang": "py"}
        producer.publish(
            body, routing_key=queue_name().removeprefix("gridtrader."), headers=headers,
            content_type="application/x-python-serialize", content_encoding="binary",
        )  # fmt: skip
    for _ in range(3):
        tasks.apply_alert.delay(row.pk)
    process = worker()
    until(lambda: state(row) == Alert.State.APPLIED, 60, "the alert is applied")
    link = redis.Redis.from_url(live_settings.REDIS_URL)
    until(lambda: not link.llen(queue_name()), 20, "the queue is worked off")
    assert process.poll() is None, "the worker goes on"
    assert not (tmp_path / "trap").exists()
    assert AlertEffect.objects.count() == 1


def locked(bot: Bot) -> BaseDatabaseWrapper:
    """Somebody else holds the bot's row, so that a worker waits in the midst of its task."""
    session = connections["default"].copy()
    session.set_autocommit(False)
    with session.cursor() as cursor:
        cursor.execute("SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0")
        cursor.execute("SELECT 1 FROM bots_bot WHERE id = %s FOR UPDATE", [bot.pk])
    return session


def somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


def test_a_task_whose_worker_was_killed_in_its_midst_is_done_by_another_once(
    worker: Worker,
) -> None:
    bot = BotFactory()
    # It shall not be too old when the second worker has started, however slow the machine.
    row = alert("pause", bot.symbol, received_at=timezone.now() + timedelta(minutes=5))
    session = locked(bot)
    try:
        tasks.apply_alert.apply_async((row.pk,), expires=300)
        first = worker()
        until(somebody_waits, 60, "the task is at work")
        first.send_signal(signal.SIGKILL)
        first.wait()
    finally:
        session.close()
    assert state(row) == Alert.State.CLAIMED
    Alert.objects.update(claimed_at=timezone.now() - inbox.CLAIM - timedelta(seconds=1))
    worker()
    until(lambda: state(row) == Alert.State.APPLIED, 60, "it is given out again")
    bot.refresh_from_db()
    assert bot.state == Bot.State.PAUSED
    assert AlertEffect.objects.count() == 1


def test_a_task_that_hangs_ends_its_worker(worker: Worker) -> None:
    bot = BotFactory()
    row = alert("pause", bot.symbol)
    session = locked(bot)
    try:
        tasks.apply_alert.delay(row.pk)
        process = worker(limit=0.5)
        assert process.wait(60) == os.EX_TEMPFAIL
    finally:
        session.close()
    assert state(row) != Alert.State.APPLIED


def test_a_backtest_may_take_longer_than_a_task(worker: Worker) -> None:
    InstrumentFactory(symbol="DOGEUSDT", tick="0.00001", lot="0.1")
    file = next(name for symbol, name in tapes.tapes() if symbol == "DOGEUSDT")
    rows = [
        Backtest.objects.create(
            symbol="DOGEUSDT", source=file, lower="0.129", upper="0.145", grids=grids, capital=1500
        )
        for grids in (12, 18)
    ]
    process = worker(limit=0.5)  # less than a replay's process takes to start
    for row in rows:
        run_backtest.delay(row.pk)

    def done() -> bool:
        found = Backtest.objects.values_list("state", "trouble")
        assert Backtest.State.FAILED not in {state for state, _ in found}, found
        return {state for state, _ in found} == {Backtest.State.DONE}

    until(done, 90, "both backtests are done, one after the other")
    assert process.poll() is None, "the worker goes on"
    assert all(row.figures for row in Backtest.objects.all())
