"""The market page and a pair's candles in a real browser."""

from collections.abc import Callable, Iterator

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from playwright.sync_api import Locator, Page, expect
from pytest_django import DjangoDbBlocker

from integrations.coingecko import overview
from market import ingest
from tests.browser.conftest import SHOTS, make_operator
from tests.browser.house import furnish
from tests.browser.venue import PAIRS, Venue, tick
from tests.integrations.fake_coingecko import FakeCoinGecko

Enter = Callable[..., Page]


@pytest.fixture(scope="module")
def venue(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Venue]:
    with django_db_blocker.unblock(), pytest.MonkeyPatch.context() as patch:
        house = furnish()
        with FakeCoinGecko() as gecko:
            patch.setattr(settings, "COINGECKO_BASE_URL", gecko.url)
            assert overview.refresh()
        yield house
        call_command("flush", verbosity=0, interactive=False)


@pytest.fixture(scope="module")
def operator(venue: Venue) -> User:
    return make_operator()


@pytest.fixture
def page(venue: Venue, log_in: Enter) -> Page:
    ingest.record_prices([tick(symbol) for symbol in PAIRS])
    return log_in(viewport={"width": 1440, "height": 900})


def drawn(page: Page) -> Locator:
    """The chart, once Plotly has drawn its candles."""
    chart = page.locator('[data-kind="candles"]')
    expect(chart.locator(".trace.boxes")).to_have_count(1, timeout=20_000)
    return chart


def test_from_the_market_to_a_pairs_candles(page: Page, complaints: list[str]) -> None:
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


@pytest.mark.parametrize("path", ["/market/", "/market/BTCUSDT/"])
def test_every_width_fits(page: Page, path: str, complaints: list[str]) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.goto(path)
    if page.locator("[data-figure]").count():
        drawn(page)
    name = path.strip("/").replace("/", "-")
    for width, scheme in ((320, "light"), (390, "dark"), (1440, "light"), (1440, "dark")):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        page.wait_for_timeout(120)  # Plotly redraws after the frame in which it was resized
        page.screenshot(path=SHOTS / f"{name}-{width}-{scheme}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, width
    assert complaints == []
