"""The webhook's door: what it takes, what it refuses and how, and that each alert counts once."""

import json
import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from queue import Empty
from threading import Barrier, Thread

import pytest
import redis
from django.conf import settings as live_settings
from django.db import OperationalError, connection
from django.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st
from kombu import Connection
from kombu.simple import SimpleQueue
from pytest_django import Settings

from bots.models import Bot
from bots.outside import api
from gridtrader.celery import app
from integrations.models import Alert
from integrations.tradingview import inbox, message
from tests.integrations.conftest import OLDER, SECRET, Send, facts


@pytest.fixture
def queue() -> Iterator[SimpleQueue]:
    with app.connection_for_read() as link:
        queue = link.SimpleQueue(app.conf.task_default_queue)
        queue.clear()
        yield queue
        queue.clear()
        queue.close()


@pytest.fixture(autouse=True)
def no_pace() -> None:
    """Each test has the whole of the limits to itself."""
    link = redis.Redis.from_url(live_settings.REDIS_URL)
    for name in link.scan_iter("gridtrader:*alerts:*"):
        link.delete(name)


def stamp(time_: datetime) -> str:
    return f"{time_:%Y-%m-%dT%H:%M:%SZ}"


def test_a_new_alert_is_stored_without_its_secret(bot: Bot, send: Send, queue: SimpleQueue) -> None:
    body = facts(price=97000.5, interval="5", comment="RSI low")
    answer = send(json.dumps(body).encode())
    assert answer.status_code == 202
    assert answer.json()["state"] == "RECEIVED"
    alert = Alert.objects.get()
    assert (alert.source, alert.name, alert.symbol) == ("tradingview", body["id"], "BTCUSDT")
    assert alert.details == {"price": "97000.5", "interval": "5", "comment": "RSI low"}
    bot.refresh_from_db()
    assert bot.state == Bot.State.RUNNING, "the work is done after the answer"
    told = queue.get(block=False)
    assert (told.headers["task"], told.payload[0]) == (
        "bots.outside.tasks.apply_alert",
        [alert.pk],
    )
    assert SECRET not in json.dumps(told.payload)


def test_the_same_again_is_known_and_another_of_that_id_refused(
    bot: Bot, send: Send, queue: SimpleQueue
) -> None:
    body = facts()
    first, second = (send(json.dumps(body).encode()) for _ in range(2))
    assert (first.status_code, second.status_code) == (202, 200)
    assert first.json()["alert"] == second.json()["alert"]
    other = send(json.dumps(body | {"action": "resume"}).encode())
    assert other.status_code == 409
    assert other.json()["error"]["code"] == "conflict"
    rotated = send(json.dumps(body | {"secret": OLDER}).encode())
    assert rotated.status_code == 200, "the secret is no part of what was said"
    queue.get(block=False)
    with pytest.raises(Empty):
        queue.get(block=False)


@pytest.mark.django_db(transaction=True)
def test_twins_at_the_same_moment_make_one_row(send: Send) -> None:
    body = json.dumps(facts()).encode()
    barrier, answers = Barrier(8), []

    def post() -> None:
        barrier.wait()
        try:
            answers.append(
                Client().post("/api/tv-alert", body, content_type="application/json").status_code
            )
        finally:
            connection.close()

    twins = [Thread(target=post) for _ in range(8)]
    for twin in twins:
        twin.start()
    for twin in twins:
        twin.join()
    assert sorted(answers) == [200] * 7 + [202]
    assert Alert.objects.count() == 1


def test_a_replay_is_known_long_after_its_time_window(bot: Bot, send: Send) -> None:
    sent = datetime.now(UTC) - timedelta(days=3)
    told = message.read(facts(time=stamp(sent)))
    inbox.take(told, sent)
    assert send(id=told.id, time=stamp(sent)).status_code == 200
    assert Alert.objects.count() == 1


@pytest.mark.parametrize("kind", ["text/plain; charset=utf-8", "application/octet-stream", ""])
def test_text_that_is_json_is_taken(bot: Bot, send: Send, kind: str) -> None:
    assert send(kind=kind).status_code == 202


@pytest.mark.parametrize("off", [-115, 5])
def test_times_near_now_are_taken(bot: Bot, send: Send, off: int) -> None:
    sent = datetime.now(UTC) + timedelta(seconds=off)
    assert send(time=stamp(sent)).status_code == 202


@pytest.mark.parametrize("off", [-123, 13, -86_400])
def test_old_and_future_alerts_are_refused(bot: Bot, send: Send, off: int) -> None:
    answer = send(time=stamp(datetime.now(UTC) + timedelta(seconds=off)))
    assert answer.status_code == 400
    assert "at most 120 s ago or 10 s ahead" in answer.json()["error"]["fields"]["time"][0]
    assert not Alert.objects.exists()


@pytest.mark.parametrize(
    "secret", ["", "x" * 41, SECRET[:-1], SECRET + "x", 5, None, True, ["a"], {"a": 1}, "é" * 40,
               "\ud800" * 40],
)  # fmt: skip
def test_whatever_is_wrong_with_the_secret_the_answer_is_the_same(
    bot: Bot, send: Send, secret: object
) -> None:
    answer = send(secret=secret)
    assert answer.status_code == 403
    assert answer.json() == {
        "error": {"code": "forbidden", "message": "the alert's secret is missing or wrong"}
    }
    assert not Alert.objects.exists()


def test_without_a_configured_secret_everything_is_refused(
    bot: Bot, send: Send, settings: Settings
) -> None:
    settings.TRADINGVIEW_WEBHOOK_SECRETS = []
    for secret in ("", SECRET, "None"):
        assert send(secret=secret).status_code == 403


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"{", b"[1]", b'"x"', b"null", b"\xff\xfe", b"{'a': 1}", b'{"a": NaN}',
        b'{"a": Infinity}', b'{"a": -Infinity}', b'{"a": 1, "a": 2}', b'{"a": {"b": 1, "b": 2}}',
        b"[" * 8000, b'{"a":' * 1200 + b"1" + b"}" * 1200, b'{"price": ' + b"9" * 5000 + b"}",
    ],
    ids=lambda raw: raw[:12].decode(errors="replace"),
)  # fmt: skip
def test_what_is_no_strict_json_object(bot: Bot, send: Send, raw: bytes) -> None:
    answer = send(raw)
    assert answer.status_code in {400, 403}
    assert "accepted" in answer.json()["error"]["message"] or answer.status_code == 403
    assert not Alert.objects.exists()


@pytest.mark.parametrize(
    ("fields", "name", "words"),
    [
        ({"id": None}, "id", "missing"),
        ({"id": ""}, "id", "missing"),
        ({"id": "x" * 129}, "id", "at most 128"),
        ({"id": "a\0b"}, "id", "printed"),
        ({"id": "\ud800"}, "id", "printed"),
        ({"id": {"a": 1}}, "id", "text or a number"),
        ({"id": True}, "id", "text or a number"),
        ({"time": None}, "time", "missing"),
        ({"time": "yesterday"}, "time", "ISO 8601"),
        ({"time": "2026-01-31T12:00:00"}, "time", "zone"),
        ({"time": "0001-01-01T00:00:00+14:00"}, "time", "calendar"),
        ({"time": 1763808241000}, "time", "ISO 8601"),
        ({"symbol": None}, "symbol", "missing"),
        ({"symbol": "BINANCE:BTCUSDT"}, "symbol", "BYBIT:BTCUSDT"),
        ({"symbol": "BTC USDT"}, "symbol", "BTCUSDT"),
        ({"action": None}, "action", "missing"),
        ({"action": "deploy"}, "action", "pause, resume"),
        ({"bot": "btc-usdt"}, "bot", "accepted: secret, id"),
        ({"comment": "x" * 201}, "comment", "at most 200"),
        ({"price": [1]}, "price", "text or a number"),
    ],
)
def test_a_wrong_field_is_named(
    bot: Bot, send: Send, fields: dict[str, object], name: str, words: str
) -> None:
    answer = send(**fields)
    assert answer.status_code == 400
    assert words in answer.json()["error"]["fields"][name][0]
    assert not Alert.objects.exists()


@pytest.mark.parametrize("symbol", ["BTCUSDT", "BYBIT:BTCUSDT", "btc/usdt", "ALL"])
def test_symbols_as_people_write_them(bot: Bot, send: Send, symbol: str) -> None:
    assert send(symbol=symbol).status_code == 202
    assert Alert.objects.get().symbol in {"BTCUSDT", "ALL"}


def test_a_body_over_8_kilobytes_is_refused_unread(bot: Bot, send: Send) -> None:
    assert send(comment="x" * 8200).status_code == 413
    padded = json.dumps(facts()).encode()
    assert send(padded + b" " * (8192 - len(padded))).status_code == 202


def test_only_post(bot: Bot, send: Send) -> None:
    for method in ("get", "put", "delete", "patch"):
        answer = getattr(Client(), method)("/api/tv-alert")
        assert answer.status_code == 405
        assert answer.json()["error"]["message"].endswith("Accepted: POST.")


def test_an_accept_header_does_not_matter(bot: Bot, send: Send) -> None:
    body = json.dumps(facts())
    answer = Client().post(
        "/api/tv-alert", body, content_type="application/json", headers={"Accept": "text/plain"}
    )
    assert answer.status_code == 202


def test_it_needs_no_csrf_and_takes_no_session(bot: Bot, send: Send) -> None:
    client = Client(enforce_csrf_checks=True)
    body = json.dumps(facts())
    assert client.post("/api/tv-alert", body, content_type="application/json").status_code == 202


def test_only_what_is_not_stored_is_a_5xx(
    bot: Bot, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(inbox, "take", fails)
    assert send().status_code == 503


def test_without_a_broker_it_is_stored_and_waits(
    bot: Bot, send: Send, queue: SimpleQueue, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1"
    monkeypatch.setattr(api, "_accepted", inbox.Pace("alerts"))
    begun = time.monotonic()
    assert send().status_code == 202
    assert time.monotonic() - begun < 1.0
    with pytest.raises(Empty):
        queue.get(block=False)
    assert inbox.waiting() == [Alert.objects.get().pk]


def test_a_nudge_that_fails_is_no_failure(
    bot: Bot, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    to_nowhere = partial(api.apply_alert.apply_async, connection=Connection("redis://127.0.0.1:1"))
    monkeypatch.setattr(api.apply_alert, "apply_async", to_nowhere)
    assert send().status_code == 202


def test_a_flood_of_forgeries_is_one_line_in_the_log(
    bot: Bot, send: Send, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        answers = {send(secret="f" * 40).status_code for _ in range(50)}
    assert answers == {403}
    assert len(caplog.records) <= 2, "two windows at most"
    assert send().status_code == 202


def test_more_than_the_limit_waits_and_other_calls_do_not(
    bot: Bot, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "PER_WINDOW", 3)
    answers = [send(id=f"alert {n}") for n in range(8)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) >= 2
    assert refused[0]["Retry-After"] == "10"
    assert Client().get("/api/health").status_code == 200


@effort(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=300))
def test_no_bytes_whatever_are_an_error_of_ours(raw: bytes) -> None:
    try:
        body = message.parse(raw)
    except message.Malformed:
        return
    assert not message.knows(body, [SECRET])


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@effort(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.fixed_dictionaries(
        {}, optional=dict.fromkeys(["secret", "id", "time", "symbol", "action", "price", "x"], _ANY)
    )
)
def test_no_json_whatever_is_an_error_of_ours(body: dict[str, object]) -> None:
    try:
        parsed = message.parse(json.dumps(body).encode())
        message.knows(parsed, [SECRET])
        message.read(parsed)
    except message.Malformed:
        return
