"""The Idempotency-Key of control calls: one effect, one answer, whoever asks how often."""

from collections.abc import Callable
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.test import APIClient

from bots import control, switches
from bots.api import idempotency
from bots.models import Bot
from bots.roles import Role
from integrations.models import StoredAnswer
from tests.api.conftest import Caller
from tests.factories import UserFactory, new_token

Post = Callable[..., HttpResponse]


@pytest.fixture
def post(caller: Caller, bot: Bot) -> Post:
    client = caller(Role.TRADER)

    def call(key: str | None = "key-1", to: str = "/api/pause", **body: Any) -> Any:
        headers = {} if key is None else {"Idempotency-Key": key}
        return client.post(to, body or {"bot": bot.slug}, format="json", headers=headers)

    return call


def test_the_same_again_is_the_stored_answer_byte_by_byte(post: Post, bot: Bot) -> None:
    first = post()
    assert (first.status_code, first["Content-Type"]) == (200, "application/json")
    assert "Idempotency-Replayed" not in first
    control.resume(bot)
    second = post()
    assert (second.status_code, second.content) == (200, first.content)
    assert second["Idempotency-Replayed"] == "true"
    bot.refresh_from_db()
    assert bot.state == Bot.State.RUNNING, "the second call did nothing"


def test_the_same_body_may_be_written_otherwise(post: Post, bot: Bot) -> None:
    first = post(bot=bot.slug, reason="calm")
    assert post(reason="calm", bot=bot.slug).content == first.content


@pytest.mark.parametrize(
    "other", [{"reason": "else"}, {"to": "/api/resume"}, {"all": True}], ids=str
)
def test_another_call_with_the_key_is_a_conflict(
    post: Post, bot: Bot, other: dict[str, Any]
) -> None:
    post()
    answer = post(**({"bot": bot.slug} if "all" not in other else {}), **other)
    assert answer.status_code == 409
    assert "use a new key" in answer.json()["error"]["message"]


def test_a_refusal_is_an_answer_too(post: Post, bot: Bot) -> None:
    Bot.objects.update(state=Bot.State.STOPPED)
    first = post()
    assert first.status_code == 409
    Bot.objects.update(state=Bot.State.RUNNING)
    assert post().content == first.content
    assert post("key-2").status_code == 200


def test_keys_belong_to_users(post: Post, caller: Caller, bot: Bot) -> None:
    post()
    other = caller(Role.ADMIN).post(
        "/api/pause", {"all": True}, format="json", headers={"Idempotency-Key": "key-1"}
    )
    assert other.status_code == 200
    assert StoredAnswer.objects.count() == 2


def test_without_a_key_nothing_is_kept(post: Post) -> None:
    assert post(None).status_code == 200
    assert not StoredAnswer.objects.exists()


def test_who_may_not_call_leaves_no_trace(caller: Caller, bot: Bot) -> None:
    answer = caller(Role.VIEWER).post(
        "/api/pause", {"bot": bot.slug}, format="json", headers={"Idempotency-Key": "k"}
    )
    assert answer.status_code == 403
    assert not StoredAnswer.objects.exists()


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\there", "ümlaut"])
def test_keys_that_are_none(post: Post, key: str) -> None:
    answer = post(key)
    assert answer.status_code == 400
    assert "1 to 255 printable" in answer.json()["error"]["fields"]["Idempotency-Key"][0]


@pytest.mark.django_db(transaction=True)
def test_twenty_twins_have_one_effect_and_one_answer(
    bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = new_token(UserFactory(role=Role.TRADER))
    done, answers, barrier = [], [], Barrier(20)
    real = switches.pause

    def counted(*args: Any, **kwargs: Any) -> Bot:
        done.append(1)
        return real(*args, **kwargs)

    monkeypatch.setattr("bots.api.switching.Pause.change", staticmethod(counted))

    def call() -> None:
        client = APIClient(HTTP_AUTHORIZATION=f"Token {token}")
        barrier.wait()
        try:
            answers.append(
                client.post(
                    "/api/pause",
                    {"bot": bot.slug},
                    format="json",
                    headers={"Idempotency-Key": "twins"},
                )
            )
        finally:
            connection.close()

    twins = [Thread(target=call) for _ in range(20)]
    for twin in twins:
        twin.start()
    for twin in twins:
        twin.join()
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert len(done) == 1


@pytest.fixture
def running(post: Post) -> StoredAnswer:
    """A call of the trader that has the key and no answer yet."""
    post()
    StoredAnswer.objects.update(status=None, content="", started_at=timezone.now())
    return StoredAnswer.objects.get()


def test_a_twin_of_a_call_at_work_is_told_to_wait(
    post: Post, running: StoredAnswer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "PATIENCE_S", 0.1)
    answer = post()
    assert answer.status_code == 409
    assert "still at work" in answer.json()["error"]["message"]


def test_a_call_that_died_is_done_again_where_that_is_safe(
    post: Post, running: StoredAnswer, bot: Bot
) -> None:
    control.resume(bot)
    StoredAnswer.objects.update(started_at=timezone.now() - timedelta(minutes=2))
    assert post().status_code == 200
    bot.refresh_from_db()
    assert bot.state == Bot.State.PAUSED
    assert StoredAnswer.objects.get().status == 200


def test_a_call_that_died_is_not_done_again_where_it_would_count_twice(
    running: StoredAnswer,
) -> None:
    running.started_at = timezone.now() - timedelta(minutes=2)
    running.save()
    with pytest.raises(idempotency.Conflict, match="may have been done"):
        idempotency._taken_over(running, repeatable=False)


def test_an_error_of_ours_is_no_answer(
    post: Post, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise RuntimeError("broken")

    with monkeypatch.context() as patch:
        patch.setattr("bots.api.switching.Pause.change", staticmethod(breaks))
        assert post().status_code == 500
    StoredAnswer.objects.update(started_at=timezone.now() - timedelta(minutes=2))
    assert post().status_code == 200


def test_answers_are_kept_two_days(post: Post) -> None:
    post("old")
    StoredAnswer.objects.update(started_at=timezone.now() - timedelta(hours=49))
    post("new")
    idempotency.forget_old()
    assert list(StoredAnswer.objects.values_list("key", flat=True)) == ["new"]
    assert User.objects.exists()
