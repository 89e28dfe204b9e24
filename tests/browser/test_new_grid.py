"""The new grid's form in a real browser: the truth as fields change, refusals, review, start."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from bots.books import ledger
from bots.models import Bot
from market import ingest
from tests.browser import look
from tests.browser.conftest import WIDE, make_operator
from tests.browser.house import quote
from tests.browser.venue import PAIRS, Venue

Enter = Callable[..., Page]
GRID = {"symbol": "BTCUSDT", "lower": "95500", "upper": "99000", "grids": "12", "capital": "25000"}


@pytest.fixture
def operator(transactional_db: None) -> User:
    """An account in a house without bots."""
    return make_operator()


@pytest.fixture
def page(operator: User, log_in: Enter) -> Page:
    """The form, on a market of this second and an account of 34,000 USDT."""
    market()
    page = log_in(viewport=WIDE)
    page.goto("/bots/new/")
    return page


def market() -> None:
    ingest.refresh_instruments(Venue(), list(PAIRS))
    quote()
    ledger.open_books(Venue())


def enter(page: Page, **fields: str) -> None:
    for name, value in fields.items():
        page.locator(f"[name={name}]").fill(value)


def test_the_truth_follows_the_fields_and_the_bot_starts(page: Page, complaints: list[str]) -> None:
    enter(page, **GRID)
    quote()
    enter(page, stop_loss="94800")
    truth = page.get_by_label("Truth card")
    expect(truth).to_contain_text("Net profit of a round trip")
    expect(truth).to_contain_text("+0.10")
    expect(truth).to_contain_text("Cheaper: 6 grids keep 66")
    expect(truth).to_contain_text("the bundled tape BTCUSDT")
    expect(page.locator("[name=slug]")).to_have_value("btc-usdt")
    look.fits(page)
    quote()
    page.get_by_role("button", name="Review and start").click()
    expect(page.get_by_role("region", name="Orders").locator("tbody tr")).to_have_count(12)
    go = page.get_by_role("button", name="Start the grid")
    expect(go).to_be_disabled()
    page.get_by_label("Type BTC to confirm").fill("BTC")
    quote()
    go.click()
    expect(page).to_have_url("/bots/btc-usdt/")
    bot = Bot.objects.get()
    assert (bot.state, bot.config.grids, bot.config.created_by) == ("deploying", 12, "operator")
    assert complaints == []


def test_what_is_wrong_stands_at_its_field(page: Page, complaints: list[str]) -> None:
    enter(page, **{**GRID, "grids": "60"})
    expect(page.locator("#error-grids")).to_contain_text("a round trip would lose")
    enter(page, grids="12", upper="95000")
    expect(page.locator("#error-upper")).to_contain_text("must be above the lower")
    quote()  # old ones would be asked for anew
    enter(page, upper="99000", capital="40000")
    expect(page.locator("#error-capital")).to_contain_text("are free")
    assert complaints == []


def test_without_javascript_the_same_steps(operator: User, log_in: Enter) -> None:
    market()
    page = log_in(java_script_enabled=False)
    page.goto("/bots/new/?preset=btc-usdt")
    page.get_by_role("button", name="Work it out").click()
    expect(page.get_by_label("Truth card")).to_contain_text("Net profit of a round trip")
    quote()
    page.get_by_role("button", name="Review and start").click()
    page.get_by_label("Type BTC to confirm").fill("DOGE")
    quote()
    page.get_by_role("button", name="Start the grid").click()
    expect(page.get_by_role("alert")).to_contain_text("type BTC to confirm")
    assert not Bot.objects.exists()
