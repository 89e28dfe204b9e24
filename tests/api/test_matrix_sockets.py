"""The WebSocket's cells of the matrix: every caller, and whether the door opens."""

import pytest
from asgiref.sync import sync_to_async

from bots.urls import websocket_urlpatterns
from tests.api.matrix import PEOPLE, SOCKETS, Caller
from tests.factories import UserFactory
from tests.test_live import socket


def test_every_socket_has_its_row_and_every_row_its_socket() -> None:
    assert [str(each.pattern) for each in websocket_urlpatterns] == list(SOCKETS)


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
