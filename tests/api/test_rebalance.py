"""Capital moved between DOGE and PEPE by the API: told first, then done by edits, audited."""

import time
from datetime import timedelta
from decimal import Decimal

import pytest
from rest_framework.test import APIClient

from bots import control, runner
from bots.books import ledger, reconcile
from bots.grid.levels import GridSpec
from bots.models import Bot, Cell, Order
from bots.outside import tasks
from bots.roles import Role
from integrations.bybit.gateway import Gateway
from integrations.models import Alert
from market.models import Candle
from market.types import OrderStatus, moment
from risk.models import AuditRow, Halt
from tests.api.conftest import Caller
from tests.integrations.test_alerts import apply
from tests.simulator.fixture import RunningSimulator

D = Decimal
GRIDS = {
    "DOGEUSDT": GridSpec(D("0.129"), D("0.145"), 18, D(1500)),
    "PEPEUSDT": GridSpec(D("0.00000416"), D("0.00000479"), 24, D(1500)),
}

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def trader(caller: Caller, exchange: Gateway, simulator: RunningSimulator) -> APIClient:
    """Somebody with two running bots that share capital."""
    simulator.step({"DOGEUSDT": "0.137", "PEPEUSDT": "0.00000445"})
    ledger.open_books(exchange)
    for symbol, spec in GRIDS.items():
        slug = f"{symbol[:4].lower()}-usdt"
        control.deploy(
            control.Deployment(slug=slug, name=slug, symbol=symbol, spec=spec, shares_capital=True),
            by="tests",
        )
    settle(exchange)
    return caller(Role.TRADER)


def settle(exchange: Gateway) -> None:
    """Tick until every cell of both bots has its order or a reason, on however slow a machine."""
    deadline = time.monotonic() + 40
    for _ in range(6):
        _look(exchange)
    while not _is_settled() and time.monotonic() < deadline:
        time.sleep(0.2)
        _look(exchange)


def _look(exchange: Gateway) -> None:
    reconcile.sweep(exchange)
    for bot in Bot.objects.all():
        runner.run_once(bot.pk, exchange, lambda _: None)


def _is_settled() -> bool:
    resting = Order.objects.filter(settled=False, status=OrderStatus.OPEN).count()
    idle = Cell.objects.filter(reason__startswith="risk: ").count()
    pending = Bot.objects.exclude(next_config=None).exists()
    return resting + idle == 18 + 24 and not pending


@pytest.fixture
def lively(trader: APIClient, exchange: Gateway) -> None:
    """Ninety minutes in which DOGE swings over four cells and PEPE stands still."""
    for symbol, low, high in (
        ("DOGEUSDT", "0.135", "0.139"),
        ("PEPEUSDT", "0.00000445", "0.00000445"),
    ):
        last = exchange.tick(symbol).time // 60_000 * 60_000
        for number in range(1, 91):
            Candle.objects.create(
                symbol=symbol, interval="1", time=moment(last) - timedelta(minutes=number),
                open=D(low), high=D(high), low=D(low), close=D(low), volume=1, turnover=1,
                closed=True,
            )  # fmt: skip


def rebalance(client: APIClient, **body: object) -> object:
    return client.post("/api/rebalance", body, format="json")


def test_a_dry_run_tells_what_would_be_moved_and_moves_nothing(
    trader: APIClient, lively: None, exchange: Gateway
) -> None:
    answer = rebalance(trader, dry_run=True, bot="doge-usdt")
    assert answer.status_code == 200, answer.json()
    told = answer.json()
    doge, pepe = told["bots"]
    assert (doge["capital"], doge["capital_after"]) == ("1500", "1800")
    assert (pepe["capital"], pepe["capital_after"]) == ("1500", "1200")
    assert (told["moved"], told["dry_run"]) == ("300", True)
    assert D(doge["expected_per_day"]) > 0
    assert D(pepe["expected_per_day"]) == 0
    assert {order["side"] for order in doge["edit"]["kept"]} == {"Sell"}
    assert {order["side"] for order in pepe["edit"]["cancelled"]} == {"Buy"}
    assert not Bot.objects.exclude(next_config=None).exists()


def test_capital_moves_by_edits_and_each_move_is_audited(
    trader: APIClient, lively: None, exchange: Gateway
) -> None:
    assert rebalance(trader).json()["moved"] == "300"
    assert rebalance(trader).status_code == 409, "not while the edits are on their way"
    settle(exchange)
    capitals = dict(Bot.objects.values_list("slug", "config__capital"))
    assert capitals == {"doge-usdt": 1800, "pepe-usdt": 1200}
    rows = AuditRow.objects.filter(what="capital moved", who="the-trader")
    assert {(row.before["capital"], row.after["capital"]) for row in rows} == {
        ("1500", "1800"), ("1500", "1200")
    }  # fmt: skip
    over_the_cap = Cell.objects.filter(reason__startswith="risk: ").count()
    assert len(exchange.open_orders()) + over_the_cap == 18 + 24
    assert reconcile.compare(exchange).differences == []


def test_without_a_record_nothing_is_compared(trader: APIClient) -> None:
    answer = rebalance(trader)
    assert answer.status_code == 409
    assert "minutes of DOGEUSDT are on record" in answer.json()["error"]["message"]


def test_an_unknown_bot_and_a_viewer_are_refused(trader: APIClient, caller: Caller) -> None:
    answer = rebalance(trader, bot="btc-usdt")
    assert answer.status_code == 404
    assert "the bots: doge-usdt, pepe-usdt" in answer.json()["error"]["message"]
    assert rebalance(caller(Role.VIEWER)).status_code == 403


def test_a_bot_that_shares_nothing_brings_its_orders_to_its_plan(
    trader: APIClient, exchange: Gateway
) -> None:
    Bot.objects.filter(slug="doge-usdt").update(shares_capital=False)
    quiet = rebalance(trader, bot="doge-usdt", dry_run=True).json()["bots"][0]
    assert (quiet["edit"]["cancelled"], quiet["edit"]["placed"]) == ([], [])
    assert len(quiet["edit"]["kept"]) == 18
    assert (quiet["capital"], quiet["capital_after"]) == ("1500", "1500")

    Bot.objects.filter(slug="doge-usdt").update(state=Bot.State.PAUSED)
    due = rebalance(trader, bot="doge-usdt", dry_run=True).json()["bots"][0]["edit"]
    buys = [order for order in quiet["edit"]["kept"] if order["side"] == "Buy"]
    assert buys
    assert due["cancelled"] == buys
    before = len(exchange.open_orders())
    told = rebalance(trader, bot="doge-usdt").json()
    assert (told["dry_run"], told["moved"]) == (False, "0")
    for _ in range(3):
        _look(exchange)
    assert len(exchange.open_orders()) == before - len(buys)


def test_a_bot_that_is_not_at_work_is_not_rebalanced(trader: APIClient) -> None:
    Bot.objects.filter(slug="doge-usdt").update(shares_capital=False, state=Bot.State.STOPPED)
    answer = rebalance(trader, bot="doge-usdt")
    assert answer.status_code == 409
    assert "doge-usdt is stopped" in answer.json()["error"]["message"]


def test_an_alert_moves_capital_once_for_all_that_share(
    lively: None, exchange: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "_exchange", exchange)
    done = apply("rebalance", "ALL")
    assert (done.state, done.reason) == (
        Alert.State.APPLIED,
        "doge-usdt: rebalance done; pepe-usdt: rebalance done",
    )
    assert {row.who for row in AuditRow.objects.filter(what="capital moved")} == {"tradingview"}
    assert AuditRow.objects.filter(what="capital moved").count() == 2
    again = apply("rebalance", "DOGEUSDT")
    assert (again.state, "cooldown" in again.reason) == (Alert.State.IGNORED, True)


def test_an_alert_moves_none_under_a_halt_nor_for_a_bot_that_shares_none(
    lively: None, exchange: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "_exchange", exchange)
    Halt.objects.create(subject="all", reason="equity", opened_by="risk")
    assert "an alert lifts no halt" in apply("rebalance", "DOGEUSDT").reason
    Halt.objects.all().delete()
    Bot.objects.update(shares_capital=False)
    assert apply("rebalance", "DOGEUSDT").reason == "doge-usdt: rebalance done"
    assert not AuditRow.objects.filter(what="capital moved").exists()
