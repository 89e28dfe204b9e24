"""Batches of orders: one request, an outcome for each, and singles where there are no batches."""

import json
import time
from collections.abc import Sequence
from decimal import Decimal
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from integrations.bybit.gateway import Gateway
from integrations.bybit.limits import limits_of
from market.exchange import (
    AlreadyExists,
    Broken,
    ExchangeError,
    NoSuchOrder,
    NotSent,
    RateLimited,
    Refused,
    Unresolved,
    WouldTake,
)
from market.types import OrderRequest, OrderStatus, Side
from tests.bybit.conftest import KEY, SECRET
from tests.bybit.fake_rest import STAMP, Answer, Asked, FakeRest, dropped, ok, raw, refused
from tests.simulator.fixture import RunningSimulator

CREATE, CANCEL = "/v5/order/create", "/v5/order/cancel"
MANY, CANCEL_MANY = "/v5/order/create-batch", "/v5/order/cancel-batch"


def orders(count: int) -> list[OrderRequest]:
    return [
        OrderRequest(f"g1-{n}-0-B-0", "DOGEUSDT", Side.BUY, Decimal("0.12345"), Decimal(100 + n))
        for n in range(count)
    ]


def each(*codes: int, **row: str) -> Answer:
    """A batch whose items came to these codes, in Bybit's shape; `row` overrides every row."""

    def answer(handler: BaseHTTPRequestHandler, asked: Asked) -> None:
        items = asked.json["request"]
        rows, said = [], []
        for number, item in enumerate(items):
            code = codes[number] if number < len(codes) else 0
            fate = {"orderId": "" if code else f"19{number}", "orderLinkId": item["orderLinkId"]}
            rows.append({"category": "spot", "symbol": item["symbol"], **fate, **row})
            said.append({"code": code, "msg": f"word {code}" if code else "OK"})
        envelope = {
            "retCode": 0, "retMsg": "OK", "time": STAMP,
            "result": {"list": rows}, "retExtInfo": {"list": said},
        }  # fmt: skip
        raw(json.dumps(envelope))(handler, asked)

    return answer


def single(handler: BaseHTTPRequestHandler, asked: Asked) -> None:
    ok({"orderId": "1", "orderLinkId": asked.json["orderLinkId"]})(handler, asked)


def kinds(outcomes: Sequence[object]) -> list[object]:
    return [type(one) if isinstance(one, ExchangeError) else one for one in outcomes]


def test_ten_go_in_one_request_spelled_like_singles(bybit: FakeRest, gateway: Gateway) -> None:
    bybit.on(MANY, each())
    bybit.on(CREATE, single)
    assert gateway.batch == 10
    assert gateway.place_many(orders(10)) == [f"19{n}" for n in range(10)]
    (asked,) = bybit.asked
    assert asked.is_signed_with(KEY, SECRET)
    assert asked.json["category"] == "spot"
    gateway.place(orders(1)[0])
    alone = bybit.asked[1].json
    assert alone.pop("category") == "spot"
    assert asked.json["request"][0] == alone


def test_each_item_has_its_own_outcome_by_its_place(bybit: FakeRest, gateway: Gateway) -> None:
    bybit.on(MANY, each(0, 170131, 170141, 170218, 10016, 10006, 10003, 777_777))
    outcomes = gateway.place_many(orders(9))
    assert kinds(outcomes) == [
        "190", Refused, AlreadyExists, WouldTake, Unresolved, RateLimited, Broken, Unresolved,
        "198",
    ]  # fmt: skip
    assert "word 170131" in str(outcomes[1])
    assert len(bybit.asked) == 1, "nothing is sent again"


def test_an_item_over_the_limit_rests_the_pool(bybit: FakeRest, gateway: Gateway) -> None:
    bybit.on(MANY, each(0, 10006), each())
    bybit.on(CREATE, single)
    gateway.place_many(orders(2))
    gateway.place_many(orders(2))
    assert [one.path for one in bybit.asked] == [MANY, CREATE, CREATE]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (dropped, Unresolved),
        (raw("<html>", 502), Unresolved),
        (raw("not json"), Unresolved),
        (refused(10016), Unresolved),
        (refused(10003), Broken),
        (refused(10001), Refused),
        (refused(10006), RateLimited),
    ],
)
def test_a_batch_that_failed_as_a_whole_gives_each_item_that_error(
    bybit: FakeRest, gateway: Gateway, answer: Answer, kind: type
) -> None:
    bybit.on(MANY, answer)
    outcomes = gateway.place_many(orders(3))
    assert all(isinstance(one, kind) for one in outcomes)
    assert len(outcomes) == 3
    assert len(bybit.asked) == 1
    assert gateway.batch == 10


@pytest.mark.parametrize(
    "answer",
    [
        ok({"list": []}),
        ok({}),
        ok({"list": [{"orderId": "1"}, {"orderId": "2"}]}),
        each(orderId=""),
        each(orderLinkId="somebody-else"),
    ],
)
def test_a_batch_answer_that_cannot_be_read_proves_nothing(
    bybit: FakeRest, gateway: Gateway, answer: Answer
) -> None:
    bybit.on(MANY, answer)
    outcomes = gateway.place_many(orders(2))
    assert len(outcomes) == 2
    assert all(isinstance(one, Unresolved) for one in outcomes)


def test_cancels_go_together_too(bybit: FakeRest, gateway: Gateway) -> None:
    bybit.on(CANCEL_MANY, each(0, 170213, 10016))
    names = [("DOGEUSDT", "a"), ("BTCUSDT", "b"), ("DOGEUSDT", "c")]
    assert kinds(gateway.cancel_many(names)) == [None, NoSuchOrder, Unresolved]
    assert bybit.asked[0].json["request"][1] == {"symbol": "BTCUSDT", "orderLinkId": "b"}


def test_one_order_goes_alone_and_none_not_at_all(bybit: FakeRest, gateway: Gateway) -> None:
    bybit.on(CREATE, single)
    assert gateway.place_many(orders(1)) == ["1"]
    assert gateway.place_many([]) == []
    assert gateway.cancel_many([]) == []
    assert [one.path for one in bybit.asked] == [CREATE]


def test_demo_trading_has_no_batches(bybit: FakeRest) -> None:
    gateway = Gateway(bybit.url, KEY, SECRET, batches=False)
    bybit.on(CREATE, single, refused(170131), single)
    bybit.on(CANCEL, single)
    assert gateway.batch == 1
    assert kinds(gateway.place_many(orders(3))) == ["1", Refused, "1"]
    assert gateway.cancel_many([("DOGEUSDT", "a"), ("DOGEUSDT", "b")]) == [None, None]
    assert {one.path for one in bybit.asked} == {CREATE, CANCEL}


@pytest.mark.parametrize(
    "answer", [raw("", 404), *(refused(code) for code in (10404, 10017, 110100))]
)
def test_a_server_without_batches_gets_singles_for_good(
    bybit: FakeRest, gateway: Gateway, answer: Answer
) -> None:
    bybit.on(MANY, answer)
    bybit.on(CREATE, single)
    bybit.on(CANCEL, single)
    assert gateway.place_many(orders(3)) == ["1"] * 3
    assert gateway.batch == 1
    gateway.place_many(orders(2))
    gateway.cancel_many([("DOGEUSDT", "a"), ("DOGEUSDT", "b")])
    paths = [one.path for one in bybit.asked]
    assert paths == [MANY] + [CREATE] * 5 + [CANCEL] * 2


def test_what_has_no_turn_in_time_is_not_sent_and_the_rest_is(bybit: FakeRest) -> None:
    gateway = Gateway(bybit.url, KEY, SECRET, limits=limits_of(bybit.url, KEY, turn=0.4))
    bybit.on(MANY, each())
    bybit.on(CREATE, single)
    outcomes = gateway.place_many(orders(40))
    sent = [one for one in outcomes if not isinstance(one, NotSent)]
    assert len(sent) == 32, "sixteen by batches and sixteen alone"
    assert [isinstance(one, NotSent) for one in outcomes] == [False] * 32 + [True] * 8
    assert sum(len(one.json.get("request", [0])) for one in bybit.asked) == 32


def test_nothing_goes_out_past_its_time(bybit: FakeRest, gateway: Gateway) -> None:
    bybit.on(MANY, each())
    outcomes = gateway.place_many(orders(3), by=time.monotonic() - 0.001)
    assert [type(one) for one in outcomes] == [NotSent] * 3
    assert bybit.asked == []


@pytest.mark.parametrize("count", [1, 3])
def test_what_stood_still_between_its_turn_and_its_signature_is_not_sent(
    bybit: FakeRest, gateway: Gateway, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """As a process that is stopped after the last look at its limits, and woken later."""
    session = gateway._session
    turn = session.turn

    def late(*given: Any) -> Any:
        came = turn(*given)
        time.sleep(0.3)
        return came

    monkeypatch.setattr(session, "turn", late)
    outcomes = gateway.place_many(orders(count), by=time.monotonic() + 0.2)
    assert [type(one) for one in outcomes] == [NotSent] * count
    assert bybit.asked == []
    monkeypatch.setattr(session, "turn", turn)
    bybit.on(MANY, each())
    bybit.on(CREATE, single)
    assert not any(isinstance(one, NotSent) for one in gateway.place_many(orders(count)))


def test_a_slow_batch_leaves_no_time_for_the_next(bybit: FakeRest, gateway: Gateway) -> None:
    def slow(handler: BaseHTTPRequestHandler, asked: Asked) -> None:
        time.sleep(0.3)
        each()(handler, asked)

    bybit.on(MANY, slow)
    outcomes = gateway.place_many(orders(12), by=time.monotonic() + 0.2)
    assert [isinstance(one, NotSent) for one in outcomes] == [False] * 10 + [True] * 2
    assert len(bybit.asked) == 1


def test_on_the_simulator_good_and_bad_items_part_ways(
    simulator: RunningSimulator,
) -> None:
    simulator.step({"DOGEUSDT": "0.2"})
    gateway = Gateway(simulator.rest_url, simulator.key, simulator.secret)
    (pair,) = gateway.instruments(["DOGEUSDT"])
    fine = [
        OrderRequest(f"b1-{n}", "DOGEUSDT", Side.BUY, pair.price(Decimal(f"0.1{n}")), Decimal(100))
        for n in range(5)
    ]
    poor = OrderRequest("b1-poor", "DOGEUSDT", Side.BUY, Decimal("0.15"), Decimal(10_000_000))
    outcomes = gateway.place_many([*fine[:2], poor, *fine[2:], fine[0]])
    assert isinstance(outcomes[2], Refused)
    assert isinstance(outcomes[6], AlreadyExists)
    resting = {order.client_id: order for order in gateway.open_orders("DOGEUSDT")}
    assert resting.keys() == {order.client_id for order in fine}
    assert [resting[order.client_id].order_id for order in fine] == [
        outcomes[n] for n in (0, 1, 3, 4, 5)
    ]
    names = [("DOGEUSDT", order.client_id) for order in fine]
    assert kinds(gateway.cancel_many([*names, ("DOGEUSDT", "never")])) == [None] * 5 + [NoSuchOrder]
    assert gateway.open_orders("DOGEUSDT") == []
    found = gateway.order("DOGEUSDT", "b1-0")
    assert found is not None
    assert found.status is OrderStatus.CANCELLED
