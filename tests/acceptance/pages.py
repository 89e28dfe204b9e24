"""Every page there is, by the name of its picture, and what is done on some before one looks."""

from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Page, expect

from bots.models import Backtest
from integrations.models import Alert
from tests.browser.house import quote

DRAWN_S = 20
Act = Callable[[Page], object]


def nothing(page: Page) -> None:
    """Most pages are looked at as they open."""


@dataclass(frozen=True, slots=True)
class Place:
    """A page: where it is, and what to do on it before one looks."""

    name: str
    path: str
    before: Act = nothing
    status: int = 200
    stranger: bool = False  # looked at without a login

    def open(self, page: Page) -> None:
        """Go there, do what is to be done, and wait for its charts."""
        quote()
        answer = page.goto(self.path)
        assert answer is None or answer.status == self.status, (self.path, answer)
        self.before(page)
        for chart in page.locator("[data-figure]").all():
            chart.scroll_into_view_if_needed()
            expect(chart.locator(".main-svg, .empty").first).to_be_visible(timeout=DRAWN_S * 1000)


def press(name: str) -> Act:
    """Open the dialog of a link."""

    def act(page: Page) -> None:
        page.get_by_role("main").get_by_role("link", name=name).first.click()
        expect(page.get_by_role("dialog")).to_be_visible()

    return act


def unfold(page: Page) -> None:
    """Open all that is folded."""
    page.locator("main details").evaluate_all("all => all.forEach(each => { each.open = true; })")


def below(page: Page, **fields: str) -> None:
    """A second grid of BTC, below the one that runs, of so little that it is free."""
    wish = {"stop_loss": "90300", "lower": "91000", "upper": "94500", "capital": "900"}
    for name, text in (wish | fields).items():
        quote()
        page.locator(f"[name={name}]").fill(text)


def worked_out(page: Page) -> None:
    """The form of a new grid with its truth card."""
    below(page)
    expect(page.get_by_label("Truth card")).to_contain_text("Net profit of a round trip")


def loses(page: Page) -> None:
    """A grid so fine that fees eat more than it earns."""
    below(page, grids="90")
    expect(page.locator("#error-grids")).to_contain_text("a round trip would lose")


def reviewed(page: Page) -> None:
    """The orders of a new grid before it starts."""
    worked_out(page)
    quote()
    page.get_by_role("button", name="Review and start").click()
    expect(page.get_by_role("heading", name="Start it")).to_be_visible()


def changed(page: Page) -> None:
    """An edit with what it would do."""
    page.locator("[name=grids]").fill("14")
    expect(page.locator("[data-truth]")).to_contain_text("orders cancelled")


def places() -> list[Place]:
    """All of them; those of rows need a house that is lived in."""
    runs = list(Backtest.objects.order_by("pk").values_list("pk", flat=True)[:2])
    assert len(runs) == 2, "the house has two backtests"
    return [*_pages(*runs), *_admin(), *_strangers()]


def _pages(one: int, other: int) -> list[Place]:
    return [
        Place("dashboard", "/"),
        Place("dashboard-unfolded", "/", unfold),
        Place("bot-btc", "/bots/btc-usdt/"),
        Place("bot-pepe", "/bots/pepe-usdt/", unfold),
        Place("bot-candles", "/bots/doge-usdt/?as=candles&hours=6"),
        Place("bot-all-levels", "/bots/pepe-usdt/?levels=all"),
        Place("gate-dialog", "/bots/pepe-usdt/", press("Open the gate…")),
        Place("gate", "/bots/pepe-usdt/gate/"),
        Place("stop-dialog", "/bots/btc-usdt/", press("Stop…")),
        Place("stop", "/bots/mnt-usdt/stop/"),
        Place("edit", "/bots/btc-usdt/edit/", changed),
        Place("recentre", "/bots/btc-usdt/recentre/"),
        Place("rebalance", "/rebalance/"),
        Place("pause-all-dialog", "/", press("Pause all…")),
        Place("kill-dialog", "/", press("Kill all…")),
        Place("kill", "/kill/"),
        Place("new", "/bots/new/"),
        Place("new-truth", "/bots/new/?preset=btc-usdt", worked_out),
        Place("new-loses", "/bots/new/?preset=btc-usdt", loses),
        Place("review", "/bots/new/?preset=btc-usdt", reviewed),
        *(Place(f"orders-{tab}", f"/orders/?tab={tab}") for tab in ("resting", "fills", "trips")),
        Place("trips-of-a-level", "/orders/?tab=trips&bot=btc-usdt&cell=3"),
        Place("risk", "/risk/"),
        Place("backtests", "/backtests/"),
        Place("backtest-new", "/backtests/new/?bot=doge-usdt"),
        Place("backtest-result", f"/backtests/{one}/"),
        Place("backtests-compared", f"/backtests/compare/?run={one}&run={other}"),
        Place("market", "/market/"),
        Place("market-pair", "/market/BTCUSDT/"),
        Place("health", "/health/"),
        Place("audit", "/audit/"),
        Place("webhook", "/webhook/"),
        Place("help", "/help/"),
        Place("preferences", "/preferences/"),
        Place("not-found", "/nowhere/", status=404),
    ]


def _admin() -> list[Place]:
    lists = {
        "grids": "bots/gridconfig", "bots": "bots/bot", "orders": "bots/order",
        "fills": "bots/fill", "capital": "bots/capitalmove", "tokens": "bots/apitoken",
        "halts": "risk/halt", "limits": "risk/policy", "audit": "risk/auditrow",
        "alerts": f"{Alert._meta.app_label}/{Alert._meta.model_name}",
    }  # fmt: skip
    return [
        Place("admin", "/admin/"),
        *(Place(f"admin-{name}", f"/admin/{path}/") for name, path in lists.items()),
        Place("admin-grid", "/admin/bots/gridconfig/1/change/"),
        Place("admin-grid-new", "/admin/bots/gridconfig/add/"),
        Place("admin-limit", "/admin/risk/policy/1/change/"),
    ]


def _strangers() -> list[Place]:
    return [Place("login", "/login/", stranger=True)]
