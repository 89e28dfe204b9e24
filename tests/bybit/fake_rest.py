"""A small Bybit over HTTP: it answers what a test wrote, and remembers what it was asked."""

import hashlib
import hmac
import json
import socket
import struct
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

STAMP = 1_763_000_000_000


@dataclass
class Asked:
    """A request as it came in, before anything was decoded."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: str
    thread: int

    @property
    def params(self) -> dict[str, str]:
        return dict(pair.split("=", 1) for pair in self.query.split("&") if pair)

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)

    def is_signed_with(self, key: str, secret: str) -> bool:
        """Bybit v5, authentication: over the raw query or the raw body."""
        head = {name.lower(): value for name, value in self.headers.items()}
        said = head["x-bapi-timestamp"] + key + head["x-bapi-recv-window"]
        text = said + (self.query if self.method == "GET" else self.body)
        mine = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
        return head["x-bapi-api-key"] == key and head["x-bapi-sign"] == mine


Answer = Callable[[BaseHTTPRequestHandler, Asked], None]


@dataclass
class FakeRest:
    """Scripted answers per path, in turn; the last one stays."""

    url: str
    asked: list[Asked] = field(default_factory=list)
    script: dict[str, deque[Answer]] = field(default_factory=lambda: defaultdict(deque))
    released: threading.Event = field(default_factory=threading.Event)

    def on(self, path: str, *answers: Answer) -> None:
        self.script[path] = deque(answers)

    def to(self, path: str) -> list[Asked]:
        return [one for one in self.asked if one.path == path]

    def answer(self, handler: BaseHTTPRequestHandler, asked: Asked) -> None:
        self.asked.append(asked)
        answers = self.script.get(asked.path)
        if not answers:
            raw("", status=404)(handler, asked)
            return
        answer = answers.popleft() if len(answers) > 1 else answers[0]
        answer(handler, asked)


def raw(body: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    def send(handler: BaseHTTPRequestHandler, asked: Asked) -> None:
        data = body.encode()
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(data)

    return send


def ok(result: Any, time: int = STAMP) -> Answer:
    envelope = {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": time}
    return raw(json.dumps(envelope))


def page(*rows: Any, cursor: str = "", time: int = STAMP) -> Answer:
    return ok({"category": "spot", "list": list(rows), "nextPageCursor": cursor}, time)


def refused(code: int, message: str = "no", headers: Mapping[str, str] | None = None) -> Answer:
    envelope = {"retCode": code, "retMsg": message, "result": {}, "retExtInfo": {}, "time": STAMP}
    return raw(json.dumps(envelope), headers=headers)


def dropped(handler: BaseHTTPRequestHandler, asked: Asked) -> None:
    """The request was read; the connection is reset without a byte of answer."""
    linger = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    handler.close_connection = True
    handler.connection.close()


def cut_short(handler: BaseHTTPRequestHandler, asked: Asked) -> None:
    """A chunked answer that ends in the middle."""
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b'10\r\n{"retCode":0,')
    handler.close_connection = True


def silent(fake: FakeRest) -> Answer:
    """No answer before the test is over."""

    def wait(handler: BaseHTTPRequestHandler, asked: Asked) -> None:
        fake.released.wait(30)
        handler.close_connection = True

    return wait


@contextmanager
def fake_rest() -> Iterator[FakeRest]:
    fake = FakeRest("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            path, _, query = self.path.partition("?")
            body = self.rfile.read(length).decode()
            headers = dict(self.headers.items())
            thread = self.client_address[1]
            fake.answer(self, Asked(self.command, path, query, headers, body, thread))

        do_GET = do_POST = _any  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

        def finish(self) -> None:
            with suppress(OSError, ValueError):  # a test closed the connection already
                super().finish()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield fake
    finally:
        fake.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
