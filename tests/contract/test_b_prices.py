"""Fault group B, prices: rows 33 to 40 of the catalogue, each by its number."""

import time
from decimal import Decimal

import pytest

from bots.models import Bot, Fill, Order, RoundTrip
from market.exchange import Broken
from market.models import Price
from market.types import OrderStatus
from tests.contract.conftest import (
    GRIDS,
    Begin,
    check_always,
    check_quiet,
    happened,
    in_words,
    sent,
)
from tests.rig.house import House

STREAM = frozenset({"stream"})
D = Decimal


def priced() -> Price:
    return Price.objects.get(symbol="BTCUSDT")


@pytest.mark.parametrize(
    ("at", "field", "value"),
    [
        *(
            ("[tp]*", field, value)
            for field, value in (
                ("lastPrice", "NaN"),
                ("lastPrice", "Infinity"),
                ("lastPrice", "0"),
                ("lastPrice", "-97000"),
                ("lastPrice", ""),
                ("lastPrice", None),
                ("lastPrice", 97_000.5),
                ("p", "NaN"),
                ("p", "-1"),
            )
        ),
        ("orderbook.*", "b.0.0", "NaN"),
        ("orderbook.*", "a.0.0", "1e999"),
        ("orderbook.*", "b", []),
    ],
)
def test_b33_prices_that_cannot_be(begin: Begin, at: str, field: str, value: object) -> None:
    live = begin()
    live.look()
    before = {row["orderLinkId"] for row in sent(live)}
    live.faults({"kind": "odd_message", "at": at, "field": field, "value": value})
    live.move(3, BTCUSDT="97210")
    live.look()
    assert happened(live, "odd_message")
    assert {row["orderLinkId"] for row in sent(live)} == before, "no order on such a price"
    check_always(live)
    live.move(6, BTCUSDT="97220")
    live.look()
    check_always(live)
    assert priced().last == 97_220, "asked for by REST, for ours has grown old"


def test_b34_the_feed_is_frozen(live: House) -> None:
    """A price that is old is asked for again, whatever the stream says of itself."""
    live.faults(
        {"kind": "drop_message", "at": "[!oew]*"}, {"kind": "drop_message", "at": "orderb*"}
    )
    live.move(6, BTCUSDT="97150")
    live.look()
    assert priced().last == 97_150
    check_quiet(live)


@pytest.mark.parametrize("share", ["0.3", "-0.3"])
def test_b35_one_price_far_off(live: House, share: str) -> None:
    before = {row["orderLinkId"]: row["orderStatus"] for row in sent(live)}
    live.faults({"kind": "outlier", "share": share, "count": 1})
    live.move(3, BTCUSDT="97210")
    live.look()
    live.move(3, BTCUSDT="97200")
    live.look()
    assert happened(live, "outlier") == 1
    assert {row["orderLinkId"]: row["orderStatus"] for row in sent(live)} == before
    check_quiet(live)


@pytest.mark.parametrize("ways", [STREAM, frozenset({"sweep"})], ids=in_words)
def test_b36_a_crash_through_every_level_in_one_message(begin: Begin, ways: frozenset[str]) -> None:
    live = begin(ways=ways)
    live.look()
    live.faults(do=[{"kind": "jump", "symbol": "BTCUSDT", "share": "-0.15"}])
    live.run(40)
    check_always(live)
    buys = Fill.objects.filter(side="Buy")
    assert buys.count() == GRIDS
    assert len(sent(live, orderStatus="New", side="Sell")) == GRIDS
    live.faults(do=[{"kind": "jump", "symbol": "BTCUSDT", "share": "0.2"}])
    live.run(40)
    check_quiet(live)
    assert Fill.objects.filter(side="Sell").count() == GRIDS
    assert RoundTrip.objects.count() == GRIDS


def test_b37_a_gap_over_the_grid_and_back(live: House) -> None:
    for share in ("0.1", "-0.2", "0.25", "-0.1"):
        live.faults(do=[{"kind": "jump", "symbol": "BTCUSDT", "share": share}])
        live.look()
        check_always(live)
    check_quiet(live)


def test_b38_a_backlog_of_ticks(live: House) -> None:
    """Thousands of old prices at once: the newest counts, and soon."""
    live.faults({"kind": "copy_message", "at": "tickers.*", "times": 3_000, "count": 1})
    live.move(3, BTCUSDT="97100")
    live.move(3, BTCUSDT="97150")
    began = time.thread_time()
    live.look()
    assert time.thread_time() - began < 5
    assert priced().last == 97_150
    check_quiet(live)


def test_b39_a_gap_in_the_book(live: House) -> None:
    """Only whole books are listened to, so one that is missing leaves nothing behind."""
    live.faults({"kind": "drop_message", "at": "orderbook.*", "count": 1})
    live.move(3, BTCUSDT="97100")
    live.look()
    live.move(3, BTCUSDT="97150")
    live.look()
    price = priced()
    assert (price.bid, price.last, price.ask) == (D("97149.99"), 97_150, D("97150.01"))
    assert not Order.objects.filter(status=OrderStatus.UNKNOWN).exists()


def test_b40_keys_of_another_environment(begin: Begin) -> None:
    """Nothing is sent, nothing is guessed: the bot waits and says why."""
    live = begin({"kind": "code", "at": "/v5/*", "code": 10003})
    assert sent(live) == []
    assert all(isinstance(error, Broken) for error in live.errors)
    assert live.errors
    assert Bot.objects.get().state == Bot.State.DEPLOYING
    check_quiet(live)
