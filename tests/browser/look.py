"""Looking at a page: whether it fits, and pictures of it."""

from playwright.sync_api import Page

from tests.browser.conftest import SHOTS
from tests.rig.waiting import until

WIDTHS = (320, 390, 768, 1024, 1440)
# Name of a picture, width of the window, colour scheme.
VIEWS = (("light", 1440, "light"), ("dark", 1440, "dark"), ("phone", 390, "light"))
HEIGHT = 900
FITS = "document.documentElement.scrollWidth <= innerWidth"
# Two frames: Plotly redraws after the one in which it was resized.
SETTLED = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


def fits(page: Page, widths: tuple[int, ...] = (320, 1440)) -> None:
    """Assert that nothing of the open page sticks out sideways, once its charts have followed."""
    for width in widths:
        page.set_viewport_size({"width": width, "height": HEIGHT})
        # Asked from here: a wait inside the page would need `eval`, which the page forbids.
        until(lambda: page.evaluate(FITS), 10, f"nothing sticks out at {width} pixels")


def keep(page: Page, name: str) -> None:
    """Take a picture of the open page in light, dark and at a phone's width."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    for view, width, scheme in VIEWS:
        page.set_viewport_size({"width": width, "height": HEIGHT})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.evaluate("scrollTo(0, 0)")
        page.evaluate(SETTLED)
        page.screenshot(path=SHOTS / f"{name}-{view}.png", full_page=True)
