"""The hunt for secrets sees what it is there to see; and logs say what they are about."""

import json
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from django.conf import settings
from django.db import connection
from django.http import HttpResponse
from django.test import Client, RequestFactory

from bots.tasks import tick_bot
from gridtrader.celery import begin, end
from gridtrader.env import Secret
from gridtrader.logs import OneLine, OneObject, redact
from gridtrader.nudge import queue_name
from gridtrader.requests import request_id
from market.about import about, facts
from tests import canary
from tests.plugin import MARK

WORD = f"{MARK}of-this-test"
LEAKS: dict[str, Callable[[], object]] = {
    "log": lambda: logging.getLogger("bots").warning("key %s", WORD),
    "redis": lambda: redis.Redis.from_url(settings.REDIS_URL).set(WORD, "1", px=20),
    "task": lambda: tick_bot.delay(WORD),
    "answer": lambda: Client().get(f"/api/{WORD}"),
}


@pytest.fixture(autouse=True, scope="module")
def nothing_stays() -> Iterator[None]:
    """What leaked on purpose is not there any more when the session ends."""
    yield
    redis.Redis.from_url(settings.REDIS_URL).delete(queue_name(), "a")


@pytest.mark.leaks
@pytest.mark.parametrize("place", LEAKS)
def test_a_leak_is_seen(db: None, place: str) -> None:
    LEAKS[place]()
    patience = time.monotonic() + 5
    while not any(found.startswith(place) for found in canary._found):
        assert time.monotonic() < patience, f"not seen in {place}"
        time.sleep(0.01)


@pytest.mark.leaks
def test_a_leak_into_the_database_and_one_in_a_traceback_are_seen(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s", [WORD])
    assert any(found.startswith("database") for found in canary._found)
    canary._found.clear()
    try:
        raise ValueError(WORD)  # noqa: TRY301
    except ValueError:
        logging.getLogger("bots").exception("it failed")
    assert any(found.startswith("log") for found in canary._found)


@pytest.mark.leaks
def test_what_stays_behind_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "a.log"
    log.write_text(f"started with {WORD}", encoding="utf-8")
    monkeypatch.setattr(canary, "LEFT_BEHIND", [log])
    redis.Redis.from_url(settings.REDIS_URL).set("a", WORD, ex=5)
    canary._found.clear()
    canary.look_at_what_stays()
    places = [found.partition(":")[0] for found in canary._found]
    assert {"a.log", "kept by redis"} <= set(places)


def test_the_secrets_of_the_suite_are_canaries() -> None:
    assert settings.SECRET_KEY.startswith(MARK)
    assert settings.DATABASES["default"]["PASSWORD"].startswith(MARK)
    assert MARK in settings.REDIS_URL
    assert settings.BYBIT.key.reveal().startswith(MARK)
    assert settings.BYBIT.secret.reveal().startswith(MARK)


# --- logs ----------------------------------------------------------------------------------------


def record(text: str, error: bool = False) -> logging.LogRecord:
    info = None
    if error:
        try:
            raise ValueError("hush-hush at two\nlines")  # noqa: TRY301
        except ValueError as caught:
            info = (ValueError, caught, caught.__traceback__)
    return logging.LogRecord("bots.runner", logging.INFO, "x.py", 1, text, (), info)


def test_a_line_says_what_it_is_about() -> None:
    line = OneLine("%(levelname)s %(name)s: %(message)s")
    with about(request="abc"), about(bot="btc-usdt"):
        assert line.format(record("done")) == "INFO bots.runner: done [request=abc bot=btc-usdt]"
    assert line.format(record("done")) == "INFO bots.runner: done"


def test_json_is_one_object_a_line_and_holds_no_secret() -> None:
    made = OneObject([Secret("hush-hush")])
    with about(bot="btc-usdt", request="abc"):
        line = made.format(record("key hush-hush, password=x1", error=True))
    assert "\n" not in line
    assert "hush-hush" not in line
    told = json.loads(line)
    assert (told["level"], told["logger"], told["bot"], told["request"]) == (
        "INFO", "bots.runner", "btc-usdt", "abc",
    )  # fmt: skip
    assert told["message"] == "key ***, password=***"
    assert told["error"].startswith("Traceback")
    assert told["time"].endswith("+00:00")


@pytest.mark.parametrize("form", ['p/w d"é', "p%2Fw%20d%22%C3%A9", 'p/w d\\"\\u00e9'])
def test_a_secret_is_masked_in_every_form(form: str) -> None:
    assert redact(f"at {form}.", [Secret('p/w d"é')]) == "at ***."


def test_sessions_are_masked() -> None:
    assert redact("Cookie: sessionid=abc; csrftoken=def") == "Cookie: sessionid=*** csrftoken=***"


@pytest.mark.parametrize("given", ["", "a-sound-id-of-a-proxy", "bad id\r\n", "x" * 65])
def test_a_request_has_an_id_on_its_lines_and_in_its_answer(given: str) -> None:
    seen: list[str] = []

    def site(_: object) -> HttpResponse:
        seen.append(facts()["request"])
        return HttpResponse()

    request = RequestFactory().get("/", headers={"X-Request-ID": given} if given else {})
    answer = request_id(site)(request)
    assert seen == [answer["X-Request-ID"]]
    assert (seen == [given]) == (given == "a-sound-id-of-a-proxy")
    assert len(seen[0]) >= 8
    assert "request" not in facts()


def test_a_task_takes_the_request_along_and_names_itself() -> None:
    heard: list[dict[str, object]] = []

    def hear(headers: dict[str, object], **_: object) -> None:
        heard.append(headers)

    from celery.signals import before_task_publish

    before_task_publish.connect(hear)
    try:
        with about(request="abc"):
            tick_bot.delay(7)
    finally:
        before_task_publish.disconnect(hear)
    assert heard[0]["request_id"] == "abc"
    tick_bot.push_request(id="12345678-x", request_id="abc")
    try:
        begin("12345678-x", tick_bot)
        assert facts() == {"task": "tick_bot:12345678", "request": "abc"}
        end("12345678-x")
        assert facts() == {}
    finally:
        tick_bot.pop_request()
