"""A site to look at: daphne on the test database, a real Chromium, and a page that minds errors."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connections
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from pytest_django import DjangoDbBlocker

from bots import roles
from tests.browser.house import furnish, quote
from tests.browser.venue import Venue
from tests.rig.web import serving

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
SHOTS = ROOT / "var" / "shots"
NAME, PASSWORD = "operator", "a long password"
WIDE = {"width": 1440, "height": 900}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="package")
def site(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a site that serves the test database."""
    with serving(tmp_path_factory.mktemp("site")) as address:
        yield address


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Debian's Chromium. Where there is none its tests are skipped, or fail if it is required."""
    if not CHROMIUM.exists():
        reason = f"no browser: {CHROMIUM} is missing (apt-get install chromium, or set CHROMIUM)"
        if os.environ.get("GRIDTRADER_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    # Playwright keeps an event loop in this thread, beside which Django would refuse its ORM.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=str(CHROMIUM))
        yield running
        running.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture(scope="module")
def venue(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Venue]:
    """The four bots, furnished once for the tests of a file; each test minds its own bot."""
    with django_db_blocker.unblock():
        yield furnish()
        call_command("flush", verbosity=0, interactive=False)


@pytest.fixture(scope="module")
def operator(venue: Venue) -> User:
    """An account in the furnished house. A file about an empty one has its own."""
    return make_operator()


def make_operator() -> User:
    """An account whose password the site can check: tests hash with a method it does not know."""
    return in_a_thread(_make_operator)


def _make_operator() -> User:
    roles.ensure_groups()
    user = User(username=NAME, is_staff=True, is_superuser=True)
    user.password = PBKDF2PasswordHasher().encode(PASSWORD, "salt", iterations=1000)
    user.save()
    return user


def in_a_thread(function: Callable[..., Any], *args: Any) -> Any:
    """Call what tells open pages something: Playwright's event loop is in this thread's way."""

    def call() -> Any:
        try:
            return function(*args)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result(timeout=30)


@pytest.fixture
def elsewhere() -> Iterator[Callable[..., Any]]:
    """Calls a function in another thread, as the stream process would, and waits for it."""
    with ThreadPoolExecutor(1) as pool:
        yield lambda function, *args: pool.submit(function, *args).result(timeout=30)
        pool.submit(connections.close_all).result(timeout=30)


@pytest.fixture
def open_context(
    browser: Browser,
    site: str,
    operator: User,  # asked for here so that pages are closed before their account is taken away
) -> Iterator[Callable[..., BrowserContext]]:
    """Makes browser contexts of the site."""
    contexts: list[BrowserContext] = []
    asked: set[str] = set()

    def make(**options: Any) -> BrowserContext:
        context = browser.new_context(base_url=site, **options)
        context.set_default_timeout(10_000)
        context.on("request", lambda request: asked.add(urlsplit(request.url).netloc))
        contexts.append(context)
        return context

    yield make
    for context in contexts:
        context.close()
    assert asked <= {urlsplit(site).netloc, ""}, "a page asks another host"  # data: has none


@pytest.fixture
def page(venue: Venue, log_in: Callable[..., Page]) -> Page:
    """A page of the operator that has opened nothing yet; prices are of this moment."""
    quote()
    return log_in(None, viewport=WIDE)


@pytest.fixture
def complaints() -> list[str]:
    """What pages complained about; a test that expects none ends with it empty."""
    return []


@pytest.fixture
def log_in(
    open_context: Callable[..., BrowserContext], site: str, operator: User, complaints: list[str]
) -> Callable[..., Page]:
    """Opens the dashboard as the operator, in a context with the given options."""
    cookie = login_cookie(operator, site)

    def enter(path: str | None = "/", **options: Any) -> Page:
        """A page of its own context; None opens nothing yet."""
        context = open_context(**options)
        context.add_cookies([cookie])
        page = listen(context.new_page(), complaints)
        if path is not None:
            page.goto(path)
        return page

    return enter


def login_cookie(user: User, site: str) -> Any:
    """What makes a browser a logged-in one."""
    client = Client()
    in_a_thread(client.force_login, user)
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    return {"name": settings.SESSION_COOKIE_NAME, "value": session, "url": site}


def listen(page: Page, complaints: list[str]) -> Page:
    """Note errors and warnings of the console (CSP violations among them) and failed requests."""
    page.on(
        "console",
        lambda said: (
            complaints.append(f"{said.type}: {said.text}")
            if said.type in {"error", "warning"}
            else None
        ),
    )
    page.on("pageerror", lambda error: complaints.append(f"exception: {error}"))
    page.on(
        "response",
        lambda answer: (
            complaints.append(f"{answer.status}: {answer.url}") if answer.status >= 400 else None
        ),
    )
    return page
