"""Through the whole suite, no secret is found where it could be read.

Every secret of the tests begins with MARK: what the data folder keeps (passwords of PostgreSQL and
Redis, Django's key, Bybit's keys) is made so by the plugin, and tests name theirs so. Looked
through are, as they happen: log lines as printed, tracebacks in them; SQL and its parameters; every
command that Redis gets; tasks as they are sent; answers to test clients. The test that leaks fails.
At the end of the session what stayed behind is looked through too: the logs of PostgreSQL, of Redis
and of every web server that tests started, and all that Redis holds, queues among it.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from celery.signals import before_task_publish
from django.conf import settings
from django.db import connections
from django.db.backends.signals import connection_created
from django.test.client import ClientHandler

from gridtrader.logs import OneLine
from tests.plugin import MARK

LEFT_BEHIND: list[Path] = []  # logs of processes that tests started

_found: list[str] = []


def look(place: str, text: str) -> None:
    """Note it if a secret stands there."""
    if MARK in text:
        at = text.index(MARK)
        _found.append(f"{place}: ...{text[max(0, at - 60) : at + 40]}...")


class _Log(logging.Handler):
    """Sees every record as the log prints it."""

    def emit(self, record: logging.LogRecord) -> None:
        look(f"log of {record.name}", self.format(record))


def _sql(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
    look("database", f"{sql} {params!r}")
    return execute(sql, params, many, context)


def _watch_sql(connection: Any, **_: object) -> None:
    if _sql not in connection.execute_wrappers:
        connection.execute_wrappers.insert(0, _sql)  # the last is what a block takes off again


def _watch_tasks(body: object, headers: object, **_: object) -> None:
    look("task", repr((body, headers)))


def _watch_redis(ready: threading.Event) -> None:
    """Read what Redis is told, for ever, also after a restart; logins it does not show."""
    while True:
        try:
            link = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=None)
            with link.monitor() as monitor:
                ready.set()
                for command in monitor.listen():
                    look("redis", command["command"])
        except (redis.RedisError, OSError):
            time.sleep(0.05)


def what_redis_holds() -> str:
    link = redis.Redis.from_url(settings.REDIS_URL)
    read = {
        b"string": link.get,
        b"list": lambda name: link.lrange(name, 0, -1),
        b"hash": link.hgetall,
        b"set": link.smembers,
        b"zset": lambda name: link.zrange(name, 0, -1),
    }
    found = [(name, read[link.type(name)](name)) for name in link.scan_iter("*")]
    return repr(found)


def look_at_what_stays() -> None:
    """Logs on disk, and everything in Redis."""
    logs = [*settings.DATA_DIR.glob("*.log"), *LEFT_BEHIND]
    assert logs, "servers write logs"
    for path in logs:
        look(path.name, path.read_text(encoding="utf-8", errors="replace"))
    look("kept by redis", what_redis_holds())


@pytest.fixture(scope="session", autouse=True)
def hunt() -> Iterator[None]:
    """Stand where things pass by; at the end look at what stayed behind."""
    log = _Log()
    log.setFormatter(OneLine("%(message)s", settings.LOGGING["formatters"]["line"]["secrets"]))
    logging.getLogger().addHandler(log)
    connection_created.connect(_watch_sql)
    for connection in connections.all(initialized_only=True):
        _watch_sql(connection)
    before_task_publish.connect(_watch_tasks)
    ready = threading.Event()
    threading.Thread(target=_watch_redis, args=(ready,), daemon=True, name="canary").start()
    assert ready.wait(10)
    serve = ClientHandler.__call__

    def served(self: ClientHandler, environ: Any) -> Any:
        answer = serve(self, environ)
        content = "" if answer.streaming else answer.content.decode(errors="replace")
        look(f"answer of {environ.get('PATH_INFO')}", f"{answer.headers} {content}")
        return answer

    ClientHandler.__call__ = served  # type: ignore[method-assign]
    yield
    look_at_what_stays()
    if _found:
        pytest.fail("a secret stayed behind in\n" + "\n".join(_found[:5]))


@pytest.fixture(autouse=True)
def no_canary(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail the test in which a secret was found."""
    _found.clear()
    yield
    found = list(_found)
    _found.clear()
    if found and "leaks" not in request.keywords:  # tests of this hunt itself
        pytest.fail("a secret was found in\n" + "\n".join(found[:5]))
