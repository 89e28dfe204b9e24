"""What people come for, on the whole running system: exchange, stream, worker, beat and pages.

One house for all of them, in their order: it ends with everything stopped.
"""

import json
import re
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import cycle, islice

import pytest
import requests
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from bots.seeds import OPERATOR, PASSWORD_FILE
from integrations.bybit.simulator.auth import Keys
from integrations.bybit.streams import PRIVATE_TOPICS
from tests.acceptance.checks import Note
from tests.acceptance.conftest import p95
from tests.browser.conftest import WIDE, listen
from tests.rig.ear import Ear
from tests.rig.waiting import until
from tests.system.stack import Stack, using

pytestmark = pytest.mark.timeout(420)
SPEED = 60  # a market minute a second
PATIENCE_MS = 20_000
FIRST, FILLS = 4, 25  # the first of a house that has just begun are not measured
CALM_S = 4.0  # no grid begins any more
SEEN_S = 1.0  # enough for a row, and for its profit
PAIRS = ("BTCUSDT", "MNTUSDT", "DOGEUSDT", "PEPEUSDT")
STEPS = 120  # presses of a key before somebody would give up
# When the row of each fill stood on the page, by its id.
SEEN = """
window.seen = {};
addEventListener("DOMContentLoaded", () => {
    const body = document.querySelector("[data-fills]");
    new MutationObserver(() => {
        for (const row of body.children) seen[row.dataset.id] ??= Date.now();
    }).observe(body, { childList: true });
});
"""
State = Callable[[str], str]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("journeys") / "var", SPEED)
    stack.start()
    yield stack
    if stack.process.poll() is None:
        stack.stop()
    until(lambda: not using(stack.folder), 10, "no process is left")


@pytest.fixture(scope="module")
def context(stack: Stack, browser: Browser) -> Iterator[BrowserContext]:
    """A browser in which the operator has logged in as the README says."""
    context = browser.new_context(base_url=f"http://127.0.0.1:{stack.port}", viewport=WIDE)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto("/")
    page.get_by_label("User name").fill(OPERATOR)
    password = (stack.folder / PASSWORD_FILE).read_text(encoding="ascii").strip()
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, complaints: list[str]) -> Iterator[Page]:
    """The dashboard, live."""
    page = listen(context.new_page(), complaints)
    page.set_default_timeout(PATIENCE_MS)
    page.goto("/")
    expect(page.locator("#connection")).to_contain_text("Live", timeout=PATIENCE_MS)
    yield page
    page.close()


def reach(page: Page, wanted: Locator, key: str = "Tab") -> None:
    """Press a key until something has the focus, as somebody without a mouse would."""
    for _ in range(STEPS):
        if wanted.evaluate("node => node === document.activeElement"):
            return
        page.keyboard.press(key)
    raise AssertionError(f"{STEPS} presses of {key} do not reach {wanted}")


def asked(stack: Stack, expression: str) -> str:
    """What the system's own books say."""
    done = stack.manage("shell", "-v0", "-c", f"from bots.models import *\nprint({expression})")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.check(11)
def test_a_fill_is_seen_at_once(stack: Stack, context: BrowserContext, measured: Note) -> None:
    """Bots that have begun, and one fill after the other: the page keeps the newest twelve."""
    key, secret = (
        (stack.folder / f"bybit.{name}").read_text("utf-8").strip() for name in ("key", "secret")
    )
    port = _simulator(stack)
    ear = Ear(f"ws://127.0.0.1:{port}/v5/private", list(PRIVATE_TOPICS), Keys(key, secret))
    assert ear.connect()
    page = context.new_page()
    page.add_init_script(SEEN)
    page.goto("/")
    expect(page.locator("#connection")).to_contain_text("Live", timeout=PATIENCE_MS)
    heard: dict[str, float] = {}
    _listen(page, ear, heard, CALM_S)  # the coins that the grids begin with
    for number, symbol in enumerate(islice(cycle(PAIRS), FIRST + FILLS)):
        if number == FIRST:
            heard.clear()
        _traded_with(stack, symbol)
        _listen(page, ear, heard, SEEN_S)
    page.wait_for_timeout(2_000)
    seen = page.evaluate("seen")
    ear.close()
    page.close()
    lags = [seen[name] - at * 1000 for name, at in heard.items() if name in seen]
    measured(f"{p95(lags):.0f} ms over {len(lags)} of {len(heard)} fills")
    assert len(lags) >= len(heard) - 2, "rows that were pushed out before they were seen"
    assert p95(lags) <= 500


def _listen(page: Page, ear: Ear, heard: dict[str, float], calm: float) -> None:
    """Note when news of each execution came, by our clock, until so many seconds bring none."""
    last = time.time()
    while (now := time.time()) < last + calm:
        for frame in ear.hear():
            if frame["topic"].startswith("execution"):
                heard |= {row["execId"]: now for row in frame["data"]}
                last = now
        page.wait_for_timeout(5)


def _traded_with(stack: Stack, symbol: str) -> None:
    """Somebody on the exchange trades with our order of a pair that is nearest to its price."""
    state = requests.get(f"http://127.0.0.1:{_simulator(stack)}/sim/state", timeout=10).json()
    last = Decimal(state["prices"][symbol])
    resting = [
        order
        for order in state["orders"]
        if order["symbol"] == symbol and order["orderStatus"] in {"New", "PartiallyFilled"}
    ]
    nearest = min(resting, key=lambda order: abs(Decimal(order["price"]) - last))
    _deed(stack, kind="part_fill", share="1", link=nearest["orderLinkId"])


def _deed(stack: Stack, **deed: str) -> None:
    """Something happens to the account on the exchange."""
    place = f"http://127.0.0.1:{_simulator(stack)}/sim/faults"
    requests.post(place, json={"do": [deed]}, timeout=10).raise_for_status()


def _simulator(stack: Stack) -> int:
    """Its port."""
    ports = json.loads((stack.folder / "ports.json").read_text("utf-8"))
    return int(ports["simulator"])


def test_why_a_cell_has_no_order(stack: Stack, page: Page) -> None:
    page.get_by_role("button", name="Pause PEPE/USDT").click()
    expect(page.locator('[data-bot="pepe-usdt"] [data-state-chip]')).to_have_text("Paused")
    page.get_by_role("link", name="Open PEPE/USDT").click()
    levels = page.locator('[data-part="levels"] tr')
    bare = levels.filter(has_text=re.compile("paused", re.IGNORECASE))
    expect(bare.first).to_be_visible()
    expect(page.locator('[data-part="sentence"]')).to_contain_text("Paused")
    page.get_by_role("button", name="Resume PEPE/USDT").click()
    expect(page.locator(".state-chip")).to_have_text("Running")


@pytest.mark.check(17)
def test_pause_by_the_keyboard_alone(stack: Stack, page: Page, measured: Note) -> None:
    button = page.get_by_role("button", name="Pause MNT/USDT")
    reach(page, button)
    page.keyboard.press("Enter")
    chip = page.locator('[data-bot="mnt-usdt"] [data-state-chip]')
    expect(chip).to_have_text("Paused")
    assert asked(stack, "Bot.objects.get(slug='mnt-usdt').state") == "paused"
    resume = page.get_by_role("button", name="Resume MNT/USDT")
    expect(resume).to_be_focused()
    page.keyboard.press("Enter")
    expect(chip).to_have_text("Running")
    measured("pause")


def test_the_stop_question_holds_the_focus_and_gives_it_back(page: Page) -> None:
    page.get_by_role("link", name="Open BTC/USDT").click()
    opener = page.get_by_role("link", name="Stop…")
    reach(page, opener)
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Type BTC to confirm")).to_be_focused()
    for _ in range(12):
        page.keyboard.press("Tab")
        outside = "document.activeElement !== document.body"  # the browser's own bar is no page
        inside = "document.querySelector('dialog').contains(document.activeElement)"
        assert page.evaluate(f"!({outside}) || {inside}"), "the focus has left the question"
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()


@pytest.mark.check(17)
def test_deploy_by_the_keyboard_alone(stack: Stack, page: Page, measured: Note) -> None:
    """A second grid of DOGE, below the first, with money that has come in."""
    _deed(stack, kind="deposit", coin="USDT", amount="50")
    booked = "CapitalMove.objects.filter(opening=False).count()"
    until(lambda: asked(stack, booked) == "1", 60, "the deposit is booked")
    page.keyboard.press("g")
    page.keyboard.press("n")
    expect(page).to_have_url(re.compile("/bots/new/"))
    wish = {
        "symbol": "DOGEUSDT", "slug": "doge-second", "lower": "0.121", "upper": "0.1285",
        "grids": "3", "capital": "18",
    }  # fmt: skip
    for name, text in wish.items():
        field = page.locator(f"[name={name}]")
        reach(page, field)
        page.keyboard.press("Control+A")
        page.keyboard.type(text)
        if name == "symbol":
            expect(page.locator("[name=name]")).to_have_value("DOGE/USDT")
    expect(page.get_by_label("Truth card")).to_contain_text("Net profit of a round trip")
    reach(page, page.get_by_role("button", name="Review and start"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Orders").locator("tbody tr")).not_to_have_count(0)
    reach(page, page.get_by_label("Type DOGE to confirm"))
    page.keyboard.type("DOGE")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/bots/doge-second/"))
    expect(page.locator(".state-chip")).to_have_text("Running", timeout=60_000)
    resting = "Order.objects.filter(bot__slug='doge-second', settled=False).count()"
    until(lambda: int(asked(stack, resting)) == int(wish["grids"]), 60, "its orders rest")
    measured("deploy")


def test_a_backtest_by_the_worker(stack: Stack, page: Page, complaints: list[str]) -> None:
    page.get_by_role("link", name="Backtests").click()
    page.get_by_role("link", name="New backtest").click()
    page.get_by_role("main").get_by_role("link", name="DOGE/USDT 18 grids").click()
    page.get_by_label("Candles").select_option(label="DOGEUSDT, bundled tape")
    page.get_by_role("button", name="Run it").click()
    expect(page.get_by_role("heading", name="At work")).to_be_visible()
    expect(page.get_by_text("buying and holding.")).to_be_visible(timeout=90_000)
    shown = page.locator('.kpis [data-field="grid_profit"]').get_attribute("data-raw")
    assert shown == asked(stack, "Backtest.objects.latest('pk').figures['grid_profit']")
    assert complaints == []


def test_the_profit_of_today(stack: Stack, page: Page) -> None:
    shown = page.locator('[data-live="totals.today"]').first
    expect(shown).to_have_attribute("data-raw", re.compile(r"-?\d"))
    expect(page.locator("main")).to_contain_text("Profit today")


@pytest.mark.check(18, 17)
def test_kill_everything_by_the_keyboard_alone(stack: Stack, page: Page, measured: Note) -> None:
    posted: list[str] = []
    page.on("request", lambda each: posted.append(each.url) if each.method == "POST" else None)
    page.wait_for_load_state("networkidle")
    page.keyboard.press("k")
    dialog = page.get_by_role("dialog")
    word = dialog.get_by_label("Type KILL ALL to confirm")
    go = dialog.get_by_role("button", name="Kill everything")
    expect(word).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.keyboard.press("k")
    for wrong in ("kill all", "KILL", "KILL  ALL"):
        expect(word).to_be_focused()
        page.keyboard.press("Control+A")
        page.keyboard.type(wrong)
        expect(go).to_be_disabled()
        page.keyboard.press("Enter")
    assert posted == []
    assert asked(stack, "__import__('risk.models').models.Halt.objects.count()") == "0"
    expect(dialog.get_by_role("radio", name="Keep them")).to_be_checked()
    page.keyboard.press("Control+A")
    page.keyboard.type("KILL ALL")
    expect(go).to_be_enabled()
    go.dblclick(no_wait_after=True)
    expect(page.get_by_role("status").filter(has_text="Everything is stopped")).to_be_visible(
        timeout=60_000
    )
    kills = [url for url in posted if url.endswith("/kill/")]
    halts = asked(stack, "__import__('risk.models').models.Halt.objects.count()")
    measured(f"kill: {len(kills)} request of two clicks")
    assert (len(kills), halts) == (1, "1")
    assert asked(stack, "Order.objects.filter(settled=False, status='open').count()") == "0"


@pytest.mark.check(19)
def test_all_of_it_without_javascript(
    stack: Stack, context: BrowserContext, browser: Browser, measured: Note
) -> None:
    """After the kill: lifted, looked at, paused, previewed, replayed, and killed again."""
    plain = browser.new_context(
        base_url=f"http://127.0.0.1:{stack.port}", java_script_enabled=False
    )
    plain.set_default_timeout(PATIENCE_MS)
    plain.add_cookies(context.cookies())  # type: ignore[arg-type]
    page = plain.new_page()
    page.goto("/risk/")
    page.get_by_label("Why it may go on").fill("seen, all is well")
    page.get_by_role("button", name="Lift it").click()
    expect(page.get_by_role("status").filter(has_text="It is lifted")).to_be_visible()
    _until_running(stack)
    page.goto("/")
    expect(page.locator("article.bot")).to_have_count(5)
    page.get_by_role("button", name="Pause BTC/USDT").click()
    expect(page.get_by_role("status").filter(has_text="it buys no more")).to_be_visible()
    page.goto("/bots/new/?preset=btc-usdt")
    below = {"lower": "91000", "upper": "94500", "stop_loss": "90300", "capital": "300"}
    for name, text in below.items():
        page.locator(f"[name={name}]").fill(text)
    page.get_by_role("button", name="Work it out").click()
    expect(page.get_by_label("Truth card")).to_contain_text("Net profit of a round trip")
    page.goto("/backtests/new/?bot=doge-usdt")
    page.get_by_label("Candles").select_option(label="DOGEUSDT, bundled tape")
    page.get_by_role("button", name="Run it").click()
    expect(page.get_by_text("buying and holding.")).to_be_visible(timeout=90_000)
    page.goto("/kill/")
    page.get_by_label("Type KILL ALL to confirm").fill("KILL")
    page.get_by_role("button", name="Kill everything").click()
    expect(page.get_by_role("alert")).to_contain_text("type KILL ALL to confirm")
    page.get_by_label("Type KILL ALL to confirm").fill("KILL ALL")
    page.get_by_role("button", name="Kill everything").click()
    expect(page.get_by_role("status").filter(has_text="Everything is stopped")).to_be_visible(
        timeout=60_000
    )
    plain.close()
    measured("works")


def _until_running(stack: Stack) -> None:
    running = "Bot.objects.filter(state='running').count()"
    until(lambda: int(asked(stack, running)) >= 4, 60, "the bots run again")
