"""Fault group A, sending orders: rows 1 to 13 of the catalogue, each by its number."""

from decimal import Decimal

import pytest

from bots.grid import ids
from bots.models import Cell, Fill, Order
from bots.safety.guarding import standing
from market.types import OrderStatus
from risk.guards import Level
from tests.contract.conftest import (
    GRIDS,
    ONE_WAY,
    PLACE,
    Begin,
    check_always,
    check_quiet,
    cross_all,
    happened,
    in_words,
    sent,
)
from tests.rig.house import WAYS, House

D = Decimal


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("ways", [WAYS, *ONE_WAY], ids=in_words)
def test_a01_accepted_answer_lost(begin: Begin, ways: frozenset[str], half: bool) -> None:
    live = begin({"kind": "lost_answer", "at": PLACE, "count": 1, "half": half}, ways=ways)
    assert Order.objects.filter(status=OrderStatus.UNKNOWN).exists()
    check_quiet(live)
    cross_all(live)
    check_quiet(live)
    assert happened(live, "lost_answer") == 1
    assert Fill.objects.count() >= 2 * GRIDS
    if half is False:
        assert not Order.objects.filter(reason__contains="never reached").exists()


@pytest.mark.parametrize("kind", ["lost_answer", "drop_request"])
def test_a01_history_lags_as_well(begin: Begin, kind: str) -> None:
    """Not to be found at first: that proves nothing yet."""
    live = begin(
        {"kind": kind, "at": PLACE, "count": 1},
        {"kind": "history_lag", "ms": 8_000},
        {"kind": "drop_message", "at": "order"},
        {"kind": "drop_message", "at": "execution"},
    )
    for _ in range(8):
        live.move(2)
        live.look()
        check_always(live)
    check_quiet(live)
    assert happened(live, "history_lag")


def test_a02_request_lost(begin: Begin) -> None:
    live = begin({"kind": "drop_request", "at": PLACE, "count": 1})
    lost = set(Order.objects.values_list("client_id", flat=True))
    assert sent(live) == []
    check_quiet(live, most=150)
    assert {row["orderLinkId"] for row in sent(live)}.isdisjoint(lost)
    assert set(Order.objects.filter(client_id__in=lost).values_list("reason", flat=True)) == {
        "it never reached the exchange"
    }
    assert len(sent(live, orderStatus="New")) == GRIDS


@pytest.mark.parametrize("ms", [500, 3_000, 4_900, 8_000])
def test_a03_late_acceptance(begin: Begin, ms: int) -> None:
    """Accepted late, the order is found; beyond the signature's window it never is accepted."""
    live = begin({"kind": "late", "at": PLACE, "ms": ms, "count": 1})
    first = set(Order.objects.values_list("client_id", flat=True))
    for _ in range(12):
        live.move(1)
        live.look()
        check_always(live)
    landed = first & {row["orderLinkId"] for row in sent(live)}
    assert bool(landed) == (ms < 5_000)
    check_quiet(live)


@pytest.mark.parametrize("effect", [0, 1])
@pytest.mark.parametrize("code", [10000, 10016, 170007, 170146])
def test_a04_a_code_that_proves_nothing(begin: Begin, code: int, effect: int) -> None:
    live = begin({"kind": "code", "at": PLACE, "code": code, "effect": effect, "count": 1})
    assert Order.objects.filter(status=OrderStatus.UNKNOWN).exists()
    check_quiet(live)


@pytest.mark.parametrize("code", [10006, 170222])
@pytest.mark.parametrize("reset", ["past", "soon", "far", "missing"])
def test_a05_over_the_rate_limit(begin: Begin, reset: str, code: int) -> None:
    """Whatever the header says: nobody sleeps for an hour, nothing is sent twice."""
    live = begin({"kind": "too_many", "at": PLACE, "code": code, "reset": reset, "count": 2})
    before = live.clock.time()
    check_quiet(live)
    assert live.clock.time() - before < 150


def test_a05_http_429(begin: Begin) -> None:
    live = begin({"kind": "http", "at": PLACE, "status": 429, "count": 2})
    check_quiet(live)


def test_a06_a_ban_of_ten_minutes(live: House) -> None:
    live.faults({"kind": "http", "status": 403})
    live.move(10, BTCUSDT="95900")
    live.look()
    for _ in range(20):
        live.move(30)
        live.look()
    assert happened(live, "http") <= 12, "about one probe a minute"
    check_quiet(live, most=900)
    assert Fill.objects.count() >= GRIDS


@pytest.mark.parametrize("ms", [6_000, -1_200])
def test_a07_clocks_differ(live: House, ms: int) -> None:
    """A definite refusal: the exchange's clock is read and the same goes again, for a while."""
    live.faults({"kind": "clock", "ms": ms}, do=[{"kind": "cancel"}] * 2)
    live.look()
    live.look()
    assert len(sent(live, orderStatus="New")) == GRIDS
    live.run(40)
    assert standing("clock", "all") is Level.TRIPPED
    check_always(live)
    check_quiet(live)


def test_a07_nothing_begins_while_clocks_differ(begin: Begin) -> None:
    live = begin({"kind": "clock", "ms": 6_000})
    live.run(20)
    assert sent(live) == []
    assert "the clock is off" in Cell.objects.exclude(reason="")[0].reason
    check_quiet(live)
    assert len(sent(live, orderStatus="New")) == GRIDS


def test_a08_a_client_id_that_is_taken(begin: Begin) -> None:
    live = begin({"kind": "code", "at": PLACE, "code": 170141, "effect": 1, "count": 1})
    check_quiet(live)
    attempts = [ids.slot(link) for link in Order.objects.values_list("client_id", flat=True)]
    assert {slot.attempt for slot in attempts if slot} == {0}, "adopted, not tried anew"


def test_a09_a_post_only_order_that_would_cross(begin: Begin) -> None:
    live = begin({"kind": "post_only_race"})
    for _ in range(6):
        live.move(10)
        live.look()
        check_always(live)
    refused = happened(live, "post_only_race")
    assert 0 < refused <= 5 * GRIDS, "no hot loop"
    check_quiet(live)


@pytest.mark.parametrize("code", [170140, 170134, 170137, 110094])
def test_a10_refused_by_a_filter(begin: Begin, code: int) -> None:
    live = begin({"kind": "code", "at": PLACE, "code": code})
    live.look()
    assert Cell.objects.exclude(reason="").count() == GRIDS
    tries = happened(live, "code")
    for _ in range(6):
        live.move(4)
        live.look()
    assert happened(live, "code") == tries, "a refused order rests before it is tried again"
    check_quiet(live)


def test_a11_the_wallet_is_empty(live: House) -> None:
    live.faults(do=[{"kind": "withdraw", "coin": "USDT", "share": "1"}])
    live.faults(do=[{"kind": "cancel"}] * 2)  # the exchange gives two orders' money back
    live.faults(do=[{"kind": "withdraw", "coin": "USDT", "share": "1"}])
    before = Order.objects.count()
    for _ in range(12):
        live.move(10)
        live.look()
        check_always(live)
    waiting = Cell.objects.exclude(reason="")
    assert waiting.exists(), "they say why they wait"
    assert Order.objects.count() - before <= 5 * waiting.count(), "no hot loop"
    live.faults(do=[{"kind": "deposit", "coin": "USDT", "amount": "5000"}])
    check_quiet(live)
    assert not waiting.exists()


def test_a12_too_many_open_orders(begin: Begin) -> None:
    live = begin({"kind": "http", "count": 0})
    live.faults(do=[{"kind": "open_orders_cap", "most": 2}])
    live.faults(do=[{"kind": "cancel"}] * 2)
    live.run(60)
    check_always(live)
    assert len(sent(live, orderStatus="New")) == 2
    assert Cell.objects.exclude(reason="").count() == GRIDS - 2
    live.faults(do=[{"kind": "open_orders_cap", "most": 500}])
    check_quiet(live)
    assert len(sent(live, orderStatus="New")) == GRIDS


@pytest.mark.parametrize("code", [170193, 170194, 110003, 170371, 170372])
def test_a13_outside_the_price_limit(begin: Begin, code: int) -> None:
    live = begin({"kind": "code", "at": PLACE, "code": code, "seconds": 40})
    live.look()
    assert Cell.objects.filter(reason__startswith="refused").count() == GRIDS
    check_quiet(live)
