"""The house of a month with 5,000 fills, and pages loaded cold on a slow machine."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from django.db import connections
from playwright.sync_api import CDPSession, Page

from bots import live
from market import ingest
from tests.browser.conftest import (
    browser,
    complaints,
    elsewhere,
    log_in,
    open_context,
    operator,
    page,
    site,
)
from tests.browser.conftest import venue as furnished
from tests.browser.history import live_in
from tests.browser.venue import PAIRS, PRICES, Venue, tick
from tests.npm import installed

__all__ = [
    "browser", "complaints", "elsewhere", "furnished", "log_in", "open_context", "operator",
    "page", "site",
]  # fmt: skip

SLOWDOWN = 4
FEED_PER_S = 20


@pytest.fixture(scope="module")
def venue(furnished: Venue) -> Venue:
    """The furnished house with its month behind it."""
    live_in()
    return furnished


def slowed(page: Page, times: int = SLOWDOWN) -> CDPSession:
    """A session with the browser's own tools, its processor so many times slower."""
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setCPUThrottlingRate", {"rate": times})
    return session


@contextmanager
def feed(per_s: float = FEED_PER_S) -> Iterator[None]:
    """Prices come in, each pair in turn and each time another one, as the stream passes them on."""
    over = Event()
    thread = Thread(target=_feed, args=(per_s, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(10)


def _feed(per_s: float, over: Event) -> None:
    number = 0
    try:
        while not over.wait(1 / per_s):
            symbol = list(PAIRS)[number % len(PAIRS)]
            pair = PAIRS[symbol]
            shift = pair.tick * ((number // len(PAIRS)) % 50 + 1)
            now = tick(symbol, str(pair.price(type(pair.tick)(PRICES[symbol])) + shift))
            ingest.record_prices([now])
            live.price(f"{pair.base.lower()}-usdt", now)
            number += 1
    finally:
        connections.close_all()


@pytest.fixture(scope="session")
def axe() -> str:
    """The text of axe-core."""
    folder = installed(Path(__file__).with_name("axe"))
    return (folder / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


def p95(values: list[float]) -> float:
    assert len(values) >= 20, f"{len(values)} values tell no p95"
    return sorted(values)[int(len(values) * 0.95)]


def entries(page: Page, kind: str) -> list[dict[str, Any]]:
    """What the browser's own observer of such things has kept."""
    found = page.evaluate(
        """kind => new Promise(done => {
            const kept = [];
            const take = list => kept.push(...list.getEntries().map(entry => entry.toJSON()));
            new PerformanceObserver(take).observe({ type: kind, buffered: true });
            setTimeout(() => done(JSON.stringify(kept)), 50);
        })""",
        kind,
    )
    return json.loads(found)


Enter = Callable[..., Page]
