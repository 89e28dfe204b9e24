"""Health, help, preferences and keyboard shortcuts in a real browser."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import WIDE
from tests.browser.venue import Venue

Enter = Callable[..., Page]


@pytest.fixture
def page(venue: Venue, log_in: Enter) -> Page:
    return log_in("/help/", viewport=WIDE, timezone_id="Asia/Kolkata")


def test_health_names_every_part(page: Page, complaints: list[str]) -> None:
    page.get_by_role("navigation", name="Main").get_by_role("link", name="System health").click()
    for part in ("Database", "Redis", "Worker", "Prices"):
        expect(page.get_by_role("row").filter(has_text=part).first).to_be_visible()
    assert complaints == []


def test_preferences_hold_on_every_page(page: Page, complaints: list[str]) -> None:
    page.goto("/preferences/")
    for choice in ("Dark", "Blue and orange", "This browser's zone"):
        page.get_by_label(choice).check()
    page.get_by_role("button", name="Keep these").click()
    page.goto("/orders/?tab=fills")
    root = page.locator("html")
    expect(root).to_have_attribute("data-theme", "dark")
    expect(root).to_have_attribute("data-money", "cvd")
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(236, 235, 232)"
    expect(page.locator("time").first).to_contain_text("19:33")  # 14:03 UTC in Kolkata
    expect(page.get_by_role("columnheader", name="Time, Asia/Calcutta")).to_be_visible()
    file = page.request.get("/orders/export.csv?tab=fills").text()
    assert "T14:03:00.000Z" in file
    assert complaints == []


def test_keys_lead_and_can_be_switched_off(page: Page) -> None:
    page.keyboard.press("g")
    page.keyboard.press("o")
    expect(page).to_have_url("/orders/")
    page.keyboard.press("1")
    expect(page).to_have_url("/bots/btc-usdt/")
    page.keyboard.press("p")
    expect(page.get_by_role("button", name="Pause BTC/USDT")).to_be_focused()
    page.keyboard.press("?")
    expect(page).to_have_url("/help/")
    page.goto("/preferences/")
    page.get_by_role("group", name="Keyboard shortcuts").get_by_label("Off").check()
    page.get_by_role("button", name="Keep these").click()
    page.goto("/orders/")
    page.keyboard.press("?")
    page.keyboard.press("t")
    expect(page).to_have_url("/orders/")
    assert page.locator("html").get_attribute("data-theme") is None


def test_the_api_explains_itself_under_our_policy(page: Page, complaints: list[str]) -> None:
    page.goto("/api/docs")
    expect(page.locator(".opblock").first).to_be_visible(timeout=30_000)
    assert page.locator(".opblock").count() >= 20
    page.locator("#operations-tag-api, .opblock-tag").first.scroll_into_view_if_needed()
    page.locator(".opblock-summary-control").filter(has_text="/api/deploy").click()
    expect(page.locator(".opblock.is-open")).to_contain_text("dry_run")
    assert complaints == []
