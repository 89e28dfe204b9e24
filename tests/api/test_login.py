"""Who gets in: tokens, sessions, roles, and that nothing is open by default."""

import hashlib

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from rest_framework.test import APIClient

from bots import roles
from bots.api import reads as api
from bots.api import urls as api_urls
from bots.models import ApiToken, Bot
from bots.roles import Role
from tests.api.conftest import Caller
from tests.factories import PASSWORD, UserFactory, new_token

READS = [
    "/api/bots",
    "/api/bots/btc-usdt",
    "/api/bots/btc-usdt/cells",
    "/api/orders",
    "/api/fills",
    "/api/round-trips",
    "/api/metrics",
    "/api/risk",
    "/api/audit",
    "/api/candles?symbol=BTCUSDT&interval=1",
    "/api/export/candles.csv?symbol=BTCUSDT&interval=1",
]
SWITCHES = ["/api/pause", "/api/resume"]


@pytest.mark.parametrize("address", READS)
@pytest.mark.parametrize(
    ("role", "status"),
    [(Role.VIEWER, 200), (Role.TRADER, 200), (Role.ADMIN, 200), (Role.KILLER, 403), (None, 401)],
)
def test_who_reads(caller: Caller, bot: Bot, address: str, role: Role | None, status: int) -> None:
    assert caller(role).get(address).status_code == status


@pytest.mark.parametrize("address", SWITCHES)
@pytest.mark.parametrize(
    ("role", "status"),
    [(Role.VIEWER, 403), (Role.TRADER, 200), (Role.ADMIN, 200), (Role.KILLER, 403), (None, 401)],
)
def test_who_steers(caller: Caller, bot: Bot, address: str, role: Role | None, status: int) -> None:
    answer = caller(role).post(address, {"bot": bot.slug}, format="json")
    assert answer.status_code == status
    if status == 403:
        assert "trader, admin" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("role", "status"),
    [(Role.VIEWER, 403), (Role.TRADER, 400), (Role.ADMIN, 400), (Role.KILLER, 403), (None, 401)],
)
def test_who_deploys(caller: Caller, role: Role | None, status: int) -> None:
    """Nobody's wish is empty, so those who may are told what is missing."""
    assert caller(role).post("/api/deploy", {}, format="json").status_code == status


@pytest.mark.parametrize(
    ("role", "status"),
    [(Role.VIEWER, 403), (Role.TRADER, 400), (Role.ADMIN, 400), (Role.KILLER, 403), (None, 401)],
)
def test_who_rebalances(caller: Caller, role: Role | None, status: int) -> None:
    assert caller(role).post("/api/rebalance", {"bot": 7}, format="json").status_code == status


def test_every_address_is_in_the_matrix() -> None:
    reads = {address.partition("?")[0] for address in READS}
    told = {
        *reads,
        *SWITCHES,
        "/api/kill",
        "/api/deploy",
        "/api/rebalance",
        "/api/tv-alert",
        "/api/health",
        "/api/",
    }
    offered = {
        "/api/" + str(pattern.pattern).replace("<slug:slug>", "btc-usdt")
        for pattern in api_urls.urlpatterns
        if pattern.name != "api-nowhere"
    }
    assert offered == told


def test_a_view_without_permissions_is_closed(caller: Caller) -> None:
    assert [permission.__name__ for permission in api.APIView.permission_classes] == ["Nobody"]


def test_a_superuser_is_an_admin(db: None) -> None:
    assert roles.roles_of(UserFactory(is_superuser=True)) == {Role.ADMIN}
    assert roles.roles_of(UserFactory(is_superuser=True, is_active=False)) == frozenset()


@pytest.mark.parametrize(
    "header", ["Token", "Token a b", "Token wrong", "Token \xff", "token " + "x" * 5000]
)
def test_bad_tokens_are_refused_and_not_repeated(bot: Bot, header: str) -> None:
    answer = APIClient(HTTP_AUTHORIZATION=header).get("/api/bots")
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Token"
    error = answer.json()["error"]
    assert error["code"] == "not_authenticated"
    assert "Authorization: Token KEY" in error["message"]
    assert "wrong" not in error["message"]


def test_the_token_of_someone_inactive_is_dead(caller: Caller, bot: Bot) -> None:
    client = caller(Role.ADMIN)
    User.objects.update(is_active=False)
    assert client.get("/api/bots").status_code == 401


def test_a_session_steers_only_with_its_csrf_token(bot: Bot) -> None:
    UserFactory(username="tom", role=Role.TRADER)
    browser = Client(enforce_csrf_checks=True)
    browser.get("/login/")
    form = {"username": "tom", "password": PASSWORD}
    token = browser.cookies["csrftoken"].value
    browser.post("/login/", form | {"csrfmiddlewaretoken": token})
    body, kind = {"bot": bot.slug}, "application/json"
    without = browser.post("/api/pause", body, content_type=kind)
    assert without.status_code == 403
    assert "CSRF" in without.json()["error"]["message"]
    token = browser.cookies["csrftoken"].value
    done = browser.post("/api/pause", body, content_type=kind, headers={"X-CSRFToken": token})
    assert done.status_code == 200
    assert done.json()["state"] == "paused"


def everything_stored() -> str:
    """Every row of every table, as text."""
    rows: list[str] = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT t::text FROM "{table}" t')  # noqa: S608 - names from the catalogue
            rows += [row for (row,) in cursor.fetchall()]
    return "\n".join(rows)


def test_a_key_is_kept_as_its_hash_only(db: None) -> None:
    key = new_token(UserFactory(username="vera"))
    stored = everything_stored()
    assert "vera" in stored
    assert key not in stored
    assert hashlib.sha256(key.encode()).hexdigest() in stored


def test_the_token_command_makes_the_account_and_prints_a_working_key(
    bot: Bot, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("token", "vera", "--role", "viewer")
    key = capsys.readouterr().out.strip()
    assert len(key) >= 43
    vera = User.objects.get(username="vera")
    assert not vera.has_usable_password()
    assert not vera.is_staff
    client = APIClient(HTTP_AUTHORIZATION=f"Token {key}")
    assert client.get("/api/bots").status_code == 200
    assert client.post("/api/pause", {"bot": bot.slug}, format="json").status_code == 403


def test_a_new_role_takes_the_place_of_the_old_one(
    bot: Bot, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("token", "vera", "--role", "trader")
    first = capsys.readouterr().out.strip()
    call_command("token", "vera", "--role", "killer")
    told = capsys.readouterr()
    assert "was trader and is killer now" in told.err
    assert told.out.strip() != first
    assert APIClient(HTTP_AUTHORIZATION=f"Token {first}").get("/api/bots").status_code == 403


@pytest.mark.parametrize(
    ("name", "role", "words"),
    [
        ("root", "viewer", "superuser"),
        ("gone", "viewer", "not active"),
        ("a b/c", "viewer", "valid username"),
        ("", "viewer", "cannot be blank"),
        ("vera", "boss", "viewer, trader, admin, killer|'viewer', 'trader', 'admin', 'killer'"),
    ],
)
def test_the_token_command_refuses(db: None, name: str, role: str, words: str) -> None:
    UserFactory(username="root", is_superuser=True)
    UserFactory(username="gone", is_active=False)
    with pytest.raises(CommandError, match=words):
        call_command("token", name, "--role", role)
    assert not ApiToken.objects.exists()
    assert User.objects.count() == 2
