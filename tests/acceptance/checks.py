"""The acceptance checks of the pages: what is asked and the budget, by number.

A test says which it shows by `@pytest.mark.check(4)`, and by the fixture `measured` with what
figures. This plugin (`-p tests.acceptance.checks`) writes all of them as a table at the end.
"""

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

CHECKS: Mapping[int, tuple[str, str]] = {
    1: ("Bytes of HTML, CSS and own scripts before the load event, gzip", "60 kB, scripts 25"),
    2: ("All bytes with charts, gzip", "520 kB"),
    3: ("Requests before the load event, all of the same origin", "14"),
    4: ("First and largest contentful paint", "1.0 s; 1.2 s"),
    5: ("Pause answers a click, before Plotly", "1.2 s"),
    6: ("Time to interactive with all charts of the first view", "2.5 s"),
    7: ("Blocking time of the whole load; longest task", "900 ms; 450 ms"),
    8: ("Layout shift", "0.02"),
    9: ("Answer to a range switch, a row's hover, a field of the wizard; p95", "100 ms"),
    10: ("From the server's send to text, 20 prices a second; p95 at 1x; 4x", "100 ms; 200 ms"),
    11: ("From a fill on the exchange to its row; p95", "500 ms"),
    12: ("Cut socket: no longer live; live again; fills lost or doubled", "4 s; 16 s; 0"),
    13: ("Soak at 20 prices a second: heap growth; nodes; longest task", "10 MB; 2 %; 100 ms"),
    14: ("Errors and warnings of the console, CSP, failed requests: all pages, two themes", "0"),
    15: ("axe WCAG 2.2 A, AA and best practice: all pages, two themes, phone, dialogs", "0"),
    16: ("Contrast of token pairs: text; graphics", "4.5; 3"),
    17: ("Keyboard alone: pause, kill with its trap and return, wizard, tables", "works"),
    18: ("Kill: off until the exact words, one request a confirmation", "works"),
    19: ("Without JavaScript: dashboard, pause, kill, wizard, backtest", "works"),
    20: ("No sideways scroll from 320 to 1440 px, at 200 % zoom, with wide text", "0 px"),
    21: ("Numbers: the same texts by templates and browser", "equal"),
    22: ("Times in another zone; CSV stays UTC", "all"),
    23: ("The same number in page, socket, API and CSV", "equal"),
    24: ("The dashboard's HTML: p95, warm; queries", "150 ms; 25"),
    25: ("Preview of a grid; p95", "100 ms"),
    26: ("Requests of pages to other hosts", "0"),
    27: ("Reduced motion, forced colours, printed pages of the dashboard", "0; works; 3"),
}
TABLE = Path(__file__).resolve().parents[2] / "var" / "acceptance.md"
Note = Callable[[str], None]


@pytest.fixture
def measured(request: pytest.FixtureRequest, record_property: Callable[[str, Any], None]) -> Note:
    """Notes what a check measured, for the table."""
    assert request.node.get_closest_marker("check"), "a test that measures names its check"

    def note(text: str) -> None:
        record_property("measured", text)
        record_property("pace", pace())

    return note


def pace() -> int:
    """How long a fixed piece of work takes now, ms: a shared machine is not always as quick."""
    began = time.perf_counter()
    sum(number * number for number in range(1_000_000))
    return round((time.perf_counter() - began) * 1000)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if mark := item.get_closest_marker("check"):
        report.user_properties.extend(("check", number) for number in mark.args)
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The table, to the terminal and into a file."""
    found: dict[int, list[tuple[str, str]]] = defaultdict(list)
    paces: list[int] = []
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            if outcome == "passed" and report.when != "call":
                continue
            told = list(getattr(report, "user_properties", []))
            texts = [str(value) for name, value in told if name == "measured"]
            paces += [value for name, value in told if name == "pace"]
            for number in dict.fromkeys(value for name, value in told if name == "check"):
                found[number].append((outcome, "; ".join(texts)))
    if found:
        _write(terminalreporter, found, paces)


def _write(
    terminalreporter: Any, found: Mapping[int, list[tuple[str, str]]], paces: list[int]
) -> None:
    lines = ["| # | check | budget | measured | holds |", "|---|---|---|---|---|"]
    for number, (what, budget) in CHECKS.items():
        rows = found.get(number, [])
        texts = "; ".join(dict.fromkeys(text for _, text in rows if text))
        lines.append(f"| {number} | {what} | {budget} | {texts} | {_verdict(rows)} |")
    lines += [
        "",
        f"Load of the machine at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores.",
    ]
    if paces:
        quick, slow = min(paces), max(paces)
        lines.append(f"Its pace: a fixed piece of work took {quick} to {slow} ms after the checks.")
    terminalreporter.section("acceptance")
    terminalreporter.write_line("\n".join(lines))
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text("\n".join([*lines, ""]), encoding="utf-8")


def _verdict(rows: list[tuple[str, str]]) -> str:
    outcomes = {outcome for outcome, _ in rows}
    if outcomes & {"failed", "error"}:
        return "no"
    if outcomes == {"passed"}:
        return "yes"
    return "skipped" if outcomes else "not run"
