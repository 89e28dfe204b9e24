"""Every route x method x caller: a cell for each, and no route without a row (tests/api/matrix.py).

Requests say nothing (an empty form or object), so that who may is told what is missing, and a
refusal has to write nothing.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.apps import apps
from django.contrib.auth.models import User
from django.db import connection
from django.template.response import SimpleTemplateResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from bots import roles
from bots.models import Bot
from bots.urls import websocket_urlpatterns
from integrations.models import Alert, Lane, LegacyTrade, Parcel
from tests.admin.test_pages import rows
from tests.api.matrix import (
    API,
    DOOR,
    METHODS,
    PAGES,
    PEOPLE,
    SOCKETS,
    STAFF,
    Caller,
    staff_rows,
)
from tests.factories import NOON, UserFactory, new_token
from tests.test_live import socket

__all__ = ["rows"]

SAMPLES = {
    "slug": "btc-usdt", "symbol": "BTCUSDT", "number": "0", "name": "ladder", "kind": "csv",
    "rest": "nowhere", "id": "1", "content_type_id": "1", "url": "nowhere", "app_label": "bots",
}  # fmt: skip
REFUSED = (401, 403, 405)
WRITES = ("INSERT", "UPDATE", "DELETE")


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
    assert [str(each.pattern) for each in websocket_urlpatterns] == list(SOCKETS)


def address(route: str, **more: str) -> str:
    """An address that the route matches."""
    found = re.sub(r"\^?\(\?P<(\w+)>[^)]*\)\$?", r"<\1>", route).removesuffix("$")
    return "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda hit: {**SAMPLES, **more}[hit[1]], found)


def enter(caller: Caller) -> Client:
    """A client of that caller."""
    client = Client()
    if caller.role is not None:
        name = str(caller)
        user = User.objects.filter(username=name).first()
        user = user or UserFactory(username=name, role=caller.role, is_staff=caller.staff)
        client.force_login(user)
    return client


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
    route: str, callers: list[Caller], cell: Callable[[str, Caller], int], **ids: str
) -> None:
    """Ask for every cell of a route."""
    where, wrong = address(route, **ids), []
    for caller in callers:
        client = enter(caller)
        for method in METHODS:
            if "logout" in route:
                client = enter(caller)
            status, written = ask(client, method, route, where)
            expected = cell(method, caller)
            if status != expected:
                wrong.append(f"{method} by {caller}: {status}, not {expected}")
            if status in REFUSED and written:
                wrong.append(f"{method} by {caller}: refused, and wrote {written[0][:80]}")
    assert not wrong, f"{where}: " + "; ".join(wrong)


@pytest.mark.parametrize("route", OUTSIDE)
def test_a_route(rows: Bot, route: str) -> None:
    check(route, PEOPLE, {**API, **PAGES}[route].cell)


@pytest.fixture
def more_rows(rows: Bot) -> None:
    """A row of every other model that the admin shows."""
    roles.ensure_groups()
    times = {"sent_at": NOON, "received_at": NOON}
    Alert.objects.create(source="x", name="1", body_hash="x", symbol="ALL", action="pause", **times)
    Parcel.objects.create(lane="x", key="x", payload={}, created_at=NOON, due_at=NOON)
    Lane.objects.create(name="x")
    LegacyTrade.objects.create(page="x")
    new_token(UserFactory())


@pytest.fixture
def unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of the admin are not drawn: here it only counts who may see them."""
    monkeypatch.setattr(SimpleTemplateResponse, "rendered_content", "")


def row_of(route: str) -> str:
    """The key of a row that the page shows."""
    found = re.match(r"admin/(\w+)/(\w+)/<", route)
    if found is None:
        return "1"
    first = apps.get_model(found[1], found[2])._default_manager.first()
    assert first is not None, f"the matrix needs a row of {found[2]}"
    return str(first.pk)


@pytest.mark.parametrize("route", IN_ADMIN)
def test_a_route_of_the_admin(more_rows: None, unseen: None, route: str) -> None:
    key = row_of(route)
    check(route, STAFF, staff_rows()[route].cell, object_id=key)
    check(route, PEOPLE, lambda method, caller: 302, object_id=key)


def test_the_door_of_the_admin(rows: Bot, unseen: None) -> None:
    form = {"GET": 200, "HEAD": 200, "POST": 200, "PUT": 200, "OPTIONS": 200}
    check(DOOR, PEOPLE, lambda method, caller: form.get(method, 405))
    inside = {**form, "GET": 302}
    check(DOOR, STAFF, lambda method, caller: inside.get(method, 405))


@pytest.mark.parametrize("caller", PEOPLE, ids=str)
@pytest.mark.parametrize("route", SOCKETS)
async def test_a_socket(transactional_db: None, route: str, caller: Caller) -> None:
    account = None
    if caller.role is not None:
        account = await sync_to_async(UserFactory)(role=caller.role)
    async with socket(account, f"/{route}") as talk:
        first = await talk.receive_output(timeout=10)
    opens = caller.role in SOCKETS[route]
    assert first["type"] == ("websocket.send" if opens else "websocket.close")
    assert first.get("code") == (None if opens else 4401)
