"""No secret of an outside service is found where it could be read: a hunt for canaries."""

import json
import logging
import traceback
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from bots.models import Bot
from bots.outside import journals, tasks
from bots.roles import Role
from gridtrader.env import Secret
from gridtrader.logs import redact
from integrations.models import Lane, Parcel
from integrations.notify import addresses
from integrations.notify.channels import announce
from integrations.outbox import Level
from integrations.tradingview import inbox
from tests.api.test_login import everything_stored
from tests.canary import what_redis_holds
from tests.factories import RoundTripFactory, UserFactory
from tests.integrations.conftest import OLDER, SECRET, Send, facts
from tests.integrations.fake_notion import FakeNotion
from tests.integrations.test_notify import Post, post

__all__ = ["post"]  # a fixture of the notifications' tests

TOKEN = "canary-notion-0123456789abcdef"
NOTIFY = "canary-notify-0123456789abcdef"
CANARIES = (SECRET, OLDER, TOKEN, NOTIFY)


@pytest.fixture
def notion(settings: Settings) -> Iterator[FakeNotion]:
    with FakeNotion(TOKEN) as fake:
        settings.NOTION_TOKEN = Secret(TOKEN)
        settings.NOTION_BASE_URL = fake.url
        settings.NOTION_TRADES_DATABASE = fake.database()
        yield fake


@pytest.fixture
def phones(post: Post, settings: Settings) -> Post:
    """A channel that works, and two whose servers cannot be reached."""
    settings.NOTIFY_URLS = [
        Secret("warning=" + post.url(NOTIFY)),
        Secret(f"json://{NOTIFY}:123@127.0.0.1:1/x"),
        Secret(f"json://user:{NOTIFY}@127.0.0.1:1/{NOTIFY}"),
    ]
    return post


def rest() -> None:
    past = timezone.now() - timedelta(hours=2)
    Lane.objects.update(not_before=None, lease_until=None)
    Parcel.objects.filter(processed_at=None).update(due_at=past)


def the_webhook(send: Send) -> str:
    """Answers to alerts: taken, repeated, contradicted, refused in every way, and a failure."""
    body = facts()
    changes = ({}, {}, {"action": "resume"}, {"time": "x"}, {"x": 1}, {"secret": OLDER[:-1]})
    raws = [json.dumps(body | change) for change in changes]
    raws += [f'{{"secret": "{SECRET}", "secret": "{OLDER}"}}', f'{{"secret": "{SECRET}"']
    answers = [send(raw.encode()) for raw in raws]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inbox, "take", lambda *_: 1 / 0)
        answers.append(send())
    tasks.apply_alerts()
    return "".join(answer.content.decode() for answer in answers)


def the_outboxes(bot: Bot, notion: FakeNotion, post: Post) -> None:
    """Notion and the channels refuse, cut off, are out of reach, and take everything at last."""
    journals.collect()
    RoundTripFactory.create_batch(2, bot=bot)
    announce("a", Level.CRITICAL, "Halt")
    post.status = 401
    for status, code in ((401, "unauthorized"), (500, "internal_server_error"), (0, "")):
        notion.fail("POST /v1/pages", status, code)
        tasks.write_journals()
        tasks.send_notifications()
        rest()
    notion.token = "another"
    tasks.write_journals()
    rest()
    notion.token, post.status = TOKEN, 200
    tasks.write_journals()
    tasks.send_notifications()
    assert len(notion.pages) == 2
    assert len(post.messages) == 1


def the_pages() -> str:
    client = Client()
    client.force_login(UserFactory(role=Role.ADMIN, is_staff=True, is_superuser=True))
    parcel = Parcel.objects.earliest("pk")
    pages = ["/webhook/", f"/admin/integrations/parcel/{parcel.pk}/change/"]
    pages += [f"/admin/integrations/{name}/" for name in ("alert", "parcel", "lane")]
    return "".join(client.get(page).content.decode() for page in pages)


def logged(records: list[logging.LogRecord]) -> str:
    """What was logged, before anything is masked, tracebacks too."""
    lines = [record.getMessage() for record in records]
    lines += ["".join(traceback.format_exception(*r.exc_info)) for r in records if r.exc_info]
    return "\n".join(lines)


def test_no_canary_is_found_anywhere(
    bot: Bot, send: Send, notion: FakeNotion, phones: Post, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answers = the_webhook(send)
    the_outboxes(bot, notion, phones)
    log = logged(caplog.records)
    assert "apply_alert" in what_redis_holds(), "the queue is among it"
    assert "ZeroDivisionError" in log, "tracebacks are hunted through too"
    places = {
        "log": log,
        "answers": answers + the_pages(),
        "database": everything_stored(),
        "redis": what_redis_holds(),
    }
    assert [place for place, text in places.items() if any(c in text for c in CANARIES)] == []


@pytest.mark.parametrize("secret", [SECRET, TOKEN, NOTIFY])
def test_a_secret_that_a_library_logs_all_the_same_is_masked(secret: str) -> None:
    assert secret not in redact(f"POST /bot{secret}/send failed", [Secret(secret)])


def test_parts_of_addresses_are_masked() -> None:
    address = f"critical=tgram://123456789:{NOTIFY}/-100123456?format=text"
    assert addresses.pieces(address) == ["123456789", NOTIFY, "-100123456"]
