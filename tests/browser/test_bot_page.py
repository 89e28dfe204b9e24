"""A bot's page and the lists of orders, fills and round trips, in a real browser."""

import csv
import io
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from bots import live
from bots.models import Bot, RoundTrip
from bots.reports import cards, profit
from market.types import Side
from tests.browser.house import fill, nearest, run_all
from tests.browser.venue import START, Venue
from tests.rig.waiting import until

Enter = Callable[..., Page]
Elsewhere = Callable[..., Any]


@pytest.fixture(scope="module")
def venue(venue: Venue) -> Venue:
    """The four bots with one closed round trip each."""
    for bot in Bot.objects.all():
        fill(venue, nearest(bot.slug, Side.SELL), START + 1000)
    run_all(venue)
    return venue


def drawn(page: Page, kind: str) -> Any:
    """The figure's box, once Plotly has drawn into it."""
    box = page.locator(f'[data-kind="{kind}"]')
    box.scroll_into_view_if_needed()
    expect(box.locator(".main-svg").first).to_be_visible()
    return box


def test_a_card_leads_to_the_page_of_its_bot(page: Page, complaints: list[str]) -> None:
    page.goto("/")
    page.get_by_role("link", name="Open PEPE/USDT").click()
    expect(page).to_have_url("/bots/pepe-usdt/")
    expect(page.get_by_role("heading", level=1)).to_have_text("PEPE/USDT")
    expect(page.locator('[data-part="levels"] tr')).to_have_count(25)
    assert complaints == []


def test_levels_and_lines_stand_at_the_same_height(page: Page, complaints: list[str]) -> None:
    for slug in ("btc-usdt", "pepe-usdt"):
        page.goto(f"/bots/{slug}/")
        drawn(page, "ladder")
        off = page.evaluate(
            """() => {
                const middle = node => {
                    const box = node.getBoundingClientRect();
                    return box.top + box.height / 2;
                };
                const lines = [...document.querySelectorAll('.shapelayer path')];
                const rows = [...document.querySelectorAll('[data-level-number]')];
                const heights = lines.map(middle).sort((a, b) => a - b);
                return rows.map((row, i) => Math.abs(middle(row) - heights[i]));
            }"""
        )
        assert len(off) == len(cards.card(Bot.objects.get(slug=slug))["cells"]) + 1
        assert max(off) < 2, (slug, off)
    assert complaints == []


def test_a_row_makes_its_level_and_its_fills_stand_out(page: Page, complaints: list[str]) -> None:
    page.goto("/bots/btc-usdt/")
    drawn(page, "ladder")
    row = page.locator("[data-level-number]").nth(3)
    price = row.locator('[data-field="price"]').get_attribute("data-raw")
    row.hover()
    expect(row).to_have_class(re.compile("marked"))
    wide = """() => [...document.querySelectorAll('[data-kind="ladder"] .shapelayer path')]
        .filter(path => getComputedStyle(path).strokeWidth === '3px')
        .map(path => path.closest('[data-kind]').layout.shapes[path.dataset.index].y0)"""
    until(lambda: page.evaluate(wide) == [price], 5, "its level stands out")
    page.locator("h1").first.hover()
    expect(row).not_to_have_class(re.compile("marked"))
    until(lambda: page.evaluate(wide) == [], 5, "no level stands out")
    row.hover()
    page.evaluate("dispatchEvent(new Event('resize'))")  # it is drawn anew
    until(lambda: page.evaluate(wide) == [price], 5, "its level stands out again")
    link = page.locator("[data-level-number] a").first
    link.focus()
    expect(page.locator("[data-level-number].marked")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"tab=trips&bot=btc-usdt&cell=\d+"))
    assert complaints == []


def test_the_price_is_drawn_as_candles_on_request(page: Page, complaints: list[str]) -> None:
    page.goto("/bots/btc-usdt/?hours=6")
    drawn(page, "ladder")
    page.get_by_role("link", name="Candles").click()
    kind = """() => document.querySelector('[data-kind="ladder"]').data[0].type"""
    until(lambda: page.evaluate(kind) == "candlestick", 20, "candles are drawn")
    expect(page).to_have_url(re.compile(r"hours=6&as=candles"))
    page.reload()
    drawn(page, "ladder")
    expect(page.get_by_role("link", name="Candles")).to_have_attribute("aria-current", "true")
    assert page.evaluate(kind) == "candlestick"
    assert complaints == []


def test_the_figures_are_drawn_and_end_where_the_card_does(
    page: Page, complaints: list[str]
) -> None:
    page.goto("/bots/btc-usdt/")
    drawn(page, "ladder")
    drawn(page, "earnings")
    bot = Bot.objects.get(slug="btc-usdt")
    last, card = profit.course(bot)[-1], cards.card(bot)
    assert last.grid == Decimal(card["grid_profit"])
    assert last.floating == Decimal(card["floating"])
    assert last.total == Decimal(card["total"])
    assert complaints == []


def test_a_fill_changes_the_tables_without_reload(
    page: Page, venue: Venue, elsewhere: Elsewhere, complaints: list[str]
) -> None:
    page.goto("/bots/mnt-usdt/")
    expect(page.locator("#connection")).to_contain_text(re.compile("Live|Delayed"))
    page.evaluate("window.unchanged = true")
    before = page.locator('[data-part="trips"] tbody tr').count()
    elsewhere(fill, venue, nearest("mnt-usdt", Side.SELL), START + 5000)
    elsewhere(run_all, venue)
    elsewhere(live.hint, "mnt-usdt", "fill")
    expect(page.locator('[data-part="trips"] tbody tr')).to_have_count(before + 1)
    assert page.evaluate("window.unchanged")
    assert complaints == []


def test_pause_works_on_the_page_and_without_javascript(page: Page, log_in: Enter) -> None:
    page.goto("/bots/doge-usdt/")
    expect(page.locator("#connection")).to_contain_text(re.compile("Live|Delayed"))
    page.get_by_role("button", name="Pause DOGE/USDT").click()
    expect(page.locator(".state-chip")).to_have_text("Paused")
    plain = log_in(java_script_enabled=False)
    plain.goto("/bots/doge-usdt/")
    plain.get_by_role("button", name="Resume DOGE/USDT").click()
    expect(plain).to_have_url("/bots/doge-usdt/")
    expect(plain.locator(".state-chip")).to_have_text("Running")


def test_stop_wants_the_name_typed_and_keeps_the_coins(page: Page, complaints: list[str]) -> None:
    page.goto("/bots/btc-usdt/")
    opener = page.get_by_role("link", name="Stop…")
    opener.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    go = dialog.get_by_role("button", name="Stop BTC/USDT")
    expect(go).to_be_disabled()
    expect(dialog.get_by_label("Keep the coins")).to_be_checked()
    word = dialog.get_by_label("Type BTC to confirm")
    word.fill("btc")
    word.press("Enter")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()
    assert Bot.objects.get(slug="btc-usdt").state == Bot.State.RUNNING
    opener.click()
    dialog.get_by_label("Type BTC to confirm").fill("BTC")
    go.click()
    expect(page.locator(".state-chip")).to_have_text("Stopping")
    bot = Bot.objects.get(slug="btc-usdt")
    assert (bot.state, bot.exit) == (Bot.State.STOPPING, Bot.Exit.KEEP)
    assert complaints == []


def test_stop_without_javascript_refuses_the_wrong_word(venue: Venue, log_in: Enter) -> None:
    page = log_in(java_script_enabled=False)
    page.goto("/bots/mnt-usdt/")
    page.get_by_role("link", name="Stop…").click()
    page.get_by_label("Type MNT to confirm").fill("BTC")
    page.get_by_role("button", name="Stop MNT/USDT").click()
    expect(page.get_by_role("alert")).to_contain_text("type MNT to confirm")
    assert Bot.objects.get(slug="mnt-usdt").state == Bot.State.RUNNING


def test_lists_filter_page_and_export_equal_numbers(page: Page, complaints: list[str]) -> None:
    page.goto("/orders/")
    page.get_by_role("link", name="Round trips").click()
    page.get_by_label("Bot").select_option("pepe-usdt")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    file = page.request.get("/orders/export.csv?tab=trips&bot=pepe-usdt").text()
    [row] = csv.DictReader(io.StringIO(file))
    trip = RoundTrip.objects.get(bot__slug="pepe-usdt")
    assert Decimal(row["profit"]) == trip.grid_profit + trip.inventory_pnl
    shown = page.locator('[data-field="profit"]').get_attribute("data-raw")
    assert shown == row["profit"]
    listed = page.request.get("/api/round-trips?bot=pepe-usdt").json()["results"][0]
    assert listed["grid_profit"] == row["grid_profit"]
    for tab in ("resting", "fills"):
        page.goto(f"/orders/?tab={tab}&side=Sell")
        assert set(page.locator("tbody .side-sell").all_inner_texts()) == {"Sell"}
    assert page.request.get("/orders/?tab=none").status == 404
    assert complaints == []
