"""Who gets in: tokens, sessions, roles, and that nothing is open by default."""

import hashlib
import re
from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from bots import roles, tokens
from bots.api import reads as api
from bots.api.throttling import Bucket
from bots.models import ApiToken, Bot
from bots.roles import Role
from gridtrader import logins
from risk.models import AuditRow
from tests.api.conftest import Caller
from tests.factories import PASSWORD, UserFactory, new_token


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


# --- the login form ------------------------------------------------------------------------------


@pytest.fixture
def tom(db: None, monkeypatch: pytest.MonkeyPatch) -> User:
    monkeypatch.setattr(logins, "_tries", Bucket(30))
    return UserFactory(username="tom", role=Role.TRADER)


def knock(name: str, password: str, form: str = "/login/", where: str = "127.0.0.1") -> int:
    wish = {"username": name, "password": password}
    return Client(REMOTE_ADDR=where).post(form, wish).status_code


@pytest.mark.parametrize("form", ["/login/", "/admin/login/"])
def test_five_wrong_passwords_close_the_name_to_their_address(tom: User, form: str) -> None:
    assert [knock("tom", f"guess {number}", form) for number in range(4)] == [200] * 4
    assert knock("tom", "guess 5", form) == 429
    assert knock("tom", PASSWORD, form) == 429, "the right one is of no use now"
    assert knock("tom", PASSWORD) == 429, "nor at the other form"
    assert knock("tom", PASSWORD, where="192.0.2.7") == 302, "tom himself, from elsewhere"
    UserFactory(username="ann", role=Role.VIEWER)
    assert knock("ann", PASSWORD) == 302, "others are not concerned"


def test_a_closed_name_opens_after_a_while(tom: User) -> None:
    for number in range(6):
        knock("tom", f"guess {number}")
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=16))
    assert knock("tom", PASSWORD) == 302


def test_a_login_forgets_wrong_passwords(tom: User) -> None:
    for _ in range(3):
        assert [knock("tom", "guess") for _ in range(4)] == [200] * 4
        assert knock("tom", PASSWORD) == 302


def test_names_are_not_tried_out_one_by_one(tom: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logins, "_tries", Bucket(3))
    said = [Client().post("/login/", {"username": f"n{n}", "password": "x"}) for n in range(4)]
    assert [answer.status_code for answer in said] == [200, 200, 200, 429]
    assert int(said[3]["Retry-After"]) > 0


def test_what_was_typed_as_a_name_is_in_no_log(tom: User, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(6):
        knock("my secret, typed too early", "x")
    assert "typed too early" not in caplog.text


# --- tokens --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "reads", "steers", "kills"),
    [
        ("", 200, 200, 400),
        ("admin", 200, 200, 400),
        ("trader", 200, 200, 403),
        ("viewer", 200, 403, 403),
        ("killer", 403, 403, 400),
    ],
)
def test_a_scope_leaves_that_much(
    bot: Bot, scope: str, reads: int, steers: int, kills: int
) -> None:
    boss = UserFactory(role=Role.ADMIN)
    key = tokens.make(boss, by="a test", scope=scope)
    client = APIClient(HTTP_AUTHORIZATION=f"Token {key}")
    assert client.get("/api/bots").status_code == reads
    assert client.post("/api/pause", {"bot": bot.slug}, format="json").status_code == steers
    assert client.post("/api/kill", {}, format="json").status_code == kills


def test_a_scope_adds_nothing(bot: Bot) -> None:
    vera = UserFactory(role=Role.VIEWER)
    with pytest.raises(tokens.NotPossible, match="accepted: viewer"):
        tokens.make(vera, by="a test", scope="trader")
    boss = UserFactory(role=Role.ADMIN)
    key = tokens.make(boss, by="a test", scope="trader")
    roles.give(boss, Role.VIEWER)
    client = APIClient(HTTP_AUTHORIZATION=f"Token {key}")
    assert client.post("/api/pause", {"bot": bot.slug}, format="json").status_code == 403


def test_a_token_ends(bot: Bot) -> None:
    key = tokens.make(UserFactory(role=Role.VIEWER), by="a test", days=1)
    client = APIClient(HTTP_AUTHORIZATION=f"Token {key}")
    assert client.get("/api/bots").status_code == 200
    ApiToken.objects.update(expires_at=timezone.now())
    answer = client.get("/api/bots")
    assert answer.status_code == 401
    assert "the token ended on" in answer.json()["error"]["message"]


def test_the_command_lists_and_revokes(bot: Bot, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--role", "trader", "--scope", "viewer", "--days", "7", "--name", "the wall")
    call_command("token", "vera", *options)
    key = capsys.readouterr().out.strip()
    call_command("token", "vera", "--list")
    listed = capsys.readouterr().out
    assert "the wall  scope viewer" in listed
    assert key not in listed
    with pytest.raises(CommandError, match="has no token 0; accepted: all, "):
        call_command("token", "vera", "--revoke", "0")
    call_command("token", "vera", "--revoke", listed.split()[0])
    assert APIClient(HTTP_AUTHORIZATION=f"Token {key}").get("/api/bots").status_code == 401
    acts = list(AuditRow.objects.order_by("number").values_list("what", "who"))
    assert [act for act, _ in acts] == ["role", "token made", "token revoked"]


def test_the_admin_makes_a_token_and_shows_it_once(bot: Bot) -> None:
    boss = UserFactory(role=Role.ADMIN, is_staff=True)
    vera = UserFactory(username="vera", role=Role.VIEWER)
    client = Client()
    client.force_login(boss)
    wish = {"user": vera.pk, "name": "wall", "scope": "trader", "days": "30"}
    refused = client.post("/admin/bots/apitoken/add/", wish)
    assert "accepted: viewer" in refused.content.decode()
    made = client.post("/admin/bots/apitoken/add/", wish | {"scope": "viewer"})
    key = re.search(r'<code id="key">([^<]+)', made.content.decode())[1]
    assert "no-store" in made["Cache-Control"]
    assert APIClient(HTTP_AUTHORIZATION=f"Token {key}").get("/api/bots").status_code == 200
    assert key not in everything_stored()
    listed = client.get("/admin/bots/apitoken/").content.decode()
    assert "wall" in listed
    assert key not in listed
    token = ApiToken.objects.get()
    client.post(f"/admin/bots/apitoken/{token.pk}/delete/", {"post": "yes"})
    assert not ApiToken.objects.exists()
    assert AuditRow.objects.filter(what="token revoked", who=boss.username).exists()
