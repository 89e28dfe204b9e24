"""Bybit v5's WebSocket: connections with their subscriptions, and the odd words of each channel."""

import asyncio
import json
import logging
import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Coroutine, Iterable

from aiohttp import WSMsgType, web

from integrations.bybit.simulator.auth import Keys
from integrations.bybit.simulator.fault_frames import Air
from integrations.bybit.simulator.faults import PARTINGS, Faults, Switch
from integrations.bybit.simulator.later import Later
from integrations.bybit.simulator.wire import ApiError, Json, machine_ms

log = logging.getLogger(__name__)

# pybit notes a subscription only after it has sent the request, in another thread. An ack or a
# first push that comes sooner raises KeyError in its reader and kills that client's stream for
# good. Bybit's own network delay hides this; on loopback we wait as long ourselves.
ACK_DELAY = 0.05
QUEUE_LIMIT = 20_000  # frames; a client that reads slower than this is cut off, as Bybit does
CLOSE_PATIENCE = 0.3  # s that a leaving server waits for a client to say goodbye too
ARGS_LIMIT = 10  # topics in one request, spot


class Connection:
    """One client. Frames are queued, so that a slow reader never delays the exchange."""

    def __init__(
        self, socket: web.WebSocketResponse, path: str, transport: asyncio.Transport | None
    ) -> None:
        self.path = path
        self.channel = path.rpartition("/")[2]
        self.muted = False
        self.conn_id = uuid.uuid4().hex
        self.authenticated = False
        self.topics: set[str] = set()
        self._socket = socket
        self._transport = transport
        self._queue: asyncio.Queue[str] = asyncio.Queue(QUEUE_LIMIT)

    def send(self, frame: str) -> None:
        if self.muted:
            return
        try:
            self._queue.put_nowait(frame)
        except asyncio.QueueFull:
            log.warning("cut off a client on %s that reads too slowly", self.channel)
            self.topics.clear()
            self.abort()

    def abort(self) -> None:
        """End without a goodbye."""
        if self._transport is not None:
            self._transport.abort()

    async def leave(self) -> None:
        """Say goodbye (1001, going away)."""
        await self._socket.close(code=1001)

    def answer(self, message: Json, said: str = "", *, success: bool = True) -> None:
        """Ack a message in the form that public and private channels share."""
        answer = {"success": success, "ret_msg": said, "conn_id": self.conn_id}
        named = {"req_id": message["req_id"]} if "req_id" in message else {}
        self.send(json.dumps({**answer, **named, "op": message.get("op", "")}))

    def refuse(self, message: Json, why: str) -> None:
        self.answer(message, why, success=False)

    async def write_forever(self) -> None:
        while True:
            await self._socket.send_str(await self._queue.get())


class Hub:
    """Who listens to which topic, and what each gets first."""

    def __init__(self, keys: Keys, faults: Faults, later: Later) -> None:
        self._keys = keys
        self._faults = faults
        self._air = Air(faults, later)
        self._listeners: dict[str, set[Connection]] = defaultdict(set)
        self._open: set[Connection] = set()
        self._leaving: set[asyncio.Task[None]] = set()
        # Set by whoever publishes: is it a topic of this channel, and its first frame if any.
        self.knows: Callable[[str, str], bool] = lambda _channel, _topic: False
        self.first: Callable[[str], Json | None] = lambda _topic: None
        self.order_entry: Callable[[Connection, Json], Json] = lambda _connection, _message: {}

    @property
    def topics(self) -> Collection[str]:
        """Topics that somebody listens to."""
        return list(self._listeners)

    def wanted(self, topic: str) -> bool:
        return topic in self._listeners

    def publish(self, topic: str, frame: Json) -> None:
        """Send a frame to all listeners of a topic."""
        if topic in self._listeners:
            self._air.carry(topic, frame, lambda sent: self._send(topic, sent))

    def _send(self, topic: str, frame: Json) -> None:
        """To whoever listens by now; written out once."""
        written = json.dumps(frame, separators=(",", ":"))
        for connection in self._listeners.get(topic, ()):
            connection.send(written)

    def look(self) -> None:
        """Let happen to open connections what the dice say."""
        for connection in list(self._open):
            for kind in PARTINGS:
                if switch := self._faults.drawn(kind, connection.path):
                    self._disturb(connection, switch)

    def disturb(self, switch: Switch) -> None:
        """Let it happen now to every connection that the switch is about."""
        for connection in list(self._open):
            if switch.matches(connection.path):
                self._disturb(connection, switch)

    def _disturb(self, connection: Connection, switch: Switch) -> None:
        if switch.kind == "mute":
            connection.muted = True
        elif switch["clean"]:
            self._later(self._leaving, connection.leave())
        else:
            connection.abort()

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Talk to one client until it leaves. Protocol pings are answered by aiohttp."""
        socket = web.WebSocketResponse(max_msg_size=2**20, timeout=CLOSE_PATIENCE)
        await socket.prepare(request)
        connection = Connection(socket, request.path, request.transport)
        self._open.add(connection)
        writer = asyncio.create_task(connection.write_forever())
        acks: set[asyncio.Task[None]] = set()
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._hear(connection, message.data, acks)
        finally:
            self._open.discard(connection)
            self._drop(connection, list(connection.topics))
            for task in (writer, *acks):
                task.cancel()
            await asyncio.gather(writer, *acks, return_exceptions=True)
        return socket

    async def close(self) -> None:
        """Say goodbye to everybody (1001, going away)."""
        closing = [connection.leave() for connection in self._open]
        await asyncio.gather(*closing, return_exceptions=True)

    def _hear(self, connection: Connection, data: str, acks: set[asyncio.Task[None]]) -> None:
        try:
            message = json.loads(data)
        except ValueError:
            message = None
        if not isinstance(message, dict):
            connection.refuse({}, "error:not a JSON object")
            return
        match message.get("op"):
            case "ping":
                connection.send(json.dumps(pong(connection, message)))
            case _ if connection.channel == "trade":
                self._later(acks, self._order(connection, self.order_entry(connection, message)))
            case "auth" if connection.channel == "private":
                self._authenticate(connection, message)
            case "subscribe" | "unsubscribe":
                self._later(acks, self._subscription(connection, message))
            case other:
                connection.refuse(message, f"error:handler not found,op:{other}")

    @staticmethod
    def _later(acks: set[asyncio.Task[None]], work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        acks.add(task)
        task.add_done_callback(acks.discard)

    @staticmethod
    async def _order(connection: Connection, answer: Json) -> None:
        """The order is done already; pybit awaits its answer only after it has sent."""
        await asyncio.sleep(ACK_DELAY)
        connection.send(json.dumps(answer))

    def _authenticate(self, connection: Connection, message: Json) -> None:
        try:
            self._keys.check_socket(message.get("args"))
        except ApiError as error:
            connection.refuse(message, error.message)
            return
        if self._faults.drawn("auth_refused", connection.path):
            connection.refuse(message, "API key is invalid.")
            return
        connection.authenticated = True
        connection.answer(message)

    async def _subscription(self, connection: Connection, message: Json) -> None:
        """Ack a (un)subscribe after the delay; a topic's frames never come before its ack."""
        await asyncio.sleep(ACK_DELAY)
        topics = message.get("args")
        if self._faults.drawn("subscribe_unanswered", connection.path):
            return
        fault = self._fault(connection, message, topics)
        if self._faults.drawn("subscribe_refused", connection.path):
            fault = "error:handler not found"
        if fault or not isinstance(topics, list):
            connection.refuse(message, fault)
            return
        said = "subscribe" if connection.channel == "spot" else ""
        if message["op"] == "unsubscribe":
            self._drop(connection, topics)
            connection.answer(message, said and "unsubscribe")
            return
        connection.answer(message, said)
        for topic in topics:
            # A deep book tells its older listeners what changed before a newcomer joins them.
            frame = self.first(topic)
            connection.topics.add(topic)
            self._listeners[topic].add(connection)
            if frame:
                connection.send(json.dumps(frame))

    def _fault(self, connection: Connection, message: Json, topics: object) -> str:
        """Why a (un)subscribe fails as a whole, or nothing."""
        if connection.channel == "private" and not connection.authenticated:
            return "error:request not authorized"
        if not isinstance(topics, list) or not topics:
            return "error:args must be a list of topics"
        match connection.channel:
            case "spot" if len(topics) > ARGS_LIMIT:
                return f"args size >{ARGS_LIMIT}"
            case "private" if _mixed(topics):
                return "error:topics of all categories and of one cannot be in the same request"
        return self._fault_of_one(connection, message["op"], topics)

    def _fault_of_one(self, connection: Connection, op: str, topics: list[object]) -> str:
        for topic in topics:
            if not (isinstance(topic, str) and self.knows(connection.channel, topic)):
                return f"error:handler not found,topic:{topic}"
            if op == "subscribe" and topic in connection.topics:
                return f"error:already subscribed,topic:{topic}"
        return ""

    def _drop(self, connection: Connection, topics: Iterable[str]) -> None:
        for topic in topics:
            connection.topics.discard(topic)
            listeners = self._listeners.get(topic)
            if listeners is not None:
                listeners.discard(connection)
                if not listeners:
                    del self._listeners[topic]


def _mixed(topics: list[object]) -> bool:
    """Whether a request asks for a topic both as a whole and by category."""
    names = {topic for topic in topics if isinstance(topic, str)}
    return any(other.startswith(f"{name}.") for name in names for other in names)


def pong(connection: Connection, message: Json) -> Json:
    """The answer to a JSON ping: each channel of Bybit has its own form."""
    named = {"req_id": message["req_id"]} if "req_id" in message else {}
    now = [str(machine_ms())]
    match connection.channel:
        case "private":
            return {**named, "op": "pong", "args": now, "conn_id": connection.conn_id}
        case "trade":
            said = {"retCode": 0, "retMsg": "OK", "op": "pong", "data": now}
            return {**said, "connId": connection.conn_id}
        case "spot":
            named = {}
    form = {"success": True, "ret_msg": "pong", "conn_id": connection.conn_id, "op": "ping"}
    return {**form, **named}
