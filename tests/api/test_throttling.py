"""Who calls too often waits; nobody else does, and the kill never."""

from itertools import product

import pytest
from django.contrib.auth.models import User
from django.test import Client
from rest_framework.test import APIClient

from bots.api.throttling import Bucket, CallThrottle, KillThrottle
from bots.models import Bot
from bots.roles import Role
from gridtrader import logins
from tests.api.conftest import Caller
from tests.factories import UserFactory


@pytest.fixture
def two_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every bucket holds two calls."""
    for throttle, name in (
        (CallThrottle, "reads"),
        (CallThrottle, "control"),
        (KillThrottle, "kills"),
    ):
        monkeypatch.setattr(throttle, name, Bucket(2))


def read(client: APIClient) -> int:
    return client.get("/api/bots").status_code


def steer(client: APIClient) -> int:
    return client.post("/api/pause", {}, format="json").status_code


def kill(client: APIClient) -> int:
    return client.post("/api/kill", {}, format="json").status_code


KINDS = {read: 200, steer: 400, kill: 400}  # an empty body says nothing, but it is a call


@pytest.mark.parametrize(("kind", "other"), list(product(KINDS, KINDS)))
def test_a_kind_of_calls_uses_up_its_own_bucket_alone(
    two_calls: None, caller: Caller, bot: Bot, kind, other
) -> None:
    boss = caller(Role.ADMIN)
    assert [kind(boss) for _ in range(3)] == [KINDS[kind]] * 2 + [429]
    assert other(boss) == (429 if other is kind else KINDS[other])


def test_whoever_waits_is_told_how_long_and_others_do_not(
    two_calls: None, caller: Caller, bot: Bot
) -> None:
    busy, calm = caller(Role.TRADER), caller(Role.VIEWER)
    answers = [busy.get("/api/bots") for _ in range(3)]
    assert answers[2].status_code == 429
    assert answers[2].json()["error"]["code"] == "throttled"
    assert 0 < int(answers[2]["Retry-After"]) <= 30
    assert read(calm) == 200


def test_a_session_has_no_bucket_beside_its_token(
    two_calls: None, caller: Caller, bot: Bot
) -> None:
    token = caller(Role.VIEWER)
    browser = APIClient()
    browser.force_login(User.objects.get(username="the-viewer"))
    assert [read(token), read(browser), read(token), read(browser)] == [200, 200, 429, 429]


def test_buckets_fill_again() -> None:
    now = 0.0
    bucket = Bucket(60, lambda: now)
    assert [bucket.take("ann") for _ in range(60)] == [0.0] * 60
    assert bucket.take("ann") == pytest.approx(1.0)
    now = 1.0
    assert bucket.take("ann") == 0.0
    assert bucket.take("ann") > 0


def test_an_address_that_is_claimed_opens_no_login(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A header can name any address; the pace and the lock-out go by the connection's."""
    monkeypatch.setattr(logins, "_tries", Bucket(7))
    UserFactory(username="tom", role=Role.TRADER)

    def knock(number: int) -> int:
        wish = {"username": "tom", "password": "wrong"}
        claimed = {"X-Forwarded-For": f"192.0.2.{number}"}
        return Client(headers=claimed).post("/login/", wish).status_code

    assert [knock(number) for number in range(5)] == [200] * 4 + [429]
    assert Client().post("/login/", {"username": "ann", "password": "x"}).status_code == 200
    assert knock(8) == 429
    assert Client().post("/login/", {"username": "ann", "password": "x"}).status_code == 429
