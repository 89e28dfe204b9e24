"""Senders die at every step, by exception and by kill -9: no row is lost, none comes twice."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from itertools import product
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import settings as live_settings
from django.db import connection as database
from django.utils import timezone
from pytest_django import Settings

from bots.models import Bot
from bots.outside import journals, tasks
from gridtrader.env import Secret
from integrations import outbox
from integrations.models import Lane, Mark, Parcel
from integrations.notify.channels import announce
from integrations.notion import connection
from integrations.notion.properties import ID
from integrations.outbox import Level
from tests.factories import RoundTripFactory
from tests.integrations.fake_notion import FakeNotion
from tests.integrations.test_notify import Post, post

__all__ = ["post"]  # a fixture of the notifications' tests

TOKEN = "canary-notion-token-0123456789"
ROOT = live_settings.BASE_DIR


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def notion(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeNotion]:
    monkeypatch.setattr(connection, "PACE_S", 0.0)
    with FakeNotion(TOKEN) as fake:
        settings.NOTION_TOKEN = Secret(TOKEN)
        settings.NOTION_BASE_URL = fake.url
        settings.NOTION_TRADES_DATABASE = fake.database()
        yield fake


def let_leases_end() -> None:
    past = timezone.now() - timedelta(hours=2)
    Lane.objects.exclude(lease_until=None).update(lease_until=past)
    Lane.objects.exclude(not_before=None).update(not_before=past)
    Parcel.objects.filter(processed_at=None).update(due_at=past)


def ids(notion: FakeNotion, settings: Settings) -> list[str]:
    return sorted(row[ID] for row in notion.rows(settings.NOTION_TRADES_DATABASE))


STEPS: list[tuple[object, str]] = [
    (journals, "_mark"),
    (journals, "put"),
    (Mark.objects, "filter"),
    (journals, "end_turn"),
    (outbox, "_due"),
    (outbox, "_begin"),
    (outbox, "_done"),
    (outbox, "end_turn"),
]


@pytest.mark.parametrize("moment", list(product(["before", "after"], [1, 2])), ids=str)
@pytest.mark.parametrize("step", STEPS, ids=lambda step: step[1])
def test_death_at_each_step(  # noqa: PLR0917
    bot: Bot,
    notion: FakeNotion,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    step: tuple[Any, str],
    moment: tuple[str, int],
) -> None:
    when, nth = moment
    journals.collect()
    trips = RoundTripFactory.create_batch(3, bot=bot)
    place, name = step
    real: Callable[..., Any] = getattr(place, name)
    count = 0

    def dies(*args: Any, **kwargs: Any) -> Any:
        nonlocal count
        count += 1
        if count == nth and when == "before":
            raise Killed
        answer = real(*args, **kwargs)
        if count == nth:
            raise Killed
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(place, name, dies)
        with suppress(Killed):
            tasks.write_journals()
    for _ in range(2):
        let_leases_end()
        tasks.write_journals()
    assert ids(notion, settings) == sorted(f"trip:{trip.pk}" for trip in trips)
    assert not Parcel.objects.filter(processed_at=None).exists()


def test_a_sender_whose_lane_was_taken_over_sends_no_more(
    bot: Bot, notion: FakeNotion, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was stopped for longer than its lease; another has begun meanwhile."""
    journals.collect()
    RoundTripFactory.create_batch(3, bot=bot)
    journals.collect()
    real = outbox._done

    def slow(parcels: Any, receipt: str) -> None:
        real(parcels, receipt)
        Lane.objects.filter(name="notion").update(lease_until=timezone.now() - timedelta(1))
        assert outbox.take_turn("notion") is not None

    with monkeypatch.context() as patch:
        patch.setattr(outbox, "_done", slow)
        tasks.write_journals()
    assert len(ids(notion, settings)) == 1
    let_leases_end()
    tasks.write_journals()
    assert len(ids(notion, settings)) == 3


JOURNAL = """
from integrations.notion import connection
connection.PACE_S = 0.0
tasks.write_journals()
"""


def child(work: str, **variables: str) -> "subprocess.Popen[bytes]":
    """A worker's process of its own that does one task, on the test's database."""
    place = database.settings_dict
    host = quote(place["HOST"], safe="")
    url = f"postgres://{place['USER']}:{quote(place['PASSWORD'])}@{host}"
    url += f":{place['PORT']}/{place['NAME']}" if place["PORT"] else f"/{place['NAME']}"
    begin = "import django; django.setup()\nfrom bots.outside import tasks\n"
    env = os.environ | {
        "DATABASE_URL": url,
        "REDIS_URL": live_settings.REDIS_URL,
        "DJANGO_SETTINGS_MODULE": "gridtrader.settings",
        **variables,
    }
    return subprocess.Popen([sys.executable, "-c", begin + work], env=env, cwd=ROOT)


def writer(notion: FakeNotion, settings: Settings) -> "subprocess.Popen[bytes]":
    return child(
        JOURNAL,
        NOTION_TOKEN=TOKEN,
        NOTION_BASE_URL=notion.url,
        NOTION_TRADES_DATABASE=settings.NOTION_TRADES_DATABASE,
    )


@pytest.mark.django_db(transaction=True)
def test_kill_9_at_each_moment_that_notion_can_see(notion: FakeNotion, settings: Settings) -> None:
    """The process is killed before, while and after Notion makes a page, again and again."""
    from tests.factories import BotFactory

    bot = BotFactory()
    journals.collect()
    trips = RoundTripFactory.create_batch(4, bot=bot)
    for moment in ("before", "done", "answered"):
        worker = writer(notion, settings)

        def kill(call: str, now: str, moment: str = moment, pid: int = worker.pid) -> None:
            if (call, now) == ("POST /v1/pages", moment):
                notion.watch = lambda *_: None
                os.kill(pid, signal.SIGKILL)

        notion.watch = kill
        try:
            assert worker.wait(60) == -signal.SIGKILL, moment
        finally:
            worker.kill()
        let_leases_end()
    worker = writer(notion, settings)
    assert worker.wait(60) == 0
    assert ids(notion, settings) == sorted(f"trip:{trip.pk}" for trip in trips)
    assert not Parcel.objects.filter(processed_at=None).exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("moment", ["before", "taken", "answered"])
def test_kill_9_at_each_moment_that_a_messenger_can_see(
    post: Post, settings: Settings, moment: str
) -> None:
    """No notification is lost; what may have been sent comes again and says so."""
    address = post.url("canary-notify-token-1")
    settings.NOTIFY_URLS = [Secret(address)]
    announce("k", Level.CRITICAL, "Halt of all bots", "the market")
    worker = child("tasks.send_notifications()", NOTIFY_URLS=address)

    def kill(now: str) -> bool:
        if now != moment:
            return False
        post.watch = lambda _: False
        os.kill(worker.pid, signal.SIGKILL)
        return True

    post.watch = kill
    try:
        assert worker.wait(60) == -signal.SIGKILL
    finally:
        worker.kill()
    for _ in range(2):
        let_leases_end()
        assert child("tasks.send_notifications()", NOTIFY_URLS=address).wait(60) == 0
    parcel = Parcel.objects.get()
    assert parcel.processed_at is not None
    first = f"Halt of all bots [#{parcel.pk}]"
    again = f"{first} (perhaps a repetition)"
    assert post.titles == ([again] if moment == "before" else [first, again])
