"""A strict double of Notion's API 2026-03-11 over a socket: it refuses whatever Notion refuses.

Databases hold data sources, these hold pages. Faults are scripted: each is taken by the first
request that it fits.
"""

import json
import re
import socket
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

VERSION = "2026-03-11"
TYPES = {
    "title", "rich_text", "number", "select", "multi_select", "date", "checkbox", "url", "email",
    "phone_number", "people", "files", "relation", "formula", "status", "created_time",
}  # fmt: skip
Body = dict[str, Any]


class Refusal(Exception):
    """An answer that is no 200."""

    def __init__(self, status: int, code: str, message: str = "", **headers: str) -> None:
        super().__init__(message)
        self.status, self.code, self.headers = status, code, headers


class Fault:
    """What happens to the first request that fits: refused, or done and the answer lost."""

    def __init__(self, fits: str, refusal: Refusal | None = None, after: bool = False) -> None:
        self.fits = re.compile(fits)
        self.refusal = refusal
        self.after = after  # the work is done first


class FakeNotion:
    """The workspace."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.databases: dict[str, list[str]] = {}
        self.sources: dict[str, Body] = {}
        self.pages: dict[str, Body] = {}
        self.requests: list[tuple[str, Body]] = []
        self.faults: list[Fault] = []
        self.watch: Callable[[str, str], None] = lambda call, moment: None
        self.page_size = 100
        self._turn = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def database(self, **properties: str) -> str:
        """Make a database with one data source; the title is there, as in every one."""
        source, database = str(uuid.uuid4()), str(uuid.uuid4())
        self.sources[source] = {"Name": "title", **properties}
        self.databases[database] = [source]
        return database

    def rows(self, database: str) -> list[Body]:
        """The properties of the pages that are not in the bin, as plain values, oldest first."""
        sources = self.databases[database]
        return [
            {name: _plain(value) for name, value in page["properties"].items()}
            for page in self.pages.values()
            if page["parent"]["data_source_id"] in sources and not page["in_trash"]
        ]

    def fail(self, fits: str, status: int = 0, code: str = "", **headers: str) -> None:
        """Let the next request whose `METHOD path` fits be refused so, or (0) done and not told."""
        refusal = Refusal(status, code, "scripted", **headers) if status else None
        self.faults.append(Fault(fits, refusal, after=not status))

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        notion = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                notion._serve(self, self.rfile.read(length))

            def __getattr__(self, name: str) -> Callable[[], None]:
                if name in {"do_GET", "do_POST", "do_PATCH", "do_DELETE"}:
                    return self._serve
                raise AttributeError(name)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler

    def _serve(self, request: BaseHTTPRequestHandler, raw: bytes) -> None:
        call = f"{request.command} {request.path}"
        with self._turn:
            fault = next((one for one in self.faults if one.fits.search(call)), None)
            if fault is not None:
                self.faults.remove(fault)
            self.watch(call, "before")
            try:
                if fault is not None and fault.refusal is not None:
                    raise fault.refusal
                status, answer, headers = 200, self._answer(request, raw), {}
            except Refusal as error:
                status, headers = error.status, error.headers
                answer = {
                    "object": "error",
                    "status": error.status,
                    "code": error.code,
                    "message": str(error),
                }
        self.watch(call, "done")
        if fault is not None and fault.after:
            request.connection.shutdown(socket.SHUT_RDWR)
            request.close_connection = True
            return
        content = json.dumps(answer).encode()
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)
        self.watch(call, "answered")

    def _answer(self, request: BaseHTTPRequestHandler, raw: bytes) -> Body:
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            raise Refusal(401, "unauthorized", "API token is invalid.")
        if request.headers.get("Notion-Version") != VERSION:
            raise Refusal(400, "missing_version", f"Notion-Version must be {VERSION}")
        body: Body = {}
        if request.command in {"POST", "PATCH"}:
            if request.headers.get_content_type() != "application/json":
                raise Refusal(400, "invalid_json", "Content-Type must be application/json")
            body = json.loads(raw)
        self.requests.append((f"{request.command} {request.path}", body))
        routes: list[tuple[str, Callable[..., Body]]] = [
            (r"GET /v1/databases/([0-9a-f-]{36})", self._database),
            (r"GET /v1/data_sources/([0-9a-f-]{36})", self._source),
            (r"PATCH /v1/data_sources/([0-9a-f-]{36})", self._update_source),
            (r"POST /v1/data_sources/([0-9a-f-]{36})/query", self._query),
            (r"POST /v1/pages", self._create),
            (r"PATCH /v1/pages/([0-9a-f-]{36})", self._update_page),
        ]
        for pattern, route in routes:
            if found := re.fullmatch(pattern, f"{request.command} {request.path}"):
                return route(body, *found.groups())
        raise Refusal(400, "invalid_request_url", "Invalid request URL.")

    def _database(self, body: Body, database: str) -> Body:
        if database not in self.databases:
            raise Refusal(404, "object_not_found", f"Could not find database with ID: {database}")
        sources = [{"id": source, "name": "Untitled"} for source in self.databases[database]]
        return {"object": "database", "id": database, "data_sources": sources, "in_trash": False}

    def _columns(self, source: str) -> dict[str, str]:
        if source not in self.sources:
            raise Refusal(404, "object_not_found", f"Could not find data source {source}")
        return self.sources[source]

    def _source(self, body: Body, source: str) -> Body:
        columns = self._columns(source)
        return {
            "object": "data_source",
            "id": source,
            "properties": {
                name: {"id": f"id-{name}", "name": name, "type": kind, kind: {}}
                for name, kind in columns.items()
            },
        }

    def _update_source(self, body: Body, source: str) -> Body:
        columns = self._columns(source)
        _only(body, {"properties"})
        for name, config in body["properties"].items():
            if not isinstance(config, dict) or len(config) != 1 or not set(config) <= TYPES:
                raise _invalid(f"properties.{name} must be one type with its settings")
            (kind,) = config
            if config[kind] != {} or kind == "title" or columns.get(name) == "title":
                raise _invalid(f"properties.{name}.{kind} is not allowed")
            columns[name] = kind
        return self._source({}, source)

    def _query(self, body: Body, source: str) -> Body:
        columns = self._columns(source)
        _only(body, {"filter", "sorts", "page_size", "start_cursor"})
        if not 1 <= body.get("page_size", 100) <= 100:
            raise _invalid("page_size must be from 1 to 100")
        found = [
            page
            for page in self.pages.values()
            if page["parent"]["data_source_id"] == source and not page["in_trash"]
        ]
        if wanted := body.get("filter"):
            name = wanted.get("property")
            if name not in columns or set(wanted) != {"property", columns[name]}:
                raise _invalid("filter does not fit the property")
            if set(wanted[columns[name]]) != {"equals"}:
                raise _invalid("filter condition")
            text = wanted[columns[name]]["equals"]
            found = [page for page in found if _plain(page["properties"].get(name, {})) == text]
        for sort in body.get("sorts", []):
            if sort != {"timestamp": "created_time", "direction": "ascending"}:
                raise _invalid("sorts")
        start = int(body.get("start_cursor", "0"))
        size = min(body.get("page_size", 100), self.page_size)
        more = start + size < len(found)
        return {
            "object": "list",
            "type": "page_or_data_source",
            "results": found[start : start + size],
            "has_more": more,
            "next_cursor": str(start + size) if more else None,
        }

    def _create(self, body: Body) -> Body:
        _only(body, {"parent", "properties"})
        parent = body["parent"]
        if set(parent) != {"type", "data_source_id"} or parent["type"] != "data_source_id":
            raise _invalid("parent must be a data source")
        columns = self._columns(parent["data_source_id"])
        for name, value in body["properties"].items():
            if name not in columns:
                raise _invalid(f"{name} is not a property that exists.")
            _check(name, columns[name], value)
        page = {
            "object": "page",
            "id": str(uuid.uuid4()),
            "created_time": datetime.now(UTC).isoformat(),
            "in_trash": False,
            "parent": parent,
            "properties": {
                name: _as_read(kind, body["properties"].get(name, {}))
                for name, kind in columns.items()
            },
        }
        self.pages[page["id"]] = page
        return page

    def _update_page(self, body: Body, page: str) -> Body:
        _only(body, {"in_trash", "properties"})
        if page not in self.pages:
            raise Refusal(404, "object_not_found", f"Could not find page with ID: {page}")
        if not isinstance(body.get("in_trash", False), bool):
            raise _invalid("in_trash must be a boolean")
        self.pages[page]["in_trash"] = body.get("in_trash", False)
        return self.pages[page]


def _invalid(message: str) -> Refusal:
    return Refusal(400, "validation_error", message)


def _only(body: Body, known: set[str]) -> None:
    if extra := set(body) - known:
        raise _invalid(f"body.{min(extra)} should be not present")


def _check(name: str, kind: str, value: Body) -> None:
    """The value of a property when a page is made, as strict as Notion."""
    if set(value) != {kind}:
        raise _invalid(f"{name} is expected to be {kind}.")
    held = value[kind]
    if kind in {"title", "rich_text"}:
        fits = len(held) <= 100 and all(
            piece["type"] == "text" and len(piece["text"]["content"]) <= 2000 for piece in held
        )
    elif kind == "number":
        fits = isinstance(held, int | float) and not isinstance(held, bool)
    elif kind == "select":
        fits = 0 < len(held["name"]) <= 100 and "," not in held["name"]
    elif kind == "date":
        fits = datetime.fromisoformat(held["start"]) is not None
    else:
        fits = False
    if not fits:
        raise _invalid(f"{name}: {kind} is malformed")


def _as_read(kind: str, value: Body) -> Body:
    held = value.get(kind)
    if kind in {"title", "rich_text"}:
        held = [{**piece, "plain_text": piece["text"]["content"]} for piece in held or []]
    return {"id": "x", "type": kind, kind: held}


def _plain(value: Body) -> Any:
    held = value.get(value.get("type", ""))
    if isinstance(held, list):
        return "".join(piece["plain_text"] for piece in held)
    if isinstance(held, dict):
        return held.get("name", held.get("start"))
    return held
