"""A picture of every page in light, dark and on a phone (`make shots`), into var/shots."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.acceptance.pages import places
from tests.browser import look
from tests.browser.conftest import WIDE
from tests.browser.history import live_in
from tests.browser.venue import Venue

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def venue(venue: Venue) -> Venue:
    """The furnished house with a month behind it."""
    live_in()
    return venue


def test_every_page_has_its_picture(
    venue: Venue,
    log_in: Callable[..., Page],
    open_context: Callable[..., BrowserContext],
) -> None:
    inside: Any = log_in(None, viewport=WIDE)
    outside = open_context(viewport=WIDE).new_page()
    for place in places():
        page = outside if place.stranger else inside
        page.set_viewport_size(WIDE)
        place.open(page)
        look.keep(page, place.name)
