"""Looking at a page: every width in light and dark, kept as pictures; nothing sticks out."""

from playwright.sync_api import Page

from tests.browser.conftest import SHOTS

WIDTHS = (320, 390, 768, 1024, 1440)
SCHEMES = ("light", "dark")
SETTLED_MS = 120  # Plotly redraws after the frame in which it was resized


def at_every_width(page: Page, name: str) -> None:
    """Take a picture of the page that is open at each width and scheme; assert that it fits."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            page.evaluate("scrollTo(0, 0)")
            page.wait_for_timeout(SETTLED_MS)
            page.screenshot(path=SHOTS / f"{name}-{width}-{scheme}.png", full_page=True)
            over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert over <= 0, f"{name} sticks out by {over} px at {width}"
