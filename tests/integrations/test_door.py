"""The layer before Django: it refuses what the view would refuse, and lets the rest through."""

import json
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.test import Client
from pytest_django import Settings

from bots.models import Bot
from integrations.tradingview.door import Door
from tests.integrations.conftest import OLDER, SECRET, Send, facts

Through = list[bytes]


@pytest.fixture
def through() -> Through:
    """Bodies that came through the door."""
    return []


@pytest.fixture
def door(through: Through) -> Door:
    async def site(scope: Any, receive: Any, send: Any) -> None:
        event = await receive()
        through.append(event["body"])
        await send({"type": "http.response.start", "status": 202, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    return Door(site, lambda: [SECRET, OLDER])


async def post(door: Door, *parts: bytes, path: str = "/api/tv-alert") -> tuple[int, bytes]:
    scope = {"type": "http", "method": "POST", "path": path, "headers": []}
    talk = ApplicationCommunicator(door, scope)
    for place, part in enumerate(parts, 1):
        more = place < len(parts)
        await talk.send_input({"type": "http.request", "body": part, "more_body": more})
    start = await talk.receive_output()
    body = await talk.receive_output()
    return start["status"], body["body"]


RAWS: dict[str, Callable[[], bytes]] = {
    "forged": lambda: json.dumps(facts(secret="f" * 40)).encode(),
    "no secret": lambda: json.dumps(facts(secret=None)).encode(),
    "no JSON": lambda: b"{",
    "twice": lambda: b'{"a": 1, "a": 2}',
    "a list": lambda: b"[]",
    "too large": lambda: b" " * 8193,
}


@pytest.mark.parametrize("what", RAWS)
async def test_it_refuses_as_the_view_does(door: Door, through: Through, what: str) -> None:
    status, body = await post(door, RAWS[what]())
    assert status in {400, 403, 413}
    assert through == []
    assert set(json.loads(body)["error"]) == {"code", "message"}


@pytest.mark.parametrize("what", RAWS)
def test_the_view_refuses_in_the_same_words(
    bot: Bot, send: Send, settings: Settings, what: str
) -> None:
    from asgiref.sync import async_to_sync

    raw = RAWS[what]()
    status, body = async_to_sync(post)(Door(None, lambda: [SECRET]), raw)  # type: ignore[arg-type]
    answer = Client().post("/api/tv-alert", raw, content_type="application/json")
    assert (answer.status_code, answer.json()) == (status, json.loads(body))


@pytest.mark.parametrize("secret", [SECRET, OLDER])
async def test_it_lets_through_what_has_the_secret(
    door: Door, through: Through, secret: str
) -> None:
    raw = json.dumps(facts(secret=secret)).encode()
    assert (await post(door, raw[:10], raw[10:50], raw[50:]))[0] == 202
    assert through == [raw]


async def test_other_addresses_are_not_its_business(door: Door, through: Through) -> None:
    assert (await post(door, b"anything", path="/api/kill"))[0] == 202
    assert through == [b"anything"]


def test_without_secrets_both_say_that_alerts_are_off(
    bot: Bot, settings: Settings, through: Through, door: Door
) -> None:
    from asgiref.sync import async_to_sync

    settings.TRADINGVIEW_WEBHOOK_SECRETS = []
    status, body = async_to_sync(post)(Door(door._app, list), b"{}")
    answer = Client().post("/api/tv-alert", b"{}", content_type="application/json")
    assert (answer.status_code, answer.json()) == (status, json.loads(body))
    assert status == 403
    assert b"TRADINGVIEW_WEBHOOK_SECRET" in body
    assert through == []


async def test_a_flood_of_forgeries_is_quick_and_one_line(
    door: Door, through: Through, caplog: pytest.LogCaptureFixture
) -> None:
    raw = RAWS["forged"]()
    begun = time.monotonic()
    with caplog.at_level(logging.INFO):
        for _ in range(1000):
            assert door._refusal(raw) is not None
    assert time.monotonic() - begun < 2.0
    assert len(caplog.records) == 1
    assert through == []
