"""Login, errors, empty states, and numbers as the browser writes them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import BrowserContext, Page, expect

from bots.templatetags.numbers import show
from tests.browser.conftest import NAME, PASSWORD, listen, make_operator

VECTORS = json.loads(Path(__file__).with_name("number_vectors.json").read_text(encoding="utf-8"))
Open = Callable[..., BrowserContext]


@pytest.fixture
def operator(transactional_db: None) -> User:
    """An account in a house without bots."""
    return make_operator()


def test_a_wrong_password_is_told_and_the_right_one_opens(
    open_context: Open, operator: User, complaints: list[str]
) -> None:
    page = listen(open_context().new_page(), complaints)
    page.goto("/")
    expect(page).to_have_url("/login/?next=/")
    page.get_by_label("User name").fill(NAME)
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("wrong")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()
    assert complaints == []


def test_without_a_bot_the_page_says_how_to_get_one(
    log_in: Callable[..., Page], complaints: list[str]
) -> None:
    page = log_in()
    expect(page.get_by_role("heading", name="No grid yet")).to_be_visible()
    expect(page.locator("[data-no-fills]")).to_contain_text("No fills yet.")
    expect(page.locator("#connection")).to_contain_text("No prices yet")
    assert complaints == []


def test_the_favicon_is_there(open_context: Open) -> None:
    for path in ("/favicon.ico", "/static/favicon.svg"):
        answer = open_context().request.get(path)
        assert answer.status == 200
        assert "svg" in answer.headers["content-type"]


def test_an_unknown_address_leads_back(log_in: Callable[..., Page]) -> None:
    page = log_in()
    page.goto("/nowhere/")
    expect(page.get_by_role("heading", name="No such page")).to_be_visible()
    page.get_by_role("link", name="Back to the dashboard").click()
    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()


def test_the_address_of_a_form_leads_to_the_dashboard(log_in: Callable[..., Page]) -> None:
    page = log_in()
    page.goto("/bots/btc-usdt/pause/")
    expect(page).to_have_url("/")


def test_the_browser_writes_numbers_as_the_templates_do(log_in: Callable[..., Page]) -> None:
    written = log_in().evaluate(
        """async vectors => {
            const { show } = await import("/static/js/format.js");
            return vectors.map(([value, kind, tick]) => show(value, kind, tick));
        }""",
        VECTORS,
    )
    for (value, kind, tick, text), shown in zip(VECTORS, written, strict=True):
        wanted = show(value, kind, tick)
        assert shown["text"] == text == wanted.text, (value, kind)
        assert (shown.get("full") or "", shown.get("tone") or "") == (wanted.full, wanted.tone)
