"""Fault group A, what becomes of orders: rows 14 to 24 of the catalogue, each by its number."""

from decimal import Decimal

import pytest

from bots import control
from bots.grid.levels import InvalidGrid
from bots.models import Cell, Fill, Order, RoundTrip
from market.types import OrderStatus, Side
from tests.contract.conftest import (
    CANCEL,
    GRIDS,
    ONE_WAY,
    Begin,
    bot,
    check_always,
    check_quiet,
    cross_all,
    happened,
    in_words,
    sent,
)
from tests.rig.house import WAYS, House

D = Decimal


@pytest.mark.parametrize("ways", ONE_WAY, ids=in_words)
@pytest.mark.parametrize(
    ("share", "cancel"), [("0.03", True), ("0.37", False), ("0.37", True), ("0.97", True)]
)
def test_a14_part_of_an_order(begin: Begin, ways: frozenset[str], share: str, cancel: bool) -> None:
    live = begin(ways=ways)
    live.look()
    for side in ("down", "up"):
        live.faults(do=[{"kind": "part_fill", "share": share, "cancel": cancel}])
        live.look()
        check_always(live)
        live.move(10, BTCUSDT="95900" if side == "down" else "98100")
        live.look()
    check_quiet(live)


@pytest.mark.parametrize("ways", ONE_WAY, ids=in_words)
def test_a15_a_fill_overtakes_a_cancel(begin: Begin, ways: frozenset[str]) -> None:
    live = begin(ways=ways)
    live.look()
    live.faults({"kind": "fill_first"})
    control.pause(bot(live), by="a test")
    live.look()
    check_always(live)
    check_quiet(live)
    assert happened(live, "fill_first") >= 2
    assert not sent(live, orderStatus="New", side="Buy")
    assert Fill.objects.filter(side=Side.BUY).count() == GRIDS, "an entry and three fills"


def test_a16_orders_are_never_amended(live: House) -> None:
    """A cancel is proven before its place is taken; nothing else changes an order."""
    live.faults({"kind": "http", "at": "/v5/order/amend*"})
    control.pause(bot(live), by="a test")
    live.look()
    control.resume(bot(live))
    live.look()
    check_quiet(live)
    assert happened(live, "http") == 0


@pytest.mark.parametrize("kind", ["lost_answer", "drop_request", "not_json"])
@pytest.mark.parametrize("ways", [WAYS, ONE_WAY[1], ONE_WAY[2]], ids=in_words)
def test_a17_the_outcome_of_a_cancel_is_unknown(
    begin: Begin, kind: str, ways: frozenset[str]
) -> None:
    live = begin(ways=ways)
    live.look()
    live.faults({"kind": kind, "at": CANCEL, "count": 2})
    control.pause(bot(live), by="a test")
    live.look()
    check_always(live)
    control.resume(bot(live))
    live.look()
    check_always(live)
    check_quiet(live)
    assert len(sent(live, orderStatus="New")) == GRIDS


@pytest.mark.parametrize("passed", [0, 1, 2])
def test_a18_part_of_a_batch(begin: Begin, passed: int) -> None:
    live = begin({"kind": "cut_batch", "passed": passed, "count": 1})
    check_quiet(live)
    assert happened(live, "cut_batch") == 1


@pytest.mark.parametrize(
    "cancel_type", ["CancelByAdmin", "CancelBySmp", "CancelByUser", "CancelByPrepareLiq", "UNKNOWN"]
)
@pytest.mark.parametrize("ways", [frozenset({"stream"}), frozenset({"sweep"})], ids=in_words)
def test_a19_the_exchange_cancels_by_itself(
    begin: Begin, cancel_type: str, ways: frozenset[str]
) -> None:
    live = begin(ways=ways)
    live.look()
    live.faults(do=[{"kind": "cancel", "type": cancel_type}])
    check_quiet(live)
    assert len(sent(live, orderStatus="New")) == GRIDS


def test_a20_two_grids_on_one_pair(live: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are refused at the door; should they meet all the same, they do not trade together."""
    with pytest.raises(InvalidGrid, match="trades 96000 to 98000 already"):
        live.deploy("BTCUSDT", "96250", "98250", grids=GRIDS, capital=2_000)
    monkeypatch.setattr(control, "overlaps", lambda *_: ())
    live.deploy("BTCUSDT", "96250", "98250", grids=GRIDS, capital=2_000)
    live.look()
    for _ in range(2):
        cross_all(live)
    check_quiet(live)
    met = [row for row in sent(live) if row["cancelType"] == "CancelBySmp"]
    assert all(row["orderStatus"] != "Filled" for row in met)


@pytest.mark.parametrize(
    "fees",
    [
        {"maker": "0.001"},
        {"maker": "0.004", "taker": "0.005"},
        {"maker": "-0.0002"},
        {"maker": "0.0008", "coin": "MNT"},
    ],
    ids=str,
)
def test_a21_no_more_is_sold_than_is_held(begin: Begin, fees: dict[str, str]) -> None:
    live = begin({"kind": "http", "count": 0})
    live.faults(do=[{"kind": "fees", **fees}])
    for _ in range(2):
        cross_all(live)
    check_quiet(live)
    assert not Order.objects.filter(status=OrderStatus.REJECTED).exists()
    assert RoundTrip.objects.count() >= 2 * (GRIDS - 1)


def test_a22_dust_is_kept_and_comes_into_the_next_sale(live: House) -> None:
    lot = D("0.000001")
    for _ in range(8):
        for price in ("95900", "98100"):
            live.move(10, BTCUSDT=price)
            live.look()
            live.run(12, every=4)
    check_quiet(live)
    assert RoundTrip.objects.count() >= 8 * GRIDS
    assert all(cell.held < lot for cell in Cell.objects.filter(side=Side.BUY, bought=0))


def test_a23_fees_change_while_it_runs(live: House) -> None:
    for fees in ({"maker": "0.002"}, {"maker": "-0.0001"}, {"maker": "0.001", "coin": "MNT"}):
        live.faults(do=[{"kind": "fees", **fees}])
        cross_all(live)
    check_quiet(live)
    assert set(Fill.objects.values_list("fee_coin", flat=True)) == {"BTC", "USDT", "MNT"}


@pytest.mark.parametrize(
    ("at", "field", "value"),
    [
        ("order", "orderStatus", "Hibernating"),
        ("order", "cumExecQty", ""),
        ("order", "side", 1),
        ("order", "createdTime", {"s": 1}),
        ("execution", "execQty", "NaN"),
        ("execution", "execFee", None),
        ("execution", "execPrice", "-1"),
        ("execution", "isMaker", "yes"),
        ("execution", "execType", "Hibernation"),
    ],
)
def test_a24_words_and_types_we_do_not_know(
    live: House, at: str, field: str, value: object
) -> None:
    """What is not understood is left out and caught up; in rows nothing is decided on it."""
    odd = {"field": field, "value": value, "count": 6}
    live.faults(
        {"kind": "odd_message", "at": at, **odd},
        {"kind": "odd_row", "at": f"/v5/{at}/*", **odd},
    )
    cross_all(live)
    check_quiet(live)
    assert happened(live, "odd_message")
