"""What must be right before any order: key, clock, listing, filters; and after hours of absence."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from bots import runner, tasks
from bots.books import reconcile
from bots.models import Bot, CapitalMove, Cell, Fill, Order, RoundTrip
from bots.safety.guarding import standing
from market.models import Instrument
from market.types import OrderStatus
from risk.guards import Level
from risk.models import Guard
from tests.contract.conftest import (
    GRIDS,
    PLACE,
    Begin,
    check_always,
    check_quiet,
    happened,
    sent,
)
from tests.rig.house import House

KEY, LISTING = "/v5/user/query-api", "/v5/market/instruments-info"
SOON = (timezone.now() + timedelta(days=5)).isoformat()
D = Decimal


def odd(at: str, field: str, value: Any) -> dict[str, Any]:
    return {"kind": "odd_row", "at": at, "field": field, "value": value}


# Keys --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("permissions.Wallet", ["AccountTransfer", "Withdraw"], "may withdraw coins"),
        ("permissions.Spot", [], "may not trade spot"),
        ("readOnly", 1, "may not trade spot"),
        ("expiredAt", "2001-02-03T04:05:06Z", "has ended"),
    ],
)
def test_a_key_that_is_not_for_us_places_nothing(
    begin: Begin, field: str, value: Any, said: str
) -> None:
    live = begin(odd(KEY, field, value))
    live.run(20)
    assert sent(live) == []
    assert said in Guard.objects.get(name="API key").did
    assert all(said in cell.reason for cell in Cell.objects.all())


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("ips", [], "works from any address"),
        ("ips", ["*"], "works from any address"),
        ("expiredAt", SOON, "about to end"),
    ],
    ids=["none", "all", "soon"],
)
def test_a_key_that_is_unwise_is_told_and_used(
    begin: Begin, field: str, value: Any, said: str
) -> None:
    live = begin(odd(KEY, field, value))
    guard = Guard.objects.get(name="API key")
    assert (guard.state, said in guard.did) == (Guard.State.WARNING, True)
    assert len(sent(live, orderStatus="New")) == GRIDS - 1, "and an entry that takes"
    check_quiet(live)


@pytest.mark.parametrize("code", [10003, 10005, 10010, 33004, -2015, 10027])
def test_a_key_that_is_refused_later_withholds_buys_until_it_works_again(
    live: House, code: int
) -> None:
    live.faults({"kind": "code", "at": PLACE, "code": code}, do=[{"kind": "cancel"}])
    live.look()
    assert standing("access", "all") is Level.TRIPPED
    tries = happened(live, "code")
    live.run(60)
    assert happened(live, "code") <= tries + GRIDS, "no hot loop"
    check_quiet(live)
    assert len(sent(live, orderStatus="New")) == GRIDS


# Pairs -------------------------------------------------------------------------------------------


def test_a_pair_that_closes_withholds_its_buys_until_it_is_listed_again(
    live: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "_gateway", live.gateway)
    live.faults({"kind": "code", "at": PLACE, "code": 170151}, do=[{"kind": "cancel"}])
    live.look()
    assert standing("listing", "pair:BTCUSDT") is Level.TRIPPED
    live.faults(odd(LISTING, "status", "Closed"), off=["code"])
    tasks.refresh_instruments()
    live.run(20)
    assert standing("listing", "pair:BTCUSDT") is Level.TRIPPED
    assert not sent(live, orderStatus="New", side="Buy")
    live.faults(off="all")
    tasks.refresh_instruments()
    check_quiet(live)
    assert len(sent(live, orderStatus="New")) == GRIDS


def test_a_grid_that_new_fee_rates_make_a_loss_buys_nothing_until_it_earns_again(
    live: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "_gateway", live.gateway)
    tasks.refresh_instruments()
    bot = Bot.objects.get()
    assert standing("fees", bot.subject) is Level.CLEAR
    live.faults(do=[{"kind": "fees", "maker": "0.003"}])  # a step of 0.5 % pays 0.6 % in fees
    tasks.refresh_instruments()
    live.run(20)
    assert "at 0.3 % a side a round trip earns nothing" in Guard.objects.get(name="fees").did
    assert not sent(live, orderStatus="New", side="Buy")
    assert sent(live, orderStatus="New", side="Sell")
    live.faults(do=[{"kind": "fees", "maker": "0.001"}])
    tasks.refresh_instruments()
    check_quiet(live)
    assert len(sent(live, orderStatus="New")) == GRIDS


@pytest.mark.parametrize("code", [170134, 170137, 170140])
def test_filters_are_asked_for_again_when_one_refuses(live: House, code: int) -> None:
    live.faults(
        {"kind": "code", "at": PLACE, "code": code, "count": 1},
        odd(LISTING, "lotSizeFilter.minOrderAmt", "7"),
        do=[{"kind": "cancel"}],
    )
    live.look()
    live.look()
    assert Instrument.objects.get(symbol="BTCUSDT").min_notional == 7
    check_quiet(live)


# Absence -----------------------------------------------------------------------------------------


def absent(live: House, hours: int, *prices: str) -> None:
    """Nobody of ours is there while prices move; then a process that has seen nothing yet."""
    every = hours * 3_600 // len(prices)
    for price in prices:
        live.move(every, BTCUSDT=price)
    runner._entrance.forget(live.gateway)


@pytest.mark.parametrize("hours", [8, 24 * 8])
def test_what_happened_in_hours_of_absence_is_read_before_anything_is_placed(
    live: House, hours: int
) -> None:
    """Fills, an order by hand, a trade by hand and a withdrawal: all found, nothing touched."""
    live.faults(
        do=[
            {"kind": "foreign_order", "symbol": "BTCUSDT", "away": "0.3"},
            {"kind": "foreign_trade", "symbol": "BTCUSDT"},
            {"kind": "withdraw", "share": "0.1"},
        ]
    )
    before = Order.objects.count()
    absent(live, hours, "95900", "97200", "98100", "97200")
    live.sweep()
    assert Fill.objects.count() >= GRIDS, "known before the first tick"
    live.look()
    placed = Order.objects.order_by("id")[before:]
    assert all(order.status == OrderStatus.NEW or not order.sent_at for order in placed), (
        "the wallet differs: nothing is sent"
    )
    check_always(live)
    check_quiet(live)
    assert {move.coin for move in CapitalMove.objects.filter(opening=False)} == {"USDT", "BTC"}
    assert "others traded Buy " in CapitalMove.objects.filter(opening=False)[0].reason
    assert reconcile.compare(live.gateway).agrees
    assert standing("foreign orders", "all") is Level.WARNING
    assert RoundTrip.objects.count() >= 1
    assert Bot.objects.get().state == Bot.State.RUNNING
