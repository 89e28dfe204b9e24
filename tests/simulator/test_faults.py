"""Fault switches: what each does to an unmodified client, how they are set, drawn and counted."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
import requests
from pybit.exceptions import FailedRequestError, InvalidRequestError
from pybit.unified_trading import HTTP

from integrations.bybit.simulator.faults import KINDS, Faults, changed
from integrations.bybit.simulator.wire import ApiError
from tests.rig.waiting import until
from tests.simulator.client import Streams, http, limit, refused
from tests.simulator.fixture import PATIENCE, RunningSimulator

DOCS = Path(__file__).parents[2] / "docs" / "simulator.md"


def switch(running: RunningSimulator, *on: dict[str, Any], **body: Any) -> dict[str, Any]:
    said = requests.post(
        f"{running.rest_url}/sim/faults", json={"on": list(on), **body}, timeout=PATIENCE
    )
    assert said.ok, said.text
    return said.json()


def rest(client: HTTP, link: str, **changes: Any) -> Any:
    return client.place_order(**limit(price="90000", qty="0.001", orderLinkId=link) | changes)


def links(running: RunningSimulator) -> list[str]:
    return [row["orderLinkId"] for row in running.state()["orders"]]


@pytest.mark.parametrize(
    ("kind", "done"), [("unreachable", 0), ("drop_request", 0), ("lost_answer", 1)]
)
def test_a_connection_that_ends(
    simulator: RunningSimulator, client: HTTP, kind: str, done: int
) -> None:
    switch(simulator, {"kind": kind, "count": 1})
    with pytest.raises(requests.ConnectionError):
        rest(client, "a")
    assert len(links(simulator)) == done
    rest(client, "b")


def test_an_answer_that_ends_half_way(simulator: RunningSimulator, client: HTTP) -> None:
    switch(simulator, {"kind": "lost_answer", "half": True, "count": 1})
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        rest(client, "a")
    assert links(simulator) == ["a"]


def test_a_slow_answer_and_a_late_acceptance(simulator: RunningSimulator) -> None:
    impatient = http(simulator, timeout=0.1)
    switch(simulator, {"kind": "slow_answer", "ms": 400, "count": 1})
    with pytest.raises(requests.ReadTimeout):
        rest(impatient, "slow")
    assert links(simulator) == ["slow"]
    switch(simulator, {"kind": "late", "ms": 300, "count": 1})
    with pytest.raises(requests.ReadTimeout):
        rest(impatient, "late")
    assert links(simulator) == ["slow"]
    until(lambda: links(simulator) == ["slow", "late"])


def test_what_is_late_beyond_its_window_is_refused(simulator: RunningSimulator) -> None:
    switch(simulator, {"kind": "late", "ms": 300, "count": 1})
    code = refused(lambda: rest(http(simulator, recv_window=100), "late"))
    assert (code, links(simulator)) == (10002, [])


@pytest.mark.parametrize(("effect", "done"), [(0, []), (1, ["a"])])
def test_a_code_with_and_without_effect(
    simulator: RunningSimulator, client: HTTP, effect: int, done: list[str]
) -> None:
    switch(simulator, {"kind": "code", "code": 10016, "effect": effect, "count": 1})
    assert refused(lambda: rest(client, "a")) == 10016
    assert links(simulator) == done


@pytest.mark.parametrize("reset", ["past", "soon", "far", "missing"])
def test_too_many(simulator: RunningSimulator, client: HTTP, reset: str) -> None:
    switch(simulator, {"kind": "too_many", "reset": reset, "count": 1})
    with pytest.raises(InvalidRequestError) as caught:
        rest(client, "a")
    stamp = caught.value.resp_headers.get("X-Bapi-Limit-Reset-Timestamp")
    ahead = int(stamp) / 1000 - time.time() if stamp else None
    expected = {"past": -3, "soon": 0.3, "far": 3600, "missing": None}[reset]
    assert ahead == (pytest.approx(expected, abs=1) if expected else None)


def test_another_status_and_no_json(simulator: RunningSimulator, client: HTTP) -> None:
    switch(simulator, {"kind": "http", "count": 1}, {"kind": "not_json", "count": 1})
    with pytest.raises(FailedRequestError) as caught:
        rest(client, "a")
    assert caught.value.status_code == 403
    with pytest.raises(FailedRequestError):
        rest(client, "b")
    assert links(simulator) == ["b"]


@pytest.mark.parametrize("ms", [-1_500, 6_000])
def test_a_clock_that_is_off(simulator: RunningSimulator, client: HTTP, ms: int) -> None:
    switch(simulator, {"kind": "clock", "ms": ms})
    assert refused(lambda: rest(client, "a")) == 10002
    nano = int(client.get_server_time()["result"]["timeNano"])
    assert nano / 1e9 - time.time() == pytest.approx(ms / 1000, abs=0.5)


def test_a_batch_cut_short(simulator: RunningSimulator, client: HTTP) -> None:
    switch(simulator, {"kind": "cut_batch", "passed": 1})
    order = limit(price="90000", qty="0.001")
    said = client.place_batch_order(
        category="spot", request=[{**order, "orderLinkId": name} for name in "ab"]
    )
    assert [row["code"] for row in said["retExtInfo"]["list"]] == [0, 10006]
    assert links(simulator) == ["a"]


def test_a_fill_overtakes_a_cancel(
    simulator: RunningSimulator, client: HTTP, streams: Streams
) -> None:
    streams.account()
    rest(client, "a")
    switch(simulator, {"kind": "fill_first"})
    assert (
        refused(client.cancel_order, category="spot", symbol="BTCUSDT", orderLinkId="a") == 170213
    )
    twice = streams.row("order", orderStatus="Filled", cancelType="CancelByUser")
    assert twice["rejectReason"] == "EC_OrigClOrdIDDoesNotExist"
    streams.row("order", orderStatus="Filled", cancelType="UNKNOWN")


def test_a_post_only_order_meets_a_price_that_moved(
    simulator: RunningSimulator, client: HTTP, streams: Streams
) -> None:
    streams.account()
    switch(simulator, {"kind": "post_only_race", "count": 1})
    assert rest(client, "a")["retCode"] == 0
    row = streams.row("order", orderLinkId="a", orderStatus="Cancelled")
    assert row["rejectReason"] == "EC_PostOnlyWillTakeLiquidity"


def test_history_lags(simulator: RunningSimulator, client: HTTP) -> None:
    def found() -> Any:
        return client.get_open_orders(category="spot", orderLinkId="a")["result"]["list"]

    switch(simulator, {"kind": "history_lag", "ms": 200})
    rest(client, "a")
    assert found() == []
    until(found)


def test_odd_rows(simulator: RunningSimulator, client: HTTP) -> None:
    rest(client, "a")
    switch(
        simulator,
        {"kind": "odd_row", "field": "orderStatus", "value": "Hibernating", "at": "*/realtime"},
    )
    (row,) = client.get_open_orders(category="spot", symbol="BTCUSDT")["result"]["list"]
    assert row["orderStatus"] == "Hibernating"


def test_fields_are_changed_and_taken_away_wherever_they_are() -> None:
    row = {"b": [["1", "2"]], "x": {"y": 1}, "z": 3}
    assert changed(row, "b.0.0", "NaN") == {**row, "b": [["NaN", "2"]]}
    assert changed(row, "x.y", None) == {**row, "x": {}}
    assert changed(row, "nowhere.0", 1) == row


def test_messages_lost_doubled_late_and_out_of_order(
    simulator: RunningSimulator, client: HTTP, streams: Streams
) -> None:
    streams.account()
    switch(simulator, {"kind": "drop_message", "at": "order", "count": 1})
    rest(client, "lost")
    switch(simulator, {"kind": "copy_message", "at": "order", "times": 3, "count": 1})
    rest(client, "tripled")
    switch(simulator, {"kind": "swap_message", "at": "order", "count": 1})
    rest(client, "overtaken")
    switch(simulator, {"kind": "delay_message", "at": "order", "ms": 200, "count": 1})
    rest(client, "late")
    rest(client, "last")
    streams.row("order", orderLinkId="late")
    heard = [
        row["orderLinkId"] for f in streams.frames if f["topic"] == "order" for row in f["data"]
    ]
    assert heard == ["tripled"] * 3 + ["overtaken", "last", "late"]


def test_prices_that_cannot_be(simulator: RunningSimulator, streams: Streams) -> None:
    streams.public.ticker_stream("BTCUSDT", streams.hear)
    streams.wait(lambda _: len(streams.frames) > 1)  # the first snapshot, and its first push
    switch(
        simulator,
        {
            "kind": "odd_message",
            "at": "tickers.*",
            "field": "lastPrice",
            "value": "NaN",
            "count": 1,
        },
    )
    simulator.step({"BTCUSDT": "96000"})
    simulator.step({"BTCUSDT": "95000"})
    switch(simulator, {"kind": "outlier", "share": "-0.3", "count": 1})
    simulator.step({"BTCUSDT": "94000"})
    simulator.step({"BTCUSDT": "93000"})
    streams.wait(lambda frame: frame["data"]["lastPrice"] == "93000")
    told = [frame["data"]["lastPrice"] for frame in streams.frames]
    assert told[-4:] == ["NaN", "95000", "65800", "93000"]


def test_a_mute_connection_and_one_that_ends(
    simulator: RunningSimulator, client: HTTP, streams: Streams
) -> None:
    streams.account()
    switch(simulator, do=[{"kind": "mute", "at": "/v5/private"}])
    rest(client, "unheard")
    switch(simulator, do=[{"kind": "hang_up"}])
    until(lambda: not simulator.server or "order" not in simulator.server.topics)
    until(lambda: simulator.server and "order" in simulator.server.topics)  # pybit came back
    rest(client, "heard")
    streams.row("order", orderLinkId="heard")
    heard = {
        row["orderLinkId"] for f in streams.frames for row in f["data"] if f["topic"] == "order"
    }
    assert heard == {"heard"}


def test_the_exchange_cancels_and_fills_by_itself(
    simulator: RunningSimulator, client: HTTP
) -> None:
    rest(client, "a")
    switch(simulator, do=[{"kind": "part_fill", "share": "0.5", "cancel": True, "link": "a"}])
    (row,) = simulator.state()["orders"]
    assert (row["orderStatus"], row["cumExecQty"]) == ("PartiallyFilledCanceled", "0.0005")
    rest(client, "b")
    switch(simulator, do=[{"kind": "cancel", "type": "CancelByAdmin", "link": "b"}])
    assert [row["cancelType"] for row in simulator.state()["orders"]] == ["CancelByAdmin"] * 2


def test_somebody_else_is_on_the_account(simulator: RunningSimulator) -> None:
    switch(
        simulator,
        do=[
            {"kind": "foreign_order", "symbol": "BTCUSDT"},
            {"kind": "foreign_trade", "symbol": "DOGEUSDT", "side": "Sell"},
            {"kind": "withdraw", "coin": "USDT", "share": "0.5"},
            {"kind": "deposit", "coin": "MNT", "amount": "7"},
        ],
    )
    state = simulator.state()
    assert [row["orderStatus"] for row in state["orders"]] == ["New", "Filled"]
    assert float(state["wallet"]["USDT"]["total"]) == pytest.approx(17_000, rel=0.01)
    assert state["wallet"]["MNT"]["total"] == "1007"


def test_fees_change_their_rate_and_their_coin(simulator: RunningSimulator, client: HTTP) -> None:
    switch(simulator, do=[{"kind": "fees", "maker": "-0.0001", "coin": "MNT"}])
    rest(client, "a")
    switch(simulator, do=[{"kind": "part_fill", "share": "1", "link": "a"}])
    (fill,) = simulator.state()["executions"]
    assert (fill["feeCurrency"], fill["feeRate"]) == ("MNT", "-0.0001")
    assert float(fill["execFee"]) < 0
    switch(simulator, do=[{"kind": "fees", "maker": "-0.0001"}])
    rest(client, "b")
    switch(simulator, do=[{"kind": "part_fill", "share": "1", "link": "b"}])
    assert simulator.state()["executions"][1]["feeCurrency"] == "USDT"


def test_a_cap_on_open_orders(simulator: RunningSimulator, client: HTTP) -> None:
    switch(simulator, do=[{"kind": "open_orders_cap", "most": 1}])
    rest(client, "a")
    assert refused(lambda: rest(client, "b")) == 170810


def test_a_crash_in_one_message(simulator: RunningSimulator, client: HTTP) -> None:
    rest(client, "a")
    switch(simulator, do=[{"kind": "jump", "symbol": "BTCUSDT", "share": "-0.15"}])
    assert [row["orderStatus"] for row in simulator.state()["orders"]] == ["Filled"]


def test_switches_count_draw_and_end() -> None:
    now = [0]
    faults = Faults(now=lambda: now[0])
    faults.set({"seed": 7, "on": [{"kind": "http", "probability": 0.25, "at": "/v5/order/*"}]})
    drawn = [faults.drawn("http", "/v5/order/create") is not None for _ in range(4_000)]
    assert sum(drawn) == faults.happened["http"] == pytest.approx(1_000, abs=120)
    assert faults.drawn("http", "/v5/market/time") is None
    again = Faults(now=lambda: 0)
    again.set({"seed": 7, "on": [{"kind": "http", "probability": 0.25}]})
    assert [again.drawn("http") is not None for _ in range(4_000)] == drawn
    faults.set({"off": "all", "on": [{"kind": "late", "ms": 1, "after": 1, "seconds": 2}]})
    seen = []
    for now[0] in (999, 1_000, 2_999, 3_000):
        seen.append(faults.drawn("late", "/v5/order/create") is not None)
    assert seen == [False, True, True, False]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"on": [{"kind": "rain"}]}, "needs a kind, one of unreachable"),
        ({"on": [{"kind": "late"}]}, "late needs ms"),
        ({"on": [{"kind": "http", "ms": 3}]}, "http has no ms; there are after, at, count"),
        ({"on": [{"kind": "http", "probability": "x"}]}, "probability must be a number"),
        ({"do": [{"kind": "http"}]}, "http is no deed"),
        ({"off": ["rain"]}, 'off must be "all" or a list of kinds'),
        ({"of": 1}, "unknown: of"),
    ],
)
def test_what_is_not_understood_changes_nothing(body: dict[str, Any], said: str) -> None:
    faults = Faults()
    with pytest.raises(ApiError, match=said):
        faults.set({"seed": 3, **body})
    assert (faults.seed, faults.show()["on"]) == (0, [])


def test_faults_are_shown(simulator: RunningSimulator, client: HTTP) -> None:
    switch(simulator, {"kind": "http", "count": 2, "at": "*/create"}, seed=5)
    with pytest.raises(FailedRequestError):
        rest(client, "a")
    shown = requests.get(f"{simulator.rest_url}/sim/faults", timeout=PATIENCE).json()
    assert (shown["seed"], shown["happened"]) == (5, {"http": 1})
    (on,) = shown["on"]
    assert {key: on[key] for key in ("kind", "left", "happened", "status")} == {
        "kind": "http", "left": 1, "happened": 1, "status": 403,
    }  # fmt: skip
    assert json.dumps(shown["kinds"])


def test_every_kind_is_documented() -> None:
    written = DOCS.read_text(encoding="utf-8")
    assert [kind for kind in KINDS if f"`{kind}`" not in written] == []
