"""Through the whole suite, no secret is found where it could be read.

Every secret of the tests begins with MARK: what the data folder keeps (passwords of PostgreSQL and
Redis, Django's key, Bybit's keys) is made so by the plugin, and tests name theirs so. Looked
through are, as they happen: log lines as printed, tracebacks in them; SQL and its parameters; every
command that Redis gets; tasks as they are sent; answers to test clients. The test that leaks fails.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
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

_found: list[str] = []


def _look(place: str, text: str) -> None:
    if MARK in text:
        at = text.index(MARK)
        _found.append(f"{place}: ...{text[max(0, at - 60) : at + 40]}...")


class _Log(logging.Handler):
    """Sees every record as the log prints it."""

    def emit(self, record: logging.LogRecord) -> None:
        _look(f"log of {record.name}", self.format(record))


def _sql(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
    _look("database", f"{sql} {params!r}")
    return execute(sql, params, many, context)


def _watch_sql(connection: Any, **_: object) -> None:
    if _sql not in connection.execute_wrappers:
        connection.execute_wrappers.insert(0, _sql)  # the last is what a block takes off again


def _watch_tasks(body: object, headers: object, **_: object) -> None:
    _look("task", repr((body, headers)))


def _watch_redis(ready: threading.Event) -> None:
    """Read what Redis is told, for ever, also after a restart; logins it does not show."""
    while True:
        try:
            link = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=None)
            with link.monitor() as monitor:
                ready.set()
                for command in monitor.listen():
                    _look("redis", command["command"])
        except (redis.RedisError, OSError):
            time.sleep(0.05)


@pytest.fixture(scope="session", autouse=True)
def hunt() -> None:
    """Stand where things pass by."""
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
        _look(f"answer of {environ.get('PATH_INFO')}", f"{answer.headers} {content}")
        return answer

    ClientHandler.__call__ = served  # type: ignore[method-assign]


@pytest.fixture(autouse=True)
def no_canary(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail the test in which a secret was found."""
    _found.clear()
    yield
    found = list(_found)
    _found.clear()
    if found and "leaks" not in request.keywords:  # tests of this hunt itself
        pytest.fail("a secret was found in\n" + "\n".join(found[:5]))
