"""Deploy by the API: the truth card, the refusals, and a bot that starts."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
import requests
from django.db import connection
from rest_framework.test import APIClient

from bots.models import Bot, FeeRate
from bots.roles import Role
from bots.safety import guarding
from integrations.bybit.gateway import Gateway
from risk import guards, policy
from tests.api.conftest import Caller
from tests.simulator.fixture import RunningSimulator

GRID = {"symbol": "BTCUSDT", "lower": "95500", "upper": "99000", "grids": 12, "capital": "25000"}


@pytest.fixture
def trader(caller: Caller, exchange: Gateway, simulator: RunningSimulator) -> APIClient:
    from bots.books import ledger

    simulator.step({"BTCUSDT": "97000"})
    ledger.open_books(exchange)
    return caller(Role.TRADER)


def deploy(client: APIClient, **changes: object) -> object:
    return client.post("/api/deploy", {**GRID, **changes}, format="json")


def test_a_dry_run_tells_the_truth_and_does_nothing(trader: APIClient) -> None:
    answer = deploy(trader, dry_run=True, stop_loss="94800")
    assert answer.status_code == 200, answer.json()
    card = answer.json()
    assert len(card["levels"]) == 13
    assert card["net_profit_per_cell"] == {"min": "0.00095", "max": "0.001049"}
    assert card["cheaper"] == {
        "grids": 6,
        "keeps": "0.665739",
        "net_profit_per_cell": {"min": "0.003916", "max": "0.004097"},
    }
    assert any("6 grids would keep 66.6 % of it" in warning for warning in card["warnings"])
    assert float(card["loss_at_stop"]) < 0
    assert {order["kind"] for order in card["orders"]} == {"PostOnly", "IOC"}
    assert len(card["orders"]) == 12
    assert card["fills_needed"]["apr 0.8"]
    assert card["history"]["source"] == "BTCUSDT-1m-binance-spot-20241224T1410.csv.gz"
    assert card["history"]["candles"] == 3864
    assert not Bot.objects.exists()


def test_the_truth_about_a_grid_that_waits_stands_on_its_trigger_price(trader: APIClient) -> None:
    """At its start at the upper end every cell is below the price, so none begins with coins."""
    card = deploy(trader, dry_run=True, trigger_price="99000").json()
    assert card["price"] == "99000"
    assert {cell["starts"] for cell in card["cells"]} == {"empty"}
    assert {order["side"] for order in card["orders"]} == {"Buy"}
    assert any("97000 now, reaches 99000" in warning for warning in card["warnings"])
    now = deploy(trader, dry_run=True).json()
    assert {cell["starts"] for cell in now["cells"]} == {"empty", "holding"}


def test_the_truth_stands_on_the_accounts_own_fee_rates(
    trader: APIClient, simulator: RunningSimulator
) -> None:
    fees = {"kind": "fees", "maker": "0.0002", "taker": "0.001"}
    requests.post(f"{simulator.rest_url}/sim/faults", json={"do": [fees]}, timeout=20)
    card = deploy(trader, dry_run=True).json()
    assert card["net_profit_per_cell"] == {"min": "0.002554", "max": "0.002653"}
    assert FeeRate.objects.get().maker == Decimal("0.0002")


def test_the_orders_of_all_and_of_others_are_within_the_accounts_cap(trader: APIClient) -> None:
    deploy(trader)
    policy.change({"account_orders": 20}, by="a test", may_loosen=False, reason="few")
    guarding.note(guards.foreign(["Buy 1 BTCUSDT at 90000"] * 3))
    answer = deploy(trader, symbol="DOGEUSDT", lower="0.13", upper="0.15", grids=18, capital="900")
    assert answer.status_code == 400
    assert "17 or fewer are accepted" in answer.json()["error"]["fields"]["grids"][0]


@pytest.mark.parametrize(
    ("cap", "where"), [("pair_exposure", "on BTCUSDT"), ("total_exposure", "in total")]
)
def test_a_grid_beyond_a_cap_is_refused_and_its_preview_says_so(
    trader: APIClient, cap: str, where: str
) -> None:
    """Fully bought it binds 25,000 less the reserve of 5 %."""
    policy.change({cap: 20_000}, by="a test", may_loosen=False, reason="less")
    words = f"fully bought it would bind 23750, and other bots 0; 20000 {where} are allowed"
    seen = deploy(trader, dry_run=True)
    assert seen.status_code == 200
    assert any(words in warning for warning in seen.json()["warnings"])
    answer = deploy(trader)
    assert answer.status_code == 400
    assert words in answer.json()["error"]["fields"]["capital"][0]
    assert not Bot.objects.exists()


def test_a_deploy_starts_a_bot(trader: APIClient) -> None:
    answer = deploy(trader, stop_loss="94800")
    assert answer.status_code == 201
    assert answer.json()["slug"] == "btc-usdt"
    bot = Bot.objects.get()
    assert (bot.state, bot.config.created_by) == (Bot.State.DEPLOYING, "the-trader")


def test_a_second_grid_on_the_same_range_is_refused(trader: APIClient) -> None:
    deploy(trader)
    answer = deploy(trader, slug="again", capital="5000")
    assert answer.status_code == 400
    assert "trades 95500 to 99000 already" in answer.json()["error"]["fields"]["lower"][0]


def test_capital_that_others_were_promised_is_not_free(trader: APIClient) -> None:
    deploy(trader)
    answer = deploy(trader, slug="mnt", symbol="MNTUSDT", lower="1.04", upper="1.12")
    assert answer.status_code == 400
    assert "9000 USDT are free" in answer.json()["error"]["fields"]["capital"][0]


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"grids": 40}, "grids", "at most 17 grids are accepted"),
        ({"grids": 1}, "grids", "greater than or equal to 2"),
        ({"upper": "95000"}, "upper", "above the lower"),
        ({"lower": 95500.5}, "lower", "send it as text"),
        ({"lower": "-1"}, "lower", "above zero"),
        ({"lower": "NaN"}, "lower", "valid number"),
        ({"stop_loss": "96000"}, "stop_loss", "between 0 and 95500"),
        ({"take_profit": "99000"}, "take_profit", "above the upper price 99000"),
        ({"trigger_price": "0"}, "trigger_price", "above zero"),
        ({"symbol": "NOSUCHUSDT"}, "symbol", "not open for spot trading"),
        ({"spacing": "random"}, "spacing", "random"),
        ({"leverage": 5}, "leverage", "accepted: symbol"),
    ],
)
def test_bad_input_is_told_at_its_field(
    trader: APIClient, changes: dict[str, object], field: str, says: str
) -> None:
    answer = deploy(trader, **changes)
    assert answer.status_code == 400, answer.content
    assert says.lower() in answer.json()["error"]["fields"][field][0].lower()
    assert not Bot.objects.exists()


def test_a_viewer_deploys_nothing(caller: Caller, exchange: Gateway) -> None:
    assert deploy(caller(Role.VIEWER)).status_code == 403
    assert deploy(caller(None)).status_code in {401, 403}


@pytest.mark.django_db(transaction=True)
def test_twenty_parallel_deploys_with_one_key_make_one_bot(trader: APIClient) -> None:
    def once(_: int) -> tuple[int, bytes]:
        try:
            answer = trader.post(
                "/api/deploy", GRID, format="json", headers={"Idempotency-Key": "one"}
            )
            return answer.status_code, answer.content
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        answers = set(pool.map(once, range(20)))
    assert Bot.objects.count() == 1
    assert len(answers) == 1, "twenty equal answers"
    assert answers.pop()[0] == 201


@pytest.mark.parametrize("body", [5, [], "text", None, True])
def test_a_body_that_is_no_object_is_told_so(trader: APIClient, body: object) -> None:
    assert trader.post("/api/deploy", body, format="json").status_code == 400
