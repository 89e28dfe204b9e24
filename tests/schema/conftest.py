"""The site of the browser tests, without a browser."""

from tests.browser.conftest import site

__all__ = ["site"]
