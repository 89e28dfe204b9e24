"""Checks 14, 15, 20 and 27: every page without a complaint, for everybody, at every width."""

import json
import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.acceptance.checks import Note
from tests.acceptance.conftest import Enter
from tests.acceptance.pages import Place, places
from tests.browser import look
from tests.browser.conftest import WIDE, listen
from tests.browser.house import quote
from tests.browser.venue import Venue

pytestmark = pytest.mark.timeout(900)
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
AUDIT = """
tags => axe.run(document, { runOnly: tags, resultTypes: ["violations"], iframes: false })
    .then(({ violations }) => JSON.stringify(violations.map(({ id, nodes }) =>
        `${id}: ${nodes.slice(0, 3).map(node => node.target.join(" ")).join(", ")}`)))
"""
WIDE_TEXT = """
const sheet = new CSSStyleSheet();
sheet.replaceSync(`* { line-height: 1.5 !important; letter-spacing: .12em !important;
    word-spacing: .16em !important; } p { margin-bottom: 2em !important; }`);
document.adoptedStyleSheets = [sheet];
"""
PHONE = {"width": 390, "height": 844}
VIEWS = {
    "light": {"viewport": WIDE, "color_scheme": "light"},
    "dark": {"viewport": WIDE, "color_scheme": "dark"},
    "phone": {"viewport": PHONE, "color_scheme": "light"},
}
ZOOMED = 720  # as wide as 1440 is at 200 %
OVER = "document.documentElement.scrollWidth - innerWidth"
FOLLOWED_S = 2  # charts are drawn anew after a window has changed
Openings = Callable[[Place], Page]


@pytest.fixture
def opened(
    venue: Venue,
    log_in: Enter,
    open_context: Callable[..., BrowserContext],
    complaints: list[str],
) -> Callable[..., Openings]:
    """Makes a function that opens places, all in one tab, those of strangers in another."""

    def prepare(**options: object) -> Openings:
        page = log_in(None, **options)
        outside = listen(open_context(**options).new_page(), complaints)

        def go(place: Place) -> Page:
            tab = outside if place.stranger else page
            place.open(tab)
            return tab

        return go

    return prepare


@pytest.mark.check(14, 26)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_complains(
    opened: Callable[..., Openings], scheme: str, complaints: list[str], measured: Note
) -> None:
    found: list[str] = []
    go = opened(viewport=WIDE, color_scheme=scheme)
    for place in places():
        complaints.clear()
        go(place)
        wanted = place.status >= 400  # the browser tells the status that was asked for
        found += [] if wanted else [f"{place.name}: {text}" for text in complaints]
    measured(f"{len(found)} on {len(places())} pages, {scheme}")
    assert found == []


@pytest.mark.check(15)
@pytest.mark.parametrize("view", VIEWS)
def test_no_page_shuts_anybody_out(
    opened: Callable[..., Openings], view: str, axe: str, measured: Note
) -> None:
    found: list[str] = []
    go = opened(**VIEWS[view])
    for place in places():
        page = go(place)
        page.evaluate(axe)
        found += [f"{place.name}: {text}" for text in json.loads(page.evaluate(AUDIT, TAGS))]
    measured(f"{len(found)} on {len(places())} pages, {view}")
    assert found == []


@pytest.mark.check(20)
def test_nothing_sticks_out(opened: Callable[..., Openings], measured: Note) -> None:
    go = opened(viewport=WIDE)
    found: list[str] = []
    for place in places():
        page = go(place)
        found += _sticking_out(page, place.name, (*look.WIDTHS, ZOOMED))
        page.evaluate(WIDE_TEXT)
        found += _sticking_out(page, f"{place.name} with wide text", (320, 1440))
    measured(f"{len(found)} stick out of {len(places())} pages")
    assert found == []


def _sticking_out(page: Page, name: str, widths: tuple[int, ...]) -> list[str]:
    found = []
    for width in widths:
        page.set_viewport_size({"width": width, "height": 900})
        end = time.monotonic() + FOLLOWED_S
        while (over := page.evaluate(OVER)) > 0 and time.monotonic() < end:
            page.wait_for_timeout(50)
        if over > 0:
            found.append(f"{name} by {over} px at {width}")
    return found


@pytest.mark.check(27)
def test_still_with_forced_colours_and_on_paper(page: Page, measured: Note) -> None:
    page.emulate_media(reduced_motion="reduce", forced_colors="active")
    page.goto("/")
    chip = page.locator("#connection")
    expect(chip).to_contain_text(re.compile("Live|Delayed|Stale"))
    moving = page.evaluate(
        """() => {
            const node = document.querySelector('[data-live="totals.fills"]');
            node.classList.add("flash");
            const lasts = each => each.effect.getTiming().duration > 0;
            return document.getAnimations().filter(lasts).length;
        }"""
    )
    for name in ("Pause BTC/USDT", "Pause DOGE/USDT"):
        expect(page.get_by_role("button", name=name)).to_be_visible()
    edges = page.locator("article.bot").first.evaluate(
        "node => getComputedStyle(node).borderTopStyle"
    )
    page.emulate_media(reduced_motion="no-preference", forced_colors="none", media="print")
    sheets = len(re.findall(rb"/Type\s*/Page[^s]", page.pdf(format="A4", print_background=False)))
    measured(f"{moving}; works; {sheets} pages")
    assert moving == 0
    assert edges != "none", "where colours are forced, cards are told apart by their edges"
    assert sheets <= 3
    quote()
