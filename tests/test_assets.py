"""Static files: sent before Django is asked, compressed, not twice; imports are hinted at."""

import gzip
import http.client
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.test import Client

from bots.roles import Role
from bots.templatetags.modules import imported
from tests.factories import UserFactory
from tests.rig.web import serving

STATIC = Path(__file__).resolve().parents[1] / "static"


@pytest.fixture(scope="module")
def site(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("site")) as address:
        yield address


def get(site: str, path: str, method: str = "GET", **headers: str) -> http.client.HTTPResponse:
    line = http.client.HTTPConnection(urlsplit(site).netloc, timeout=20)
    line.request(method, path, headers={name.replace("_", "-"): v for name, v in headers.items()})
    return line.getresponse()


def test_a_script_is_compressed_and_nothing_else_is_taken_for_one(site: str) -> None:
    plain = get(site, "/static/js/page.js")
    text = plain.read()
    assert text == (STATIC / "js/page.js").read_bytes()
    assert plain.headers["Content-Type"].startswith("text/javascript")
    assert plain.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in plain.headers["Content-Security-Policy"]
    zipped = get(site, "/static/js/page.js", Accept_Encoding="gzip, br")
    body = zipped.read()
    assert (zipped.headers["Content-Encoding"], gzip.decompress(body)) == ("gzip", text)
    assert int(zipped.headers["Content-Length"]) == len(body)
    assert "Accept-Encoding" in zipped.headers["Vary"]


def test_the_bundle_comes_as_it_was_compressed(site: str) -> None:
    name = "vendor/plotly-4.1.1-grid.min.js"
    answer = get(site, f"/static/{name}", Accept_Encoding="gzip")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.read() == (STATIC / f"{name}.gz").read_bytes()


def test_what_the_browser_has_is_not_sent_again(site: str) -> None:
    first = get(site, "/static/app.css", Accept_Encoding="gzip")
    first.read()
    again = get(site, "/static/app.css", If_None_Match=first.headers["ETag"])
    assert (again.status, again.read()) == (304, b"")


def test_other_methods_and_files_that_are_not_there(site: str) -> None:
    head = get(site, "/static/app.css", "HEAD")
    assert (head.status, head.read()) == (200, b"")
    assert get(site, "/static/app.css", "POST").status == 405
    for path in ("/static/none.css", "/static/../manage.py", "/static/js/", "/static/%2e%2e/x"):
        assert get(site, path).status == 404, path


def test_every_import_of_a_script_is_hinted_and_there() -> None:
    assert "js/toast.js" in imported("js/page.js"), "imported by actions.js, which it imports"
    for script in sorted((STATIC / "js").glob("*.js")):
        text = script.read_text(encoding="utf-8")
        names = {f"js/{name}" for name in re.findall(r'^import .*"\./(.+)";$', text, re.MULTILINE)}
        assert names <= set(imported(f"js/{script.name}")), script.name


def test_what_comes_late_is_asked_for_at_once() -> None:
    (told,) = re.findall(
        r"^const slow = \[(.+?)\];", (STATIC / "js/page.js").read_text(), re.MULTILINE
    )
    first, *others = [f"js/{name}.js" for name in re.findall(r'"(\w+)"', told)]
    early = {"js/page.js", *imported("js/page.js")}
    assert set(others) == set(imported(first)) - early


@pytest.mark.django_db
def test_a_page_has_the_hints() -> None:
    client = Client()
    client.force_login(UserFactory(role=Role.VIEWER))
    text = client.get("/").content.decode()
    scripts = re.findall(r'<script type="module" src="/static/(\S+)"', text)
    hints = re.findall(r'<link rel="modulepreload" href="/static/(\S+)"', text)
    assert "js/page.js" in scripts
    assert set(hints) == {each for script in scripts for each in imported(script)}
