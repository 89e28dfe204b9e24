"""The dashboard in a real browser: log in, look, watch it live, pause and resume."""

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from bots import live
from bots.models import Bot, Fill, Order
from bots.reports import cards, standing
from bots.safety import guarding
from bots.templatetags import ladder
from market import ingest
from market.types import Side, moment
from risk.guards import Level, Reading
from risk.models import EquityPoint
from tests.browser import sample
from tests.browser.conftest import WIDE
from tests.browser.house import fill, nearest, quote, run_all
from tests.browser.venue import START, Venue, tick

Enter = Callable[..., Page]
Elsewhere = Callable[..., Any]


@pytest.fixture
def page(venue: Venue, log_in: Enter) -> Page:
    """The dashboard, live."""
    quote()
    return live_page(log_in, viewport=WIDE)


def live_page(log_in: Enter, **options: Any) -> Page:
    """The dashboard after its first snapshot."""
    page = log_in(**options)
    expect(page.locator("#connection")).to_contain_text(re.compile("Live|Delayed"))
    return page


def text_of(page: Page, path: str) -> str:
    return page.locator(f'[data-live="{path}"]').first.inner_text()


def test_four_cards_say_what_the_reports_say(page: Page, complaints: list[str]) -> None:
    expect(page.locator("article.bot")).to_have_count(4)
    state = cards.dashboard()
    for card in state["bots"]:
        article = page.locator(f'[data-bot="{card["slug"]}"]')
        expect(article.get_by_role("heading")).to_have_text(card["name"])
        counts = card["resting"]
        expect(article).to_contain_text(
            f"{counts['sells']} sells and {counts['buys']} buys resting"
        )
    for name in ("equity", "fees", "floating"):
        node = page.locator(f'[data-live="totals.{name}"]').first
        expect(node).to_have_attribute("data-raw", state["totals"][name])
    assert text_of(page, "bots.btc-usdt.price.last") == "97,012.50"
    expect(page.locator("[data-fills] tr")).to_have_count(12)
    assert complaints == []


def test_a_tiny_price_reads_well_and_copies_in_full(page: Page) -> None:
    price = page.locator('[data-live="bots.pepe-usdt.price.last"]')
    expect(price.locator(".pretty")).to_have_text("0.0₅4462")
    expect(price.locator(".vh")).to_have_text("0.000004462")
    copied = price.evaluate(
        """node => {
            getSelection().selectAllChildren(node);
            const clipboardData = new DataTransfer();
            const event = new ClipboardEvent("copy", {clipboardData, bubbles: true});
            node.dispatchEvent(event);
            return event.clipboardData.getData("text/plain");
        }"""
    )
    assert copied == "0.000004462"


def test_a_tick_changes_the_price_without_reload(
    page: Page, elsewhere: Elsewhere, complaints: list[str]
) -> None:
    before = page.locator('[data-ladder="btc-usdt"] .now').get_attribute("d")
    page.evaluate("window.unchanged = true")
    elsewhere(live.price, "btc-usdt", tick("BTCUSDT", "97222.25", START + 60_000))
    expect(page.locator('[data-live="bots.btc-usdt.price.last"]')).to_have_text("97,222.25")
    assert page.locator('[data-ladder="btc-usdt"] .now').get_attribute("d") != before
    assert page.evaluate("window.unchanged")
    assert complaints == []


def test_a_fill_appears_on_top_with_its_profit(
    page: Page, venue: Venue, elsewhere: Elsewhere, complaints: list[str]
) -> None:
    sold = nearest("btc-usdt", Side.SELL)
    elsewhere(fill, venue, sold, START + 1000)
    elsewhere(run_all, venue)
    elsewhere(live.hint, "btc-usdt", "fill")
    first = page.locator("[data-fills] tr").first
    expect(first).to_have_attribute("data-id", f"e-{sold}")
    expect(first.locator(".side-sell")).to_have_text("Sell")
    expect(first.locator('[data-field="profit"]')).to_have_class("up")
    expect(page.locator("[data-fills] tr")).to_have_count(12)
    expect(page.locator('[data-live="totals.round_trips"]')).to_have_text("1")
    assert complaints == []


def test_pause_waits_for_the_state_and_resume_brings_it_back(
    page: Page, complaints: list[str]
) -> None:
    article = page.locator('[data-bot="doge-usdt"]')
    article.get_by_role("button", name="Pause DOGE/USDT").click()
    expect(article.locator("[data-state-chip]")).to_have_text("Paused")
    expect(article.get_by_role("button", name="Resume DOGE/USDT")).to_be_enabled()
    assert Bot.objects.get(slug="doge-usdt").state == Bot.State.PAUSED
    expect(page.locator(".toast").filter(has_text="DOGE/USDT is paused")).to_be_visible()
    article.get_by_role("button", name="Resume DOGE/USDT").click()
    expect(article.locator("[data-state-chip]")).to_have_text("Running")
    assert Bot.objects.get(slug="doge-usdt").state == Bot.State.RUNNING
    assert complaints == []


def test_a_refused_pause_is_an_alert_and_changes_nothing(page: Page) -> None:
    Bot.objects.filter(slug="mnt-usdt").update(state=Bot.State.STOPPED)
    article = page.locator('[data-bot="mnt-usdt"]')
    article.locator("form").evaluate("form => form.requestSubmit()")
    expect(page.get_by_role("alert")).to_contain_text("only a running bot pauses")
    Bot.objects.filter(slug="mnt-usdt").update(state=Bot.State.RUNNING)


def test_pause_works_without_javascript(venue: Venue, log_in: Enter) -> None:
    page = log_in(java_script_enabled=False)
    page.get_by_role("button", name="Pause BTC/USDT").click()
    expect(page.get_by_role("status").filter(has_text="it buys no more")).to_be_visible()
    expect(page.get_by_role("button", name="Resume BTC/USDT")).to_be_visible()


def test_a_ladder_is_written_when_it_is_opened_and_stays_true(
    page: Page, venue: Venue, elsewhere: Elsewhere, complaints: list[str]
) -> None:
    rows = page.locator('[data-cells="btc-usdt"] tr')
    expect(rows).to_have_count(0)
    page.locator("#ladders summary", has_text="BTC/USDT").click()
    cells = cards.card(Bot.objects.get(slug="btc-usdt"))["cells"]
    expect(rows).to_have_count(len(cells))
    sold = nearest("btc-usdt", Side.SELL)
    row = rows.nth(len(cells) - 1 - Order.objects.get(client_id=sold).cell)
    expect(row).to_contain_text("Sell")
    elsewhere(fill, venue, sold, START + 1000)
    elsewhere(run_all, venue)
    elsewhere(live.hint, "btc-usdt", "orders")
    expect(row).to_contain_text("Buy")
    assert complaints == []


def test_every_cell_is_there_without_javascript(venue: Venue, log_in: Enter) -> None:
    page = log_in(java_script_enabled=False)
    page.get_by_role("link", name="Show every cell").click()
    for card in cards.dashboard()["bots"]:
        rows = page.locator(f'[data-cells="{card["slug"]}"] tr')
        expect(rows).to_have_count(len(card["cells"]))
        expect(rows.first).to_be_visible()


def test_old_prices_are_called_stale(page: Page, elsewhere: Elsewhere) -> None:
    page.clock.install()
    page.clock.run_for(20_000)
    expect(page.locator("#connection")).to_contain_text("Stale")


def test_the_page_comes_back_after_the_socket_was_cut(page: Page, elsewhere: Elsewhere) -> None:
    page.add_init_script(
        "const Real = WebSocket; window.WebSocket = class extends Real {"
        " constructor(url) { super(url); window.last = this; } };"
    )
    page.reload()
    expect(page.locator("#connection")).to_contain_text(re.compile("Live|Delayed"))
    with page.expect_websocket():
        page.evaluate("window.last.close()")
    elsewhere(ingest.record_prices, [tick("BTCUSDT", "97300.75", START + 90_000)])
    elsewhere(live.hint, None, "price")
    expect(page.locator('[data-live="bots.btc-usdt.price.last"]')).to_have_text("97,300.75")


def test_the_browser_draws_the_same_ladder_as_the_template(page: Page) -> None:
    shown = [*cards.dashboard()["bots"], *sample.dashboard()["bots"]]
    drawn = page.evaluate(
        """async cards => {
            const { paths, restingText } = await import("/static/js/ladder.js");
            return cards.map(card => [paths(card), restingText(card)]);
        }""",
        shown,
    )
    for card, (shapes, words) in zip(shown, drawn, strict=True):
        assert words == ladder.resting_text(card)
        for kind, path in ladder.paths(card):
            numbers = [_numbers(path), _numbers(shapes[kind])]
            assert len(numbers[0]) == len(numbers[1]), kind
            assert all(abs(a - b) < 0.11 for a, b in zip(*numbers, strict=True)), kind


def _numbers(path: str) -> list[float]:
    return [
        float(part)
        for part in path.replace("M", " ")
        .replace("L", " ")
        .replace("H", " ")
        .replace("h", " ")
        .split()
    ]


def test_targets_equity_guards_and_fills_by_hour(page: Page, complaints: list[str]) -> None:
    now = moment(START)
    for minute in range(0, 600, 10):
        at = now - timedelta(minutes=600 - minute)
        worth = Decimal(34_000) - minute % 70
        EquityPoint.objects.create(subject="all", time=at, equity=worth)
    guarding.note(
        Reading("clock", "all", Decimal(3), Decimal(1000), "ms", Level.CLEAR, no_buys=True)
    )
    guarding.note(
        Reading("equity", "all", Decimal("0.01"), Decimal("0.3"), "share lost", Level.CLEAR)
    )
    standing.keep()
    page.goto("/")
    expect(page.locator(".targets > li")).to_have_count(5)
    expect(page.locator(".targets")).to_contain_text("8 – 15")
    filled = Fill.objects.values("order").distinct().count()
    counts = page.locator(".heat tbody td").all_inner_texts()
    assert sum(int(text) for text in counts if text.isdigit()) == filled
    expect(page.locator('[data-part="watched"]')).to_contain_text("limit 30 %")
    box = page.locator('[data-kind="equity"]')
    box.scroll_into_view_if_needed()
    expect(box.locator(".main-svg").first).to_be_visible()
    page.get_by_role("link", name="24 h").click()
    expect(page).to_have_url(re.compile(r"hours=24"))
    said = page.request.get("/figures/equity/?hours=24").json()
    assert said["data"][0]["y"][-1] == "33970"  # the last: 590 % 70 below
    assert min(map(Decimal, said["data"][-1]["y"])) == Decimal("-0.18")  # 60 of 34,000
    assert page.request.get("/figures/equity/?hours=5").status == 404
    assert complaints == []


def test_it_prints_without_navigation_and_buttons(page: Page) -> None:
    page.emulate_media(media="print")
    expect(page.get_by_role("navigation", name="Main")).to_be_hidden()
    expect(page.get_by_role("button", name="Pause BTC/USDT")).to_be_hidden()
    expect(page.locator("article.bot").first).to_be_visible()


def test_the_keyboard_reaches_the_content_and_pauses(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    button = page.get_by_role("button", name="Pause PEPE/USDT")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Resume PEPE/USDT")).to_be_focused()
    page.keyboard.press("Enter")
    expect(button).to_be_focused()
