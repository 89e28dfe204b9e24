"""A clock that stands still until it is moved: for our code, for Django and for PostgreSQL."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

from django.db import connection
from django.utils import timezone

# Whose clock is moved. Threads that watch sockets, and the event loop, keep the real one.
MOVED = ("bots.", "integrations.", "market.", "risk.", "pybit.")
REAL = frozenset(
    {
        "integrations.bybit.connection",
        "integrations.bybit.streams",
        "integrations.bybit.simulator.server",
    }
)

SCHEMA = """
CREATE SCHEMA IF NOT EXISTS moved_clock;
CREATE OR REPLACE FUNCTION moved_clock.statement_timestamp() RETURNS timestamptz
    LANGUAGE sql STABLE AS $$ SELECT current_setting('moved.now')::timestamptz $$;
"""


class Clock(ModuleType):
    """Stands in for the module `time`; sleeping moves it. None begins before the last one ended."""

    latest_ns = 0

    def __init__(self) -> None:
        super().__init__("time")
        self._now_ns = max(time.time_ns(), Clock.latest_ns)

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

    def time_ns(self) -> int:
        return self._now_ns

    def time(self) -> float:
        return self._now_ns / 1e9

    def monotonic(self) -> float:
        return self._now_ns / 1e9

    perf_counter = monotonic

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Let time pass, for everybody at once."""
        self._now_ns += max(0, round(seconds * 1e9))
        Clock.latest_ns = self._now_ns
        self.tell_database()

    def tell_database(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('moved.now', %s, false)", [self.now().isoformat()])

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.time(), UTC)


@contextmanager
def moved_clock() -> Iterator[Clock]:
    """Put a clock of ours in place of time's, and take it away again."""
    clock = Clock()
    told = timezone.now
    modules = [
        module
        for name, module in list(sys.modules.items())
        if name.startswith(MOVED) and name not in REAL and getattr(module, "time", None) is time
    ]
    try:
        for module in modules:
            module.time = clock  # type: ignore[attr-defined]
        timezone.now = clock.now
        with connection.cursor() as cursor:
            cursor.execute(SCHEMA)
            cursor.execute("SET search_path = moved_clock, pg_catalog, public")
        clock.tell_database()
        yield clock
    finally:
        timezone.now = told
        for module in modules:
            module.time = time  # type: ignore[attr-defined]
        with connection.cursor() as cursor:
            cursor.execute("RESET search_path")
