"""Edits by the API: the preview tells what would be touched, the edit touches just that."""

from decimal import Decimal

import pytest
from rest_framework.test import APIClient

from bots import runner
from bots.books import ledger
from bots.models import Bot, GridConfig
from bots.roles import Role
from integrations.bybit.gateway import Gateway
from tests.api.conftest import Caller
from tests.api.test_deploy import deploy
from tests.simulator.fixture import RunningSimulator

D = Decimal

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def trader(caller: Caller, exchange: Gateway, simulator: RunningSimulator) -> APIClient:
    """Somebody whose bot btc-usdt rests twelve orders."""
    simulator.step({"BTCUSDT": "97000"})
    ledger.open_books(exchange)
    trader = caller(Role.TRADER)
    assert deploy(trader).status_code == 201
    settle(exchange)
    return trader


def settle(exchange: Gateway) -> None:
    from bots.books import reconcile

    for _ in range(6):
        reconcile.sweep(exchange)
        runner.run_once(Bot.objects.get().pk, exchange, lambda _: None)


def edit(client: APIClient, **changes: object) -> object:
    return client.post("/api/deploy", {"bot": "btc-usdt", **changes}, format="json")


def test_a_preview_tells_what_is_kept_cancelled_placed_and_moved(
    trader: APIClient, exchange: Gateway
) -> None:
    answer = edit(trader, capital="20000", dry_run=True)
    assert answer.status_code == 200, answer.json()
    told = answer.json()["edit"]
    assert [len(told[name]) for name in ("kept", "cancelled", "placed")] == [6, 6, 6]
    assert {order["side"] for order in told["kept"]} == {"Sell"}
    assert all(line["held"] == line["will_hold"] for line in told["coins"])
    assert GridConfig.objects.count() == 1
    assert len(exchange.open_orders()) == 12


def test_an_edit_does_what_its_preview_said(trader: APIClient, exchange: Gateway) -> None:
    before = {order.client_id for order in exchange.open_orders()}
    changes = {"lower": "95000", "upper": "99500", "grids": 9}
    told = edit(trader, **changes, dry_run=True).json()["edit"]
    assert sum(D(line["held"]) for line in told["coins"]) == sum(
        D(line["will_hold"]) for line in told["coins"]
    )
    assert edit(trader, **changes).status_code == 201
    settle(exchange)
    bot = Bot.objects.get()
    assert (bot.config.version, bot.config.created_by) == (2, "the-trader")
    after = exchange.open_orders()
    assert len({order.client_id for order in after} & before) == len(told["kept"])
    over_the_cap = bot.config.cells.filter(reason__startswith="risk: ").count()
    assert len(after) + over_the_cap == 9


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"grids": 40}, "grids", "at most 17 grids are accepted"),
        ({"upper": "95000"}, "upper", "above the lower"),
        ({"capital": "90000"}, "capital", "are free"),
        ({"stop_loss": "96000"}, "stop_loss", "between 0 and 95500"),
        ({"take_profit": "98000"}, "take_profit", "above the upper price 99000"),
        ({"on_exit": "gift"}, "on_exit", "gift"),
        ({"symbol": "DOGEUSDT"}, "symbol", "accepted: bot"),
    ],
)
def test_a_bad_edit_is_told_at_its_field(
    trader: APIClient, changes: dict[str, object], field: str, says: str
) -> None:
    answer = edit(trader, **changes)
    assert answer.status_code == 400, answer.content
    assert says in answer.json()["error"]["fields"][field][0]
    assert Bot.objects.get().next_config is None


def test_an_edit_of_nobody_names_who_there_is(trader: APIClient) -> None:
    answer = edit(trader, bot="nobody")
    assert answer.status_code == 404
    assert "accepted: btc-usdt" in answer.json()["error"]["fields"]["bot"][0]


def test_a_bot_that_has_ended_is_not_edited(trader: APIClient) -> None:
    Bot.objects.update(state=Bot.State.STOPPED)
    answer = edit(trader, capital="20000")
    assert answer.status_code == 409
    assert "only a bot at work" in answer.json()["error"]["message"]
