"""A small Bybit over WebSocket that can be told how to misbehave, in a thread of its own."""

import asyncio
import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from aiohttp import WSMsgType, web


class FakeStream:
    """Serves /v5/private and /v5/public/spot; its attributes are switches, changed at any time."""

    def __init__(self, key: str, secret: str) -> None:
        self.key, self.secret = key, secret
        self.refuse_login = False
        self.refuse_subscription = False
        self.answer_subscriptions = True
        self.answer_pings = True
        self.push_every: float | None = None  # public frames, seconds
        self.push = [f"orderbook.1.{symbol}" for symbol in ("BTCUSDT", "DOGEUSDT", "MNTUSDT")]
        self.close_after_subscription = False
        self.logins: list[dict[str, Any]] = []
        self.subscriptions: list[list[str]] = []
        self.connects: list[float] = []
        self.paths: list[str] = []
        self._sockets: set[web.WebSocketResponse] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._runner: web.AppRunner | None = None
        with socket.socket() as chosen:
            chosen.bind(("127.0.0.1", 0))
            self.port: int = chosen.getsockname()[1]
        self.url = f"ws://127.0.0.1:{self.port}"

    def do(self, work: Any) -> Any:
        """Run a coroutine in the server's thread."""
        future: Future[Any] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result(10)

    def start(self) -> None:
        self.do(self._start())

    async def _start(self) -> None:
        app = web.Application()
        app.router.add_get("/v5/{rest:.*}", self._serve)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()

    def stop(self) -> None:
        """Abort every connection and refuse new ones."""
        self.do(self._stop())

    async def _stop(self) -> None:
        await self._abort()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def abort(self) -> None:
        """Reset every connection; new ones are welcome."""
        self.do(self._abort())

    async def _abort(self) -> None:
        for ws in list(self._sockets):
            transport = ws._req.transport if ws._req else None
            if transport is not None:
                transport.abort()
        self._sockets.clear()

    def close(self) -> None:
        """Close every connection in good order."""
        self.do(self._close())

    async def _close(self) -> None:
        for ws in list(self._sockets):
            await ws.close(code=1001)

    def send(self, frame: Any) -> None:
        self.do(self._send(frame if isinstance(frame, str) else json.dumps(frame)))

    async def _send(self, text: str) -> None:
        for ws in list(self._sockets):
            await ws.send_str(text)

    def end(self) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _serve(self, request: web.Request) -> web.WebSocketResponse:
        self.connects.append(time.monotonic())
        self.paths.append(request.path)
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        self._sockets.add(ws)
        pushing = asyncio.create_task(self._push(ws))
        try:
            async for message in ws:
                if message.type is WSMsgType.TEXT:
                    await self._answer(ws, json.loads(message.data))
        finally:
            pushing.cancel()
            self._sockets.discard(ws)
        return ws

    async def _push(self, ws: web.WebSocketResponse) -> None:
        while True:
            await asyncio.sleep(self.push_every or 0.05)
            for topic in self.push if self.push_every is not None else ():
                await ws.send_str(json.dumps({"topic": topic, "data": {}}))

    async def _answer(self, ws: web.WebSocketResponse, asked: dict[str, Any]) -> None:
        if asked["op"] == "auth":
            self.logins.append(asked)
            good = not self.refuse_login and self._is_signed(asked["args"])
            answer = {"success": good, "ret_msg": "" if good else "error:USVC1111", "op": "auth"}
            if not good:
                answer["request"] = asked
            await ws.send_str(json.dumps(answer))
        elif asked["op"] == "subscribe":
            self.subscriptions.append(asked["args"])
            good = not self.refuse_subscription
            if self.answer_subscriptions:
                answer = {"success": good, "ret_msg": "" if good else "handler not found"}
                answer |= {"req_id": asked["req_id"], "op": "subscribe", "conn_id": "c"}
                await ws.send_str(json.dumps(answer))
            if self.close_after_subscription:
                await ws.close()
        elif asked["op"] == "ping" and self.answer_pings:
            await ws.send_str(json.dumps({"op": "pong", "args": ["1763000000000"]}))

    def _is_signed(self, args: list[Any]) -> bool:
        key, expires, signature = args
        text = f"GET/realtime{expires}".encode()
        mine = hmac.new(self.secret.encode(), text, hashlib.sha256).hexdigest()
        return key == self.key and signature == mine and expires > time.time() * 1000


@contextmanager
def fake_stream(key: str, secret: str) -> Iterator[FakeStream]:
    fake = FakeStream(key, secret)
    fake.start()
    try:
        yield fake
    finally:
        fake.end()
