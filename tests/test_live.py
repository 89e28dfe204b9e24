"""The live page's WebSocket, on the real application, PostgreSQL and Redis."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest
from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from bots import consumers, control, live, roles
from bots.consumers import differences
from bots.live import Pacer
from bots.models import Bot
from bots.reports import cards
from gridtrader.sockets import is_ours
from market.types import Side
from tests.browser.house import fill, furnish, nearest
from tests.browser.venue import START, tick

WAIT_S = 10


@pytest.fixture
def viewer(transactional_db: None) -> User:
    user = User.objects.create_user("viewer")
    roles.give(user, roles.Role.VIEWER)
    return user


def cookie_of(user: User) -> str:
    client = Client()
    client.force_login(user)
    return str(client.cookies[settings.SESSION_COOKIE_NAME].value)


@asynccontextmanager
async def socket(
    user: User | None, address: str = "/ws/live/", cookie: str = ""
) -> AsyncIterator[WebsocketCommunicator]:
    from gridtrader.asgi import application

    headers = [(b"origin", b"http://localhost"), (b"host", b"localhost")]
    if user is not None:
        session = cookie or await database_sync_to_async(cookie_of)(user)
        headers.append((b"cookie", f"{settings.SESSION_COOKIE_NAME}={session}".encode()))
    communicator = WebsocketCommunicator(application, address, headers=headers)
    connected, _ = await communicator.connect(timeout=WAIT_S)
    assert connected
    yield communicator
    await communicator.disconnect(timeout=WAIT_S)


async def frame(talk: WebsocketCommunicator, kind: str) -> dict[str, Any]:
    """The next envelope of a type; others are let pass."""
    async with asyncio.timeout(WAIT_S):
        while True:
            envelope = await talk.receive_json_from(timeout=WAIT_S)
            if envelope["type"] == kind:
                return envelope


elsewhere: Callable[..., Any] = asyncio.to_thread


async def test_strangers_are_closed_with_4401(transactional_db: None) -> None:
    async with socket(None) as talk:
        assert await talk.receive_output(timeout=WAIT_S) == {
            "type": "websocket.close",
            "code": 4401,
        }


async def test_those_who_may_not_read_are_closed_too(viewer: User) -> None:
    await database_sync_to_async(roles.give)(viewer, roles.Role.KILLER)
    async with socket(viewer) as talk:
        assert (await talk.receive_output(timeout=WAIT_S))["code"] == 4401


async def test_first_comes_a_snapshot_of_what_the_reports_say(viewer: User) -> None:
    await database_sync_to_async(furnish)()
    async with socket(viewer) as talk:
        first = await talk.receive_json_from(timeout=WAIT_S)
    assert (first["v"], first["type"], first["seq"]) == (1, "snapshot", 1)
    said = await database_sync_to_async(cards.dashboard)()
    assert [card["slug"] for card in first["data"]["bots"]] == [
        card["slug"] for card in said["bots"]
    ]
    assert first["data"]["totals"] == said["totals"]


async def test_frames_are_numbered_without_a_gap_and_the_heart_beats(viewer: User) -> None:
    async with socket(viewer) as talk:
        seen = [await talk.receive_json_from(timeout=WAIT_S) for _ in range(3)]
    assert [envelope["seq"] for envelope in seen] == [1, 2, 3]
    assert [envelope["type"] for envelope in seen] == ["snapshot", "hb", "hb"]


async def test_resume_brings_another_snapshot(viewer: User) -> None:
    async with socket(viewer) as talk:
        await frame(talk, "snapshot")
        await talk.send_json_to({"type": "resume", "seq": 1})
        assert (await frame(talk, "snapshot"))["seq"] > 1


async def test_what_a_page_sends_beyond_that_is_ignored(viewer: User) -> None:
    async with socket(viewer) as talk:
        await frame(talk, "snapshot")
        await talk.send_json_to({"type": "kill"})
        await talk.send_json_to(["nonsense"])
        await frame(talk, "hb")


@pytest.mark.parametrize("text", ["{", "[" * 200, "[" * 100_000])
async def test_a_frame_that_is_no_json_ends_the_socket_politely(viewer: User, text: str) -> None:
    async with socket(viewer) as talk:
        await frame(talk, "snapshot")
        await talk.send_to(text_data=text)
        async with asyncio.timeout(WAIT_S):
            while (said := await talk.receive_output(timeout=WAIT_S))["type"] != "websocket.close":
                pass
        assert said["code"] == 1003


async def test_a_price_becomes_a_tick(viewer: User) -> None:
    async with socket(viewer) as talk:
        await frame(talk, "snapshot")
        await elsewhere(live.price, "btc-usdt", tick("BTCUSDT", "97100.5"))
        assert (await frame(talk, "tick"))["data"] == {
            "bot": "btc-usdt",
            "last": "97100.5",
            "time": live.iso(START),
        }


async def test_a_hint_brings_the_card_that_changed_and_no_other(viewer: User) -> None:
    await database_sync_to_async(furnish)()
    async with socket(viewer) as talk:
        await frame(talk, "snapshot")
        bot = await Bot.objects.aget(slug="mnt-usdt")
        await database_sync_to_async(lambda: control.pause(bot, by="viewer"))()
        await elsewhere(live.hint, "mnt-usdt", "state")
        card = (await frame(talk, "bot"))["data"]
        assert (card["slug"], card["state"]) == ("mnt-usdt", "paused")
        assert "MNT/USDT" in (await frame(talk, "totals"))["data"]["sentence"]["text"]


async def test_a_fill_is_told_before_the_state_is_read_again(
    viewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "READ_S", 3_600.0)
    venue = await database_sync_to_async(furnish)()
    order = await database_sync_to_async(nearest)("mnt-usdt", Side.BUY)
    async with socket(viewer) as talk:
        await frame(talk, "snapshot")
        await database_sync_to_async(fill)(venue, order, START + 1_000)
        await elsewhere(live.hint, "mnt-usdt", "fill")
        assert (await frame(talk, "fill"))["data"]["id"] == f"e-{order}"


async def test_a_logout_elsewhere_ends_the_socket(viewer: User) -> None:
    async with socket(viewer) as talk:
        await frame(talk, "snapshot")
        await Session.objects.all().adelete()
        await talk.send_json_to({"type": "resume"})
        async with asyncio.timeout(WAIT_S):
            while (said := await talk.receive_output(timeout=WAIT_S))["type"] != "websocket.close":
                pass
        assert said["code"] == 4401


def loses_its_role(user: User) -> None:
    roles.give(user, roles.Role.KILLER)


def is_switched_off(user: User) -> None:
    user.is_active = False
    user.save()


def gets_another_password(user: User) -> None:
    user.set_password("another long password")
    user.save()


@pytest.mark.parametrize("happens", [loses_its_role, is_switched_off, gets_another_password])
async def test_a_socket_ends_when_its_right_does(
    viewer: User, happens: Callable[[User], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "SNAPSHOT_S", 3_600.0)  # so that only the news can tell it
    async with socket(viewer) as talk:
        await frame(talk, "snapshot")
        await database_sync_to_async(happens)(viewer)
        async with asyncio.timeout(WAIT_S):
            while (said := await talk.receive_output(timeout=WAIT_S))["type"] != "websocket.close":
                pass
        assert said["code"] == 4401


async def test_a_logout_in_another_tab_ends_the_socket_at_once(
    viewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "SNAPSHOT_S", 3_600.0)
    browser = Client()
    await database_sync_to_async(browser.force_login)(viewer)
    cookie = browser.cookies[settings.SESSION_COOKIE_NAME].value
    async with socket(viewer, cookie=cookie) as talk:
        await frame(talk, "snapshot")
        await database_sync_to_async(browser.post)("/logout/")
        async with asyncio.timeout(WAIT_S):
            while (said := await talk.receive_output(timeout=WAIT_S))["type"] != "websocket.close":
                pass
        assert said["code"] == 4401


@pytest.mark.parametrize(
    ("origin", "host", "opens"),
    [
        ("http://localhost:8000", "localhost:8000", True),
        ("http://127.0.0.1", "127.0.0.1", True),
        ("http://localhost:3000", "localhost:8000", False),  # another program of this machine
        ("https://localhost:8000", "localhost:8000", False),
        ("http://127.0.0.1:8000", "localhost:8000", False),
        ("http://evil.example", "evil.example", False),  # a name that leads here
        ("null", "localhost", False),
        ("", "localhost", False),
        ("http://localhost", "", False),
    ],
)
def test_sockets_are_for_pages_of_this_site(origin: str, host: str, opens: bool) -> None:
    assert is_ours(origin, host) == opens


async def test_a_page_of_elsewhere_opens_no_socket() -> None:
    from gridtrader.asgi import application

    headers = [(b"origin", b"http://localhost:3000"), (b"host", b"localhost")]
    talk = WebsocketCommunicator(application, "/ws/live/", headers=headers)
    assert await talk.connect(timeout=WAIT_S) == (False, 1000)


async def test_a_burst_of_prices_gives_at_most_four_frames_a_second(viewer: User) -> None:
    async with socket(viewer) as talk:
        await frame(talk, "snapshot")
        layer = get_channel_layer()
        for number in range(40):
            await layer.group_send(
                live.GROUP,
                {"type": "live.tick", "bot": "btc-usdt", "last": str(number), "time": "t"},
            )
        ticks = [await frame(talk, "tick")]
        while ticks[-1]["data"]["last"] != "39":
            ticks.append(await frame(talk, "tick"))
    gaps = [after["ts"] - before["ts"] for before, after in pairwise(ticks)]
    assert len(ticks) < 40
    assert all(gap >= 240 for gap in gaps), gaps


def test_producers_go_on_without_redis_and_say_so_once(
    settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    away = {"hosts": ["redis://127.0.0.1:1"]}
    layer = "channels_redis.pubsub.RedisPubSubChannelLayer"
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": layer, "CONFIG": away}}
    with caplog.at_level(logging.WARNING, logger="bots.live"):
        live.hint(None, "state")
        live.hint(None, "state")
    assert [record.message.split(":")[0] for record in caplog.records] == [
        "open pages get no live updates for now"
    ]
    live._Reach.lost = False


def test_differences_are_cards_new_fills_and_totals() -> None:
    def state(last: str, age: float, fills: list[int], equity: str) -> dict[str, Any]:
        price = {"last": last, "age_s": age}
        return {
            "bots": [{"slug": "a", "price": price}, {"slug": "b", "price": None}],
            "fills": [{"id": str(number)} for number in fills],
            "totals": {"equity": equity},
            "sentence": {},
            "market": {},
        }

    before = state("1", 0.1, [2, 1], "5")
    assert differences(before, state("1", 0.9, [2, 1], "5")) == []
    booked = state("1", 0.1, [2, 1], "5")
    booked["fills"][0]["profit"] = "0.61"
    assert [kind for kind, _, _ in differences(before, booked)] == ["fill"]
    kinds = [(kind, key) for kind, key, _ in differences(before, state("2", 0, [4, 3, 2], "6"))]
    assert kinds == [("bot", "a"), ("fill", "3"), ("fill", "4"), ("totals", "all")]


steps = st.lists(
    st.tuples(
        st.sampled_from(["tick", "bot", "fill"]), st.sampled_from("abcd"), st.integers(0, 400)
    ),
    max_size=60,
)


def test_fills_that_come_together_go_together() -> None:
    pacer = Pacer(lambda: 0.0, 0.25, {"fill": 4})
    for number in range(5):
        pacer.put("fill", str(number), number)
        pacer.put("bot", str(number), number)
    assert pacer.due() == [*(("fill", number) for number in range(4)), ("bot", 0)]


@given(steps)
def test_the_pacer_keeps_its_pace_and_loses_no_last_word(
    script: list[tuple[str, str, int]],
) -> None:
    now = 0.0
    pacer = Pacer(lambda: now, 0.25, {"fill": 4})
    sent: list[tuple[float, str, Any]] = []
    last: dict[tuple[str, str], tuple[str, int]] = {}
    for number, (kind, subject, wait_ms) in enumerate(script):
        now += wait_ms / 1000
        pacer.put(kind, subject, (subject, number))
        last[kind, subject] = (subject, number)
        sent += [(now, kind, data) for kind, data in pacer.due()]
    for _ in range(8):
        now += 0.25
        sent += [(now, kind, data) for kind, data in pacer.due()]
    for kind in ("tick", "bot"):
        times = [at for at, of, _ in sent if of == kind]
        assert all(b - a >= 0.2499 for a, b in pairwise(times))
    fills = [at for at, of, _ in sent if of == "fill"]
    assert all(b - a >= 0.999 for a, b in zip(fills, fills[4:], strict=False))
    for (kind, subject), data in last.items():
        said = [what for _, of, what in sent if of == kind and what[0] == subject]
        assert said[-1] == data
