"""The market page and a pair's candles in a real browser."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.history import look_around
from tests.browser.venue import Venue


@pytest.fixture(scope="module")
def venue(venue: Venue) -> Venue:
    """The furnished house, and the market's overview as CoinGecko would tell it."""
    look_around()
    return venue


def drawn(page: Page) -> Locator:
    """The chart, once Plotly has drawn its candles."""
    chart = page.locator('[data-kind="candles"]')
    expect(chart.locator(".trace.boxes")).to_have_count(1, timeout=20_000)
    return chart


def test_from_the_market_to_a_pairs_candles(page: Page, complaints: list[str]) -> None:
    page.goto("/risk/")
    page.keyboard.press("g")
    page.keyboard.press("m")
    expect(page).to_have_url("/market/")
    expect(page.get_by_role("article")).to_have_count(4)
    expect(page.get_by_role("img", name="Pepe over 7 days")).to_be_visible()
    page.get_by_role("link", name="PEPEUSDT").click()
    expect(page).to_have_url("/market/PEPEUSDT/")
    chart = drawn(page)
    expect(chart).to_have_attribute("aria-label", "97 candles of PEPEUSDT, 15 min each")
    page.get_by_role("link", name="1 h", exact=True).click()
    expect(chart).to_have_attribute("aria-label", "25 candles of PEPEUSDT, 1 h each")
    expect(page.locator("tbody tr")).to_have_count(25)
    with page.expect_download() as download:
        page.get_by_role("link", name="All as CSV").click()
    assert download.value.suggested_filename == "PEPEUSDT-60.csv"
    assert page.request.get("/market/PEPEUSDT/?interval=7").status == 404
    assert page.request.get("/market/NONE/").status == 404
    assert complaints == []
