"""The risk page and the audit trail in a real browser, with and without JavaScript."""

import csv
import io
from collections.abc import Callable
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from bots.models import Bot
from bots.roles import Role, give
from risk import audit, halts
from risk.models import AuditRow
from tests.browser import look
from tests.browser.conftest import in_a_thread
from tests.browser.history import note, watch
from tests.browser.venue import Venue

Enter = Callable[..., Page]


@pytest.fixture(scope="module")
def venue(venue: Venue) -> Venue:
    """Four bots under guards, one of which is tripped."""
    watch()
    return venue


def test_a_tripped_guard_is_told_first_and_in_words(page: Page, complaints: list[str]) -> None:
    page.goto("/")
    page.get_by_role("link", name="Risk", exact=True).click()
    note_of_page = page.locator('[data-part="verdict"]')
    expect(note_of_page).to_contain_text("One guard is tripped.")
    expect(note_of_page).to_contain_text("BTC moved 2.4 % within 60 minutes")
    first = page.locator(".guard-kind").first
    expect(first).to_contain_text("BTC filter")
    expect(first.locator('[data-field="value"]')).to_have_attribute("data-raw", "2.4")
    expect(first).to_contain_text("limit 2 %")
    expect(first.locator(".meter .used.bad")).to_have_attribute("width", "298")
    stops = page.locator('[data-part="stops"] tr')
    expect(stops).to_have_count(4)
    expect(stops.first).to_contain_text("BTC/USDT")  # 2.28 % above its stop-loss: the nearest
    assert complaints == []


def test_what_guards_measure_changes_without_reload(
    page: Page, elsewhere: Callable[..., None], complaints: list[str]
) -> None:
    page.goto("/risk/")
    page.evaluate("window.unchanged = true")
    elsewhere(note, "clock", "all", Decimal(77), Decimal(1000), "ms")
    expect(page.locator('[data-part="kinds"]')).to_contain_text("77 ms", timeout=15_000)
    assert page.evaluate("window.unchanged")
    assert complaints == []


def test_a_halt_is_lifted_with_a_reason(page: Page, log_in: Enter, complaints: list[str]) -> None:
    bot = Bot.objects.get(slug="mnt-usdt")
    halts.open_halt(bot.subject, reason="a look at its book", by="ann")
    page.goto("/risk/")
    expect(page.get_by_role("heading", name="Halt on MNT/USDT")).to_be_visible()
    look.fits(page)
    page.get_by_role("button", name="Lift it").click()  # the browser wants a reason first
    assert halts.is_open(bot.subject) is not None
    plain = log_in(java_script_enabled=False)
    plain.goto("/risk/")
    plain.get_by_label("Why it may go on").fill("seen, all is well")
    plain.get_by_role("button", name="Lift it").click()
    expect(plain.locator(".note[role=status]")).to_contain_text("It is lifted")
    assert halts.is_open(bot.subject) is None
    row = AuditRow.objects.get(what="lift")
    assert (row.who, row.reason, row.origin) == ("operator", "seen, all is well", "page 127.0.0.1")
    assert complaints == []


def test_a_viewer_lifts_nothing(page: Page, operator: User) -> None:
    halt = halts.open_halt("all", reason="stand still", by="ann")
    operator.is_superuser = False
    page.goto("about:blank")  # an open page would look again by itself
    in_a_thread(operator.save)
    in_a_thread(give, operator, Role.VIEWER)
    try:
        page.goto("/risk/")
        expect(page.get_by_role("heading", name="Halt on All bots")).to_be_visible()
        expect(page.get_by_role("button", name="Lift it")).to_have_count(0)
        answer = page.request.post(f"/risk/halts/{halt.pk}/lift/", form={"reason": "let me"})
        assert answer.status == 403
    finally:
        operator.is_superuser = True
        in_a_thread(operator.save)
        halts.lift(halt, by="ann", reason="done")


def test_the_trail_filters_pages_and_proves_itself(page: Page, complaints: list[str]) -> None:
    for number in range(60):
        after = {"limit": Decimal(number)}
        audit.record("policy", "all", who="ann", after=after, reason="=1+1")
    page.goto("/audit/")
    page.get_by_label("Act").select_option("policy")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("tbody tr")).to_have_count(50)
    page.get_by_role("link", name="Older rows").click()
    expect(page.locator("tbody tr")).to_have_count(10)
    expect(page.locator("tbody tr").last).to_contain_text("limit 0")
    file = page.request.get("/audit/export.csv?what=policy").text()
    rows = list(csv.DictReader(io.StringIO(file)))
    assert len(rows) == 60
    assert {row["reason"] for row in rows} == {"'=1+1"}, "no spreadsheet may take it for a formula"
    page.get_by_role("button", name="Prove the chain").click()
    expect(page.locator(".note[role=status]")).to_contain_text("as they were written")
    assert page.request.get("/audit/?before=x").status == 404
    assert complaints == []
