"""Backtests in a real browser: asked for, watched, read, compared, and led on to a deployment."""

import csv
import io
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from playwright.sync_api import Page, expect

from bots.backtest import runs, tapes
from bots.backtest.replay import replay
from bots.models import RECORDED, Backtest
from tests.browser import look
from tests.browser.venue import Venue

Enter = Callable[..., Page]
Elsewhere = Callable[..., Any]
State = Backtest.State


def ask(grids: int = 18, tape: str = "") -> Backtest:
    """A backtest of DOGE that waits: on the bundled tape unless told otherwise."""
    file = next(name for symbol, name in tapes.tapes() if symbol == "DOGEUSDT")
    return Backtest.objects.create(
        symbol="DOGEUSDT", source=tape or file, lower="0.129", upper="0.145", grids=grids,
        capital=1500, asked_by="ann",
    )  # fmt: skip


def test_a_run_is_asked_for_watched_and_read(
    page: Page, elsewhere: Elsewhere, complaints: list[str]
) -> None:
    page.goto("/")
    page.get_by_role("link", name="Backtests").click()
    page.get_by_role("link", name="New backtest").click()
    page.get_by_role("main").get_by_role("link", name="DOGE/USDT 18 grids").click()
    expect(page.get_by_label("Grids")).to_have_value("18")
    page.get_by_label("Candles").select_option(label="DOGEUSDT, bundled tape")
    page.get_by_role("button", name="Run it").click()
    expect(page.get_by_role("heading", name="At work")).to_be_visible()
    expect(page.locator("[data-job-stage]")).to_have_text("Waiting for the worker")
    row = Backtest.objects.get()
    Backtest.objects.filter(pk=row.pk).update(percent=41, stage="Replaying day 2 of 5")
    expect(page.locator("[data-job-stage]")).to_have_text("Replaying day 2 of 5")
    expect(page.locator("progress")).to_have_js_property("value", 41)
    look.fits(page)
    elsewhere(runs.carry_out, row.pk)
    expect(page.get_by_text("buying and holding.")).to_be_visible()  # it came by itself
    bars, first, last = tapes.bars("DOGEUSDT", row.source, None, None)
    outcome = replay(runs.plan_of(row), bars)
    shown = page.locator('.kpis [data-field="grid_profit"]').get_attribute("data-raw")
    assert Decimal(shown or "") == outcome.grid_profit
    assert first < last
    for kind in ("price", "equity", "daily"):
        box = page.locator(f'[data-kind="{kind}"]')
        box.scroll_into_view_if_needed()
        expect(box.locator(".main-svg").first).to_be_visible()
    look.fits(page)
    file = page.request.get(f"/backtests/{row.pk}/export.csv").text()
    assert len(list(csv.DictReader(io.StringIO(file)))) == len(outcome.fills)
    told = page.request.get(f"/backtests/{row.pk}/export.json").json()
    assert told["equity"] == format(outcome.equity.normalize(), "f")
    page.get_by_role("link", name="Deploy this…").click()
    expect(page.get_by_label("Lower price")).to_have_value("0.129")
    expect(page.get_by_label("Pair", exact=True)).to_have_value("DOGEUSDT")
    assert complaints == []


def test_two_runs_side_by_side(page: Page, complaints: list[str]) -> None:
    rows = [ask(12), ask(24)]
    for row in rows:
        runs.carry_out(row.pk)
    page.goto("/backtests/")
    for row in rows:
        page.get_by_label(f"Compare number {row.pk}").check()
    look.fits(page)
    page.get_by_role("button", name="Compare the ticked ones").click()
    expect(page.get_by_role("columnheader", name=f"No. {rows[1].pk}")).to_be_visible()
    expect(page.locator('[data-kind="compare"] .main-svg').first).to_be_visible()
    look.fits(page)
    assert page.request.get("/backtests/compare/?run=1").status == 404
    assert complaints == []


def test_without_javascript_a_run_is_asked_for_and_cancelled(venue: Venue, log_in: Enter) -> None:
    page = log_in(java_script_enabled=False)
    page.goto("/backtests/new/?bot=mnt-usdt")
    page.get_by_label("Grids").fill("1")
    page.get_by_role("button", name="Run it").click()
    expect(page.locator(".error")).to_contain_text("greater than or equal to 2")
    page.get_by_label("Grids").fill("15")
    page.get_by_role("button", name="Run it").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Cancelled.")).to_be_visible()
    row = Backtest.objects.latest("pk")
    assert (row.symbol, row.source, row.state) == ("MNTUSDT", RECORDED, State.CANCELLED)
    runs.carry_out(row.pk)  # the worker comes too late
    row.refresh_from_db()
    assert row.state == State.CANCELLED


def test_what_cannot_be_replayed_says_why(page: Page, complaints: list[str]) -> None:
    row = ask(tape="nothing.csv.gz")
    runs.carry_out(row.pk)
    page.goto(f"/backtests/{row.pk}/")
    expect(page.get_by_text("no tape of DOGEUSDT is named nothing.csv.gz")).to_be_visible()
    page.goto("/backtests/new/?bot=btc-usdt")
    look.fits(page)
    assert complaints == []


def test_a_run_in_its_own_process_is_stopped_with_its_worker(venue: Venue) -> None:
    row = ask()
    runs.carry_out(row.pk, is_wanted=lambda: False)
    row.refresh_from_db()
    assert row.state == State.RUNNING, "it stopped, and may be claimed again once it is silent"
    assert runs.is_busy()
