"""The site's own defences: what `check --deploy` asks, headers, cookies, hashes, sizes."""

import json
import re
import secrets
from pathlib import Path
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.conf import settings as live_settings
from django.contrib.auth import authenticate
from django.contrib.auth.hashers import get_hashers, identify_hasher
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.test import Client, override_settings

from bots.roles import Role
from gridtrader.csp import POLICY
from integrations.bodies import Bounded
from tests.factories import UserFactory
from tests.test_env import manage, setting

PUBLIC = {
    "GRIDTRADER_MODE": "live",
    "GRIDTRADER_HOST": "0.0.0.0",
    "ALLOWED_HOSTS": "trader.example.org",
    "CSRF_TRUSTED_ORIGINS": "https://trader.example.org",
    "BYBIT_API_KEY": "key",
    "BYBIT_API_SECRET": "secret",
    "DATABASE_URL": "postgres://nobody:nothing@127.0.0.1:1/none",
    "REDIS_URL": "redis://127.0.0.1:1",
}
CHECK = ("check", "--deploy", "--fail-level", "WARNING")
TLS = "security.W004", "security.W008", "security.W012", "security.W016"


def public(**others: str) -> dict[str, str]:
    return {**PUBLIC, "SECRET_KEY": secrets.token_urlsafe(60), **others}


def test_check_deploy_is_clean_on_a_public_host_with_nothing_silenced(tmp_path: Path) -> None:
    done = manage(tmp_path, *CHECK, **public())
    assert done.returncode == 0, done.stderr
    assert "no issues (0 silenced)" in done.stdout


def test_on_this_machine_alone_only_what_needs_tls_is_silenced(tmp_path: Path) -> None:
    given = {name: text for name, text in public().items() if "HOST" not in name}
    done = manage(tmp_path, *CHECK, **given)
    assert done.returncode == 0, done.stderr
    assert f"no issues ({len(TLS)} silenced)" in done.stdout
    assert setting(tmp_path, "*s.SILENCED_SYSTEM_CHECKS", **given) == " ".join(TLS)


def test_without_tls_a_public_host_fails_the_check_and_so_does_debug(tmp_path: Path) -> None:
    done = manage(tmp_path, *CHECK, **public(BEHIND_HTTPS="no", DEBUG="yes"))
    assert done.returncode == 1
    assert all(number in done.stderr for number in (*TLS, "security.W018"))


def test_with_a_public_name_on_this_machine_a_proxy_and_its_tls_are_there(tmp_path: Path) -> None:
    """Nobody calls a loopback address by such a name: a proxy does."""
    told = setting(
        tmp_path,
        "s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.SECURE_SSL_REDIRECT,"
        "s.SECURE_HSTS_SECONDS >= 31536000, s.SESSION_COOKIE_HTTPONLY, s.SESSION_COOKIE_SAMESITE,"
        "hasattr(s, 'SILENCED_SYSTEM_CHECKS') and s.SILENCED_SYSTEM_CHECKS",
        **public(GRIDTRADER_HOST="127.0.0.1"),
    )
    assert told == "True True True True True Strict []"


def test_a_header_snapshot(db: None) -> None:
    with override_settings(
        SECURE_SSL_REDIRECT=True,
        SECURE_HSTS_SECONDS=31_536_000,
        SESSION_COOKIE_SECURE=True,
        CSRF_COOKIE_SECURE=True,
    ):
        assert Client().get("/login/").status_code == 301
        client = Client(headers={"X-Forwarded-Proto": "https"})
        answer = client.get("/login/", secure=True)
    assert answer.status_code == 200
    headers = answer.headers
    assert headers["Content-Security-Policy"] == POLICY
    assert headers["Strict-Transport-Security"].startswith("max-age=31536000")
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    cookie = answer.cookies["csrftoken"]
    assert (cookie["secure"], cookie["samesite"]) == (True, "Strict")
    assert "Server" not in headers or "/" not in headers["Server"]


def test_the_policy_lets_no_foreign_and_no_inline_script_run() -> None:
    rules = dict(rule.split(" ", 1) for rule in POLICY.split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == "'self'"
    assert rules["style-src"] == rules["style-src-elem"] == "'self'"
    assert rules["frame-ancestors"] == rules["base-uri"] == "'none'"
    assert rules["form-action"] == rules["connect-src"] == "'self'"
    assert not re.search(r"https?:|\*|unsafe-eval", POLICY)


def test_passwords_are_hashed_by_argon2_and_older_hashes_move_to_it(
    db: None, tmp_path: Path
) -> None:
    names = setting(tmp_path, "*[name.rpartition('.')[2] for name in s.PASSWORD_HASHERS]")
    assert names.split()[0] == "Argon2PasswordHasher"
    hashers = [f"django.contrib.auth.hashers.{name}" for name in names.split()]
    with override_settings(PASSWORD_HASHERS=hashers[1:]):
        user = User.objects.create_user("vera", password="a long enough one")
        assert user.password.startswith("pbkdf2_")
    with override_settings(PASSWORD_HASHERS=hashers):
        assert get_hashers()[0].algorithm == "argon2"
        assert authenticate(HttpRequest(), username="vera", password="a long enough one")
        user.refresh_from_db()
        assert identify_hasher(user.password).algorithm == "argon2"


async def serve(most: int, *parts: bytes, told: int | None = None) -> tuple[int, bytes, list[Any]]:
    """What a site of so long bodies answers to a body in parts, and what came through."""
    through: list[bytes] = []

    async def site(scope: Any, receive: Any, send: Any) -> None:
        event = await receive()
        assert not event["more_body"]
        through.append(event["body"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    headers = [] if told is None else [(b"content-length", str(told).encode())]
    scope = {"type": "http", "method": "POST", "path": "/api/pause", "headers": headers}
    talk = ApplicationCommunicator(Bounded(site, most), scope)
    for place, part in enumerate(parts, 1):
        more = place < len(parts)
        await talk.send_input({"type": "http.request", "body": part, "more_body": more})
    start = await talk.receive_output()
    body = await talk.receive_output()
    return start["status"], body["body"], through


async def test_a_body_of_the_longest_length_passes_whole() -> None:
    assert await serve(10, b"01234", b"", b"56789") == (200, b"{}", [b"0123456789"])


@pytest.mark.parametrize(
    ("parts", "told"), [((b"0" * 11,), None), ((b"0" * 6, b"0" * 6), 5), ((b"",), 11)]
)
async def test_a_longer_one_is_refused_whatever_its_header_says(
    parts: tuple[bytes, ...], told: int | None
) -> None:
    status, body, through = await serve(10, *parts, told=told)
    assert (status, through) == (413, [])
    assert json.loads(body)["error"]["code"] == "too_large"


def test_the_site_stands_behind_that_layer() -> None:
    from gridtrader import asgi

    door = asgi.application.application_mapping["http"].application
    assert isinstance(door._app, Bounded)
    assert door._app._most == live_settings.DATA_UPLOAD_MAX_MEMORY_SIZE == 65_536


@pytest.mark.parametrize("depth", [900, 60_000])
def test_deep_json_is_refused_and_no_error_of_ours(db: None, depth: int) -> None:
    client = Client()
    client.force_login(UserFactory(role=Role.ADMIN))
    answer = client.post("/api/pause", b"[" * depth, content_type="application/json")
    assert answer.status_code == 400, answer.content
