"""Checks 21 to 25: one number everywhere, times in other zones, and how fast the server is."""

import csv
import io
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from playwright.sync_api import Page, expect

from bots.reports import cards
from tests.acceptance.checks import Note
from tests.acceptance.conftest import Enter, p95
from tests.browser import test_pages
from tests.browser.conftest import in_a_thread
from tests.browser.house import quote
from tests.browser.venue import Venue

pytestmark = pytest.mark.timeout(180)
CALLS = 60
GRID = {
    "name": "BTC/USDT", "slug": "btc-second", "symbol": "BTCUSDT", "lower": "95500",
    "upper": "99000", "grids": 12, "capital": "900", "dry_run": True,
}  # fmt: skip
SNAPSHOT = """
() => new Promise(done => {
    const socket = new WebSocket(`ws://${location.host}/ws/live/`);
    socket.onmessage = ({ data }) => {
        const frame = JSON.parse(data);
        if (frame.type !== "snapshot") return;
        socket.close();
        done(frame.data);
    };
})
"""


@pytest.mark.check(22)
def test_times_follow_the_zone(venue: Venue, log_in: Enter, measured: Note) -> None:
    page = log_in("/preferences/", timezone_id="Asia/Kolkata")
    page.get_by_label("This browser's zone").check()
    page.get_by_role("button", name="Keep these").click()
    count = 0
    for path in ("/", "/orders/?tab=fills", "/bots/btc-usdt/", "/market/BTCUSDT/", "/audit/"):
        page.goto(path)
        told = page.locator("main time[data-format]").evaluate_all(
            """nodes => nodes.filter(node => node.dateTime).map(node => {
                const at = new Date(node.dateTime);
                const two = number => String(number).padStart(2, "0");
                return [node.textContent, `${two(at.getHours())}:${two(at.getMinutes())}`];
            })"""
        )
        assert told, path
        assert [each for each in told if each[1] not in each[0]] == [], path
        count += len(told)
    file = page.request.get("/orders/export.csv?tab=fills").text()
    times = [row["time"] for row in csv.DictReader(io.StringIO(file))]
    measured(f"{count} times on 5 pages; {len(times)} rows in UTC")
    assert all(each.endswith("Z") for each in times)


@pytest.mark.check(21)
def test_numbers_have_the_same_texts(log_in: Callable[..., Page], measured: Note) -> None:
    test_pages.test_the_browser_writes_numbers_as_the_templates_do(log_in)
    measured(f"{len(test_pages.VECTORS)} vectors")


@pytest.mark.check(23)
def test_one_number_everywhere(venue: Venue, log_in: Enter, measured: Note) -> None:
    page = log_in(java_script_enabled=False)  # what the template wrote and nobody touched
    live = log_in()
    sent = live.evaluate(SNAPSHOT)
    by_api = {each["slug"]: each for each in _rows(page.request.get("/api/bots").json())}
    count = 0
    for card in sent["bots"]:
        for name in ("grid_profit", "floating", "total", "fees", "held"):
            node = page.locator(f'[data-live="bots.{card["slug"]}.{name}"]').first
            told = {node.get_attribute("data-raw"), card[name], _of(by_api[card["slug"]], name)}
            assert told - {None} == {card[name]}, (card["slug"], name, told)
            count += 1
    file = page.request.get("/orders/export.csv?tab=fills").text()
    in_file = {row["id"]: row for row in csv.DictReader(io.StringIO(file))}
    listed = {each["exec_id"]: each for each in _every(page, "/api/fills?limit=1000")}
    for fill in sent["fills"]:
        row = page.locator(f'[data-fills] tr[data-id="{fill["id"]}"]')
        for name in ("price", "quantity", "fee", "profit"):
            shown = row.locator(f'[data-field="{name}"]').get_attribute("data-raw")
            wanted = fill[name] or ""
            told = (shown or "", in_file[fill["id"]][name], listed[fill["id"]].get(name, wanted))
            assert set(told) == {wanted}, (fill["id"], name)
            count += 1
    measured(f"{count} numbers equal in four places")


def _rows(answer: Any) -> list[dict[str, Any]]:
    return next(value for value in answer.values() if isinstance(value, list))


def _every(page: Page, address: str) -> Iterator[dict[str, Any]]:
    """The rows of all pages of a list, which come in the order in which they were recorded."""
    following: str | None = address
    while following:
        answer = page.request.get(following).json()
        yield from _rows(answer)
        following = answer["next"]


def _of(bot: dict[str, Any], name: str) -> str | None:
    """A number of the API's bot, wherever it stands; None where the API does not tell it."""
    parts = [bot, *(part for part in bot.values() if isinstance(part, dict))]
    return next((part[name] for part in parts if isinstance(part.get(name), str)), None)


def _timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


@pytest.mark.check(24)
def test_the_dashboard_is_quick(
    venue: Venue, operator: User, page: Page, site: str, measured: Note
) -> None:
    def get() -> None:
        assert page.request.get("/").status == 200

    for _ in range(5):
        get()
    times = [_timed(get) for _ in range(CALLS)]
    queries = in_a_thread(_queries, operator)
    measured(f"{p95(times):.0f} ms; {len(queries)}")
    assert len(queries) <= 25, [sql[:90] for sql in queries]
    assert p95(times) <= 150


def _queries(operator: User) -> list[str]:
    """What a warm dashboard asks the database."""
    client = Client()
    client.force_login(operator)
    client.get("/")
    with CaptureQueriesContext(connection) as queries:
        assert client.get("/").status_code == 200
    return [one["sql"] for one in queries]


@pytest.mark.check(25)
def test_the_preview_is_quick(page: Page, measured: Note) -> None:
    quote()
    page.goto("/")
    token = page.locator("[name=csrfmiddlewaretoken]").first.get_attribute("value")
    headers = {"Content-Type": "application/json", "X-CSRFToken": token or "", "Referer": page.url}

    def ask() -> None:
        answer = page.request.post("/api/deploy", data=json.dumps(GRID), headers=headers)
        assert answer.status == 200, answer.text()

    ask()
    times = []
    for _ in range(CALLS):
        quote()  # the exchange is not asked: its price is of this moment
        times.append(_timed(ask))
    measured(f"{p95(times):.0f} ms")
    assert p95(times) <= 100
    expect(page.locator("#sentence")).to_be_visible()
    assert len(cards.dashboard()["bots"]) == 4, "a preview deploys nothing"
