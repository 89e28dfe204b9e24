"""The live page's WebSocket: a snapshot, then what changed, at a readable pace. Read-only."""

import asyncio
import json
import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from autobahn.exception import Disconnected
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.auth.models import User

from bots.live import GROUP, Pacer, iso
from bots.reports import cards
from bots.roles import READERS, roles_of

LOGIN_NEEDED = 4401
TRY_AGAIN = 1011
NOT_OURS = 1003
LONGEST = 200  # characters; a page has little to say, and deep nesting needs many
VERSION = 1
LOOK_S = 0.05  # how often waiting frames are considered
FRAME_S = 0.25  # four frames a second of each type
BURSTS = {"fill": 4}  # fills come together: all of them at once, if no more came in that second
READ_S = 0.5  # the state is read at most so often, when something happened
FILLS_READ_S = 0.1  # and the newest fills, which cost little, when there was one
PRICE_READ_S = 1.0  # and so often when only prices moved
SNAPSHOT_S = 30.0
BEAT_S = 1.0

log = logging.getLogger(__name__)

State = dict[str, Any]
_read = database_sync_to_async(cards.dashboard)
_read_fills = database_sync_to_async(cards.latest_fills)


@database_sync_to_async
def _welcome(scope: Mapping[str, Any]) -> bool:
    """Whether the socket belongs to a session that is still logged in, of somebody who may read."""
    session, user = scope.get("session"), scope.get("user")
    if session is None or user is None or not session.exists(session.session_key):
        return False
    account = User.objects.filter(pk=user.pk).first()
    if account is None or READERS.isdisjoint(roles_of(account)):
        return False
    # Of an older password: Django would log that session out at its next request.
    return bool(session.get(HASH_SESSION_KEY) == account.get_session_auth_hash())


class LiveConsumer(AsyncJsonWebsocketConsumer):
    """One open page. Hints only say that reading is worth while; what is sent is what was read."""

    async def connect(self) -> None:
        """Accept everybody, close strangers with 4401: a refused handshake hides its reason."""
        await self.accept()
        if not await _welcome(self.scope):
            await self.close(code=LOGIN_NEEDED)
            return
        self.seq = 0
        self.state: State = {}
        self.pacer = Pacer(time.monotonic, FRAME_S, BURSTS)
        self.wake_at: float | None = None  # when the state should be read again
        self.is_filled = False  # a fill came in that was not read yet
        self.news = asyncio.Event()  # which is not to wait for the next look
        self.read_at = self.snapshot_at = self.beat_at = self.filled_at = float("-inf")
        await self.channel_layer.group_add(GROUP, self.channel_name)
        self.loop = asyncio.create_task(self._stay())
        self.loop.add_done_callback(self._ended)

    async def disconnect(self, code: int) -> None:  # noqa: ARG002 - Channels' signature
        if not hasattr(self, "loop"):
            return
        await self.channel_layer.group_discard(GROUP, self.channel_name)
        self.loop.cancel()
        await asyncio.wait([self.loop])

    async def receive(
        self, text_data: str | None = None, bytes_data: bytes | None = None, **_: object
    ) -> None:
        """Take the only request of a page: a new snapshot, after a gap in the sequence."""
        if bytes_data is not None or len(text_data or "") > LONGEST:
            await self.close(code=NOT_OURS)
            return
        try:
            content = json.loads(text_data or "")
        except ValueError:
            await self.close(code=NOT_OURS)
            return
        if isinstance(content, Mapping) and content.get("type") == "resume":
            self.snapshot_at = float("-inf")

    async def live_hint(self, event: Mapping[str, Any]) -> None:
        if event["what"] == "fill":
            self.is_filled = True
            self.news.set()
        pace = PRICE_READ_S if event["what"] == "price" else READ_S
        due = max(time.monotonic(), self.read_at + pace)
        self.wake_at = due if self.wake_at is None else min(self.wake_at, due)

    async def live_rights(self, event: Mapping[str, Any]) -> None:  # noqa: ARG002 - Channels' own
        """Somebody's rights changed: the next snapshot, due now, looks whether these still hold."""
        self.snapshot_at = float("-inf")

    async def live_tick(self, event: Mapping[str, Any]) -> None:
        data = {"bot": event["bot"], "last": event["last"], "time": event["time"]}
        self.pacer.put("tick", event["bot"], data)
        await self.live_hint({"what": "price"})

    async def _stay(self) -> None:
        with suppress(Disconnected):  # the page went away while a frame was on its way
            await self._run()

    async def _run(self) -> None:
        """Beat, read and send until the page goes away."""
        while True:
            now = time.monotonic()
            if now >= max(self.snapshot_at + SNAPSHOT_S, self.read_at + READ_S):
                await self._snapshot()
            elif self.is_filled and now >= self.filled_at + FILLS_READ_S:
                await self._tell_fills()
            elif self.wake_at is not None and now >= self.wake_at:
                await self._compare()
            if now >= self.beat_at + BEAT_S:
                self.beat_at = now
                await self._frame("hb", {"time": iso(int(time.time() * 1000))})
            for kind, data in self.pacer.due():
                await self._frame(kind, data)
            with suppress(TimeoutError):
                await asyncio.wait_for(self.news.wait(), LOOK_S)
            self.news.clear()

    async def _snapshot(self) -> None:
        if not await _welcome(self.scope):  # logged out elsewhere, or switched off
            await self.close(code=LOGIN_NEEDED)
            return
        self.state = await self._fresh()
        self.snapshot_at = self.read_at
        self.pacer.clear()
        await self._frame("snapshot", self.state)

    async def _compare(self) -> None:
        """Queue what differs from the state the page knows."""
        self._tell(await self._fresh())

    async def _tell_fills(self) -> None:
        """A fill is told before the whole state may be read again."""
        self.filled_at, self.is_filled = time.monotonic(), False
        self._tell({**self.state, "fills": await _read_fills()})

    def _tell(self, after: State) -> None:
        before, self.state = self.state, after
        for kind, subject, data in differences(before, after):
            self.pacer.put(kind, subject, data)

    async def _fresh(self) -> State:
        self.read_at, self.wake_at, self.is_filled = time.monotonic(), None, False
        return await _read()

    async def _frame(self, kind: str, data: object) -> None:
        self.seq += 1
        stamp = int(time.time() * 1000)
        await self.send_json(
            {"v": VERSION, "type": kind, "seq": self.seq, "ts": stamp, "data": data}
        )

    def _ended(self, loop: "asyncio.Task[None]") -> None:
        """A failed loop must not leave a silent socket: closing it makes the page reconnect."""
        if not loop.cancelled() and (error := loop.exception()):
            log.error("a live page is cut off: %s", error, exc_info=error)
            self.closing = asyncio.ensure_future(self.close(code=TRY_AGAIN))


def differences(before: State, after: State) -> list[tuple[str, str, Any]]:
    """What changed between two states, as (type, subject, data), fills oldest first."""
    known = {card["slug"]: _ageless(card) for card in before["bots"]}
    changed = [
        ("bot", card["slug"], card)
        for card in after["bots"]
        if _ageless(card) != known.get(card["slug"])
    ]
    # A fill comes again when it is booked: only then is its profit known.
    news = [fill for fill in reversed(after["fills"]) if fill not in before["fills"]]
    changed += [("fill", fill["id"], fill) for fill in news]
    parts = {name: after[name] for name in ("totals", "sentence", "market")}
    if parts != {name: before[name] for name in parts}:
        changed.append(("totals", "all", parts))
    return changed


def _ageless(card: State) -> State:
    """A card without the age of its price, which differs at every look."""
    price = card["price"] and {**card["price"], "age_s": None}
    return {**card, "price": price}
