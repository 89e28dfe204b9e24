"""Pause and resume by the API: what they do, what they refuse, and that the bot is told to look."""

from collections.abc import Iterator
from queue import Empty

import pytest
from kombu.simple import SimpleQueue
from pytest_django import DjangoCaptureOnCommitCallbacks
from rest_framework.test import APIClient

from bots.models import Bot
from bots.roles import Role
from gridtrader.celery import app
from tests.api.conftest import Caller
from tests.factories import BotFactory


@pytest.fixture
def trader(caller: Caller) -> APIClient:
    return caller(Role.TRADER)


@pytest.fixture
def queue() -> Iterator[SimpleQueue]:
    """The real queue that the worker takes its tasks from, empty at first."""
    with app.connection_for_read() as connection:
        queue = connection.SimpleQueue(app.conf.task_default_queue)
        queue.clear()
        yield queue
        queue.clear()
        queue.close()


def ticks(queue: SimpleQueue) -> list[int]:
    """The ids of the bots that the worker was told to look at."""
    found = []
    while True:
        try:
            message = queue.get(block=False)
        except Empty:
            return found
        message.ack()
        assert message.headers["task"] == "bots.tasks.tick_bot"
        found.append(message.payload[0][0])


def test_pause_withholds_and_says_why_and_resume_clears_it(trader: APIClient, bot: Bot) -> None:
    paused = trader.post("/api/pause", {"bot": bot.slug, "reason": "news at 14:00"}, format="json")
    assert paused.status_code == 200
    assert paused.json()["state"] == "paused"
    assert paused.json()["reason"] == "paused by the-trader: news at 14:00"
    bot.refresh_from_db()
    assert bot.state == Bot.State.PAUSED
    again = trader.post("/api/pause", {"bot": bot.slug}, format="json")
    assert again.status_code == 200
    resumed = trader.post("/api/resume", {"bot": bot.slug, "reason": "calm"}, format="json")
    assert resumed.json()["state"] == "running"
    assert resumed.json()["reason"] == ""


def test_the_worker_is_told_once_the_change_is_committed(
    trader: APIClient,
    bot: Bot,
    queue: SimpleQueue,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks() as waiting:
        trader.post("/api/pause", {"bot": bot.slug}, format="json")
    assert ticks(queue) == []
    for tell in waiting:
        tell()
    assert ticks(queue) == [bot.pk]


def test_all_leaves_those_alone_that_do_not_trade(trader: APIClient, bot: Bot) -> None:
    stopped = BotFactory(slug="old", state=Bot.State.STOPPED)
    other = BotFactory(slug="eth-usdt")
    answer = trader.post("/api/pause", {"all": True}, format="json")
    assert answer.status_code == 200
    assert {card["slug"]: card["state"] for card in answer.json()["bots"]} == {
        "btc-usdt": "paused",
        "eth-usdt": "paused",
        "old": "stopped",
    }
    answer = trader.post("/api/resume", {"all": True}, format="json")
    assert answer.status_code == 200
    assert set(Bot.objects.filter(state="running")) == {bot, other}
    assert Bot.objects.get(pk=stopped.pk).state == Bot.State.STOPPED


def test_all_with_one_that_cannot_does_the_others_and_says_so(trader: APIClient, bot: Bot) -> None:
    BotFactory(slug="new", name="NEW/USDT", state=Bot.State.DEPLOYING)
    answer = trader.post("/api/pause", {"all": True}, format="json")
    bot.refresh_from_db()
    assert bot.state == Bot.State.PAUSED
    if answer.status_code == 409:  # as long as a deploying bot cannot be paused
        assert "NEW/USDT is deploying" in answer.json()["error"]["message"]
        assert "the other bots are done" in answer.json()["error"]["message"]


def test_what_makes_no_sense_now_is_a_conflict(trader: APIClient, bot: Bot) -> None:
    Bot.objects.update(state=Bot.State.STOPPED)
    for address in ("/api/pause", "/api/resume"):
        answer = trader.post(address, {"bot": bot.slug}, format="json")
        assert answer.status_code == 409
        error = answer.json()["error"]
        assert error["code"] == "conflict"
        assert "BTC/USDT is stopped" in error["message"]


def test_an_unknown_bot_names_the_known_ones(trader: APIClient, bot: Bot) -> None:
    answer = trader.post("/api/pause", {"bot": "xrp-usdt"}, format="json")
    assert answer.status_code == 404
    assert "btc-usdt" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({}, "bot", '"all": true'),
        ({"bot": "btc-usdt", "all": True}, "bot", "either"),
        ({"all": False}, "all", "must be true"),
        ({"all": "true"}, "all", "must be true"),
        ({"all": 1}, "all", "must be true"),
        ({"bot": "btc-usdt", "why": "x"}, "why", "accepted: bot, all, reason"),
        ({"bot": ["btc-usdt"]}, "bot", "string"),
        ({"bot": "btc-usdt\0"}, "bot", "Null"),
        ({"bot": "btc-usdt", "reason": "x" * 201}, "reason", "200"),
        ({"bot": "btc-usdt", "reason": {}}, "reason", "string"),
    ],
)
def test_a_wrong_body_says_what_is_right(
    trader: APIClient, bot: Bot, body: dict[str, object], field: str, words: str
) -> None:
    answer = trader.post("/api/pause", body, format="json")
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert set(error) == {"code", "message", "fields"}
    assert error["code"] == "invalid"
    assert words in error["fields"][field][0]
    assert field in error["message"]
    bot.refresh_from_db()
    assert bot.state == Bot.State.RUNNING


@pytest.mark.parametrize(
    ("text", "kind", "answered"),
    [
        ("{", "application/json", (400, "malformed")),
        ('{"bot": "btc-usdt", "bot": "eth-usdt"}', "application/json", (400, "malformed")),
        ('{"bot": ' + "[" * 30 + "]" * 30 + "}", "application/json", (400, "malformed")),
        (b'{"bot": "\xff"}', "application/json", (400, "malformed")),
        ('{"all": NaN}', "application/json", (400, "malformed")),
        ("[1]", "application/json", (400, "invalid")),
        ('"x"', "application/json", (400, "invalid")),
        ("bot=btc-usdt", "application/x-www-form-urlencoded", (415, "unsupported_media_type")),
    ],
)
def test_a_body_that_is_no_json_object(
    trader: APIClient, bot: Bot, text: str | bytes, kind: str, answered: tuple[int, str]
) -> None:
    answer = trader.post("/api/pause", text, content_type=kind)
    assert (answer.status_code, answer.json()["error"]["code"]) == answered


def test_a_wrong_method_names_the_right_one(trader: APIClient, bot: Bot) -> None:
    answer = trader.get("/api/pause")
    assert answer.status_code == 405
    assert answer.json()["error"]["message"].endswith("Accepted: POST.")


def test_a_command_says_nothing_in_its_address(trader: APIClient, bot: Bot) -> None:
    """Somebody who asks for a dry run there must not get a wet one."""
    answer = trader.post("/api/pause?dry_run=true", {"bot": bot.slug}, format="json")
    assert answer.status_code == 400
    assert "dry_run" in answer.json()["error"]["fields"]
    bot.refresh_from_db()
    assert bot.state == Bot.State.RUNNING
