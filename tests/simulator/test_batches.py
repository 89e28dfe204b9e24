"""Batches of orders, and rate limits that are really kept."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import requests
from pybit.exceptions import InvalidRequestError
from pybit.unified_trading import HTTP

from integrations.bybit.simulator import budget
from integrations.bybit.simulator.budget import ADDRESS_MOST, BAN, Budgets
from integrations.bybit.simulator.server import Options
from tests.simulator.client import http, limit
from tests.simulator.fixture import KEYS, RunningSimulator


@pytest.fixture
def strict() -> Iterator[HTTP]:
    """A client of a simulator that keeps its rate limits."""
    running = RunningSimulator(
        Options(keys=KEYS, speed=0, balances={"USDT": Decimal(34_000)}, rate_limits=True)
    )
    running.start()
    yield http(running)
    running.stop()


def orders(*links: str, **changes: Any) -> list[dict[str, Any]]:
    wanted = limit(**{"price": "90000", "qty": "0.001", **changes})
    del wanted["category"]
    return [{**wanted, "orderLinkId": link} for link in links]


def outcome(answer: Any) -> list[tuple[str, int]]:
    rows, codes = answer["result"]["list"], answer["retExtInfo"]["list"]
    assert len(rows) == len(codes)
    return [(row["orderLinkId"], said["code"]) for row, said in zip(rows, codes, strict=True)]


def test_each_item_of_a_batch_has_its_own_outcome(
    simulator: RunningSimulator, client: HTTP
) -> None:
    wanted = [*orders("a", "b"), *orders("a"), *orders("c", qty="0.00001")]
    answer = client.place_batch_order(category="spot", request=wanted)
    assert (answer["retCode"], answer["retMsg"]) == (0, "OK")
    assert outcome(answer) == [("a", 0), ("b", 0), ("a", 170141), ("c", 170140)]
    placed, _, taken, small = answer["result"]["list"]
    assert placed["orderId"]
    assert placed["createAt"] == str(simulator.state()["clock"])
    assert {key: taken[key] for key in ("orderId", "createAt")} == {"orderId": "", "createAt": ""}
    assert small["symbol"] == "BTCUSDT"
    assert [row["orderLinkId"] for row in simulator.state()["orders"]] == ["a", "b"]


def test_a_batch_of_cancels(simulator: RunningSimulator, client: HTTP) -> None:
    client.place_batch_order(category="spot", request=orders("a", "b"))
    names = [{"symbol": "BTCUSDT", "orderLinkId": link} for link in ("b", "x", "a")]
    answer = client.cancel_batch_order(category="spot", request=names)
    assert outcome(answer) == [("b", 0), ("x", 170213), ("a", 0)]
    assert answer["result"]["list"][1]["orderId"] == ""
    assert "createAt" not in answer["result"]["list"][0]
    assert {row["orderStatus"] for row in simulator.state()["orders"]} == {"Cancelled"}


@pytest.mark.parametrize("wanted", [[], orders(*map(str, range(11))), "x", ["x"]])
def test_a_batch_that_is_none_is_refused_as_a_whole(
    simulator: RunningSimulator, client: HTTP, wanted: Any
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        client.place_batch_order(category="spot", request=wanted)
    assert caught.value.status_code == 10001
    assert simulator.state()["orders"] == []


def test_the_first_of_a_batch_pass_when_the_pool_is_short(strict: HTTP) -> None:
    answers = [
        strict.place_batch_order(category="spot", request=orders(*map(str, range(n, n + 10))))
        for n in (0, 10, 20)
    ]
    codes = [code for answer in answers for _, code in outcome(answer)]
    assert codes == sorted(codes), "those over the limit come last"
    assert 20 <= codes.count(0) < 30
    assert set(codes[20:]) <= {0, 10006}


def test_singles_and_batches_have_pools_of_their_own(strict: HTTP) -> None:
    for first in (0, 10):
        strict.place_batch_order(
            category="spot", request=orders(*map(str, range(first, first + 10)))
        )
    assert strict.place_order(**limit(price="90000", qty="0.001"))["retCode"] == 0


def test_headers_count_down_and_say_when_to_come_again(strict: HTTP) -> None:
    strict.return_response_headers = True
    for left in (4, 3, 2, 1, 0):
        _, _, headers = strict.get_fee_rates(category="spot", symbol="BTCUSDT")
        assert int(headers["X-Bapi-Limit-Status"]) >= left
    code, headers = _the_refusal(strict)
    assert code == 10006
    assert int(headers["X-Bapi-Limit-Reset-Timestamp"]) > int(headers["Timenow"])


def _the_refusal(client: HTTP) -> tuple[int, Any]:
    for _ in range(20):
        try:
            client.get_fee_rates(category="spot", symbol="BTCUSDT")
        except InvalidRequestError as error:
            return error.status_code, error.resp_headers
    pytest.fail("nothing was refused")


def test_a_pool_is_a_rolling_second() -> None:
    budgets = Budgets(enforced=True)
    assert budgets.take("/p", 20, 15, now=1_000).passed == 15
    assert budgets.take("/p", 20, 10, now=1_500).passed == 5
    assert budgets.take("/p", 20, 1, now=1_999) == (
        0,
        {
            "X-Bapi-Limit": "20",
            "X-Bapi-Limit-Status": "0",
            "X-Bapi-Limit-Reset-Timestamp": "2000",
        },
    )
    assert budgets.take("/p", 20, 20, now=2_000).passed == 15
    assert budgets.take("/other", 20, 20, now=2_000).passed == 20


def test_an_address_that_asks_too_often_is_banned_for_ten_minutes() -> None:
    budgets = Budgets(enforced=True)
    assert not any(budgets.turns_away(1_000) for _ in range(ADDRESS_MOST))
    assert budgets.turns_away(1_001)
    assert budgets.turns_away(1_000 + BAN)
    assert not budgets.turns_away(1_001 + BAN)
    assert not any(replace(budgets, enforced=False).turns_away(1_001) for _ in range(9_999))


def test_a_banned_address_gets_http_403(strict: HTTP, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "ADDRESS_MOST", 3)
    url = f"{strict.endpoint}/v5/market/time"
    with requests.Session() as session:
        answers = [session.get(url, timeout=10).status_code for _ in range(4)]
    assert answers == [200, 200, 200, 403]
