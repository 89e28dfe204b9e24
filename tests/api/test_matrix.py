"""Every route x method x caller: a cell for each, and no route without a row (tests/api/matrix.py).

Requests say nothing (an empty form or object), so that who may is told what is missing, and a
refusal has to write nothing. Statuses are what counts, so no template draws anything; rows and
accounts are made once, and what a route changes is taken back after it.
"""

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.admin import AdminSite
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.template.backends.django import Template
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from pytest_django import DjangoDbBlocker

from integrations.models import Alert, Lane, LegacyTrade, Parcel
from tests.admin.test_pages import one_of_each
from tests.api.matrix import (
    API,
    DOOR,
    METHODS,
    PAGES,
    PEOPLE,
    STAFF,
    Caller,
    staff_rows,
)
from tests.factories import NOON, UserFactory, new_token

Sessions = Mapping[Caller, str]
SAMPLES = {
    "slug": "btc-usdt", "symbol": "BTCUSDT", "number": "0", "name": "ladder", "kind": "csv",
    "rest": "nowhere", "id": "1", "content_type_id": "1", "url": "nowhere", "app_label": "bots",
}  # fmt: skip
REFUSED = (401, 403, 405)
WRITES = ("INSERT", "UPDATE", "DELETE")
CLIENT = Client()


def routes(resolver: URLResolver, before: str = "") -> Iterator[str]:
    """Every address of the URL configuration, as it is written there."""
    for entry in resolver.url_patterns:
        route = before + str(entry.pattern)
        if isinstance(entry, URLPattern):
            yield route
        else:
            yield from routes(entry, route)


ROUTES = list(routes(get_resolver()))
IN_ADMIN = [route for route in ROUTES if route.startswith("admin/") and route != DOOR]
OUTSIDE = [route for route in ROUTES if not route.startswith("admin/")]


def test_every_route_has_its_row_and_every_row_its_route() -> None:
    told = {**API, **PAGES, **staff_rows()}
    assert sorted(told) == sorted(route for route in ROUTES if route != DOOR)
    assert DOOR in ROUTES


def address(route: str, **more: str) -> str:
    """An address that the route matches."""
    found = re.sub(r"\^?\(\?P<(\w+)>[^)]*\)\$?", r"<\1>", route).removesuffix("$")
    return "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda hit: {**SAMPLES, **more}[hit[1]], found)


def make_rows() -> None:
    """A row at least of every model that a page or the admin shows."""
    one_of_each()
    times = {"sent_at": NOON, "received_at": NOON}
    Alert.objects.create(source="x", name="1", body_hash="x", symbol="ALL", action="pause", **times)
    Parcel.objects.create(lane="x", key="x", payload={}, created_at=NOON, due_at=NOON)
    Lane.objects.create(name="x")
    LegacyTrade.objects.create(page="x")
    new_token(UserFactory())


def log_in(caller: Caller) -> str:
    """A new session of that caller, if it is somebody."""
    if caller.role is None:
        return ""
    client = Client()
    client.force_login(User.objects.get(username=str(caller)))
    return str(client.cookies[settings.SESSION_COOKIE_NAME].value)


@pytest.fixture(scope="module")
def house(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Sessions]:
    """Rows, and accounts that are logged in, for all tests of this module."""
    with django_db_blocker.unblock(), transaction.atomic():
        make_rows()
        for caller in (*PEOPLE, *STAFF):
            if caller.role is not None:
                UserFactory(username=str(caller), role=caller.role, is_staff=caller.staff)
        yield {caller: log_in(caller) for caller in (*PEOPLE, *STAFF)}
        transaction.set_rollback(True)


@pytest.fixture
def sessions(house: Sessions, db: None, monkeypatch: pytest.MonkeyPatch) -> Sessions:
    """The house for one test: what that changes is rolled back, and templates draw nothing."""
    monkeypatch.setattr(Template, "render", lambda *_, **__: "")
    monkeypatch.setattr(AdminSite, "each_context", lambda *_: {})
    monkeypatch.setattr(logging.getLogger("django.request"), "disabled", True)  # of each refusal
    return house


def enter(session: str) -> Client:
    """The client, as somebody else from now on; one for all has its middleware made once."""
    CLIENT.cookies.clear()
    if session:
        CLIENT.cookies[settings.SESSION_COOKIE_NAME] = session
    return CLIENT


def ask(client: Client, method: str, route: str, where: str) -> tuple[int, list[str]]:
    """The status, and what was written to the database on the way."""
    written: list[str] = []

    def watch(execute: Callable[..., Any], sql: str, *args: Any) -> Any:
        if sql.startswith(WRITES) and "django_session" not in sql:
            written.append(sql)
        return execute(sql, *args)

    is_api = route.startswith("api/")
    kind = "application/json" if is_api else "application/x-www-form-urlencoded"
    with connection.execute_wrapper(watch):
        answer = client.generic(method, where, "{}" if is_api else "", content_type=kind)
    return answer.status_code, written


def check(
    sessions: Sessions,
    route: str,
    callers: list[Caller],
    cell: Callable[[str, Caller], int],
    **ids: str,
) -> None:
    """Ask for every cell of a route."""
    where, wrong = address(route, **ids), []
    for caller in callers:
        client = enter(sessions[caller])
        for method in METHODS:
            if "logout" in route:
                client = enter(log_in(caller))
            status, written = ask(client, method, route, where)
            expected = cell(method, caller)
            if status != expected:
                wrong.append(f"{method} by {caller}: {status}, not {expected}")
            if status in REFUSED and written:
                wrong.append(f"{method} by {caller}: refused, and wrote {written[0][:80]}")
    assert not wrong, f"{where}: " + "; ".join(wrong)


@pytest.mark.parametrize("route", OUTSIDE)
def test_a_route(sessions: Sessions, route: str) -> None:
    check(sessions, route, PEOPLE, {**API, **PAGES}[route].cell)


def row_of(route: str) -> str:
    """The key of a row that the page shows."""
    found = re.match(r"admin/(\w+)/(\w+)/<", route)
    if found is None:
        return "1"
    first = apps.get_model(found[1], found[2])._default_manager.first()
    assert first is not None, f"the matrix needs a row of {found[2]}"
    return str(first.pk)


@pytest.mark.parametrize("route", IN_ADMIN)
def test_a_route_of_the_admin(sessions: Sessions, route: str) -> None:
    key = row_of(route)
    check(sessions, route, STAFF, staff_rows()[route].cell, object_id=key)
    check(sessions, route, PEOPLE, lambda method, caller: 302, object_id=key)


def test_the_door_of_the_admin(sessions: Sessions) -> None:
    form = {"GET": 200, "HEAD": 200, "POST": 200, "PUT": 200, "OPTIONS": 200}
    check(sessions, DOOR, PEOPLE, lambda method, caller: form.get(method, 405))
    inside = {**form, "GET": 302}
    check(sessions, DOOR, STAFF, lambda method, caller: inside.get(method, 405))
