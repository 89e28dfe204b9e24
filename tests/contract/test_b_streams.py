"""Fault group B, streams and market data: rows 25 to 39 of the catalogue, each by its number."""

import queue
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import requests

from bots.models import Bot, Fill, Order, RoundTrip
from integrations.bybit.connection import Connection
from integrations.bybit.simulator.server import Options
from integrations.bybit.streams import (
    PRIVATE_TOPICS,
    Connected,
    Disconnected,
    Event,
    Feed,
    Limits,
    Message,
)
from market.exchange import Broken
from market.models import Price
from market.types import OrderStatus
from tests.contract.conftest import (
    GRIDS,
    Begin,
    check_always,
    check_quiet,
    cross_all,
    happened,
    sent,
)
from tests.rig.house import House
from tests.simulator.fixture import KEYS, RunningSimulator

STREAM = frozenset({"stream"})
PATIENCE = 20  # s
QUICK = Limits(
    silence=0.8, pong_is_life=True, ping=0.2, answer=0.5, first_delay=0.05, longest_delay=0.2
)
D = Decimal


# Messages ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("times", [2, 3])
def test_b25_messages_come_more_than_once(begin: Begin, times: int) -> None:
    live = begin({"kind": "copy_message", "times": times}, ways=STREAM)
    cross_all(live)
    check_quiet(live)
    assert happened(live, "copy_message") > GRIDS
    assert RoundTrip.objects.count() >= GRIDS - 1


@pytest.mark.parametrize("at", ["order", "execution", "*"])
def test_b26_messages_come_out_of_order(begin: Begin, at: str) -> None:
    live = begin(
        {"kind": "swap_message", "at": at, "probability": 0.5},
        {"kind": "delay_message", "at": at, "probability": 0.4, "ms": 7_000},
        {"kind": "copy_message", "at": at, "probability": 0.2},
        ways=STREAM,
    )
    cross_all(live)
    cross_all(live)
    live.run(20)
    assert happened(live, "swap_message")
    assert happened(live, "delay_message")
    check_quiet(live)


@pytest.mark.parametrize("topic", ["order", "execution", "[!k]*"])
@pytest.mark.parametrize("share", [0.3, 1])
def test_b27_messages_are_lost(begin: Begin, share: float, topic: str) -> None:
    live = begin({"kind": "drop_message", "at": topic, "probability": share})
    cross_all(live)
    live.run(30)
    check_always(live)
    check_quiet(live)
    assert happened(live, "drop_message")


# Connections -------------------------------------------------------------------------------------


@pytest.fixture
def venue() -> Iterator[RunningSimulator]:
    running = RunningSimulator(Options(keys=KEYS, speed=0, balances={"USDT": D(9_000)}))
    running.start()
    yield running
    running.stop()


def switch(running: RunningSimulator, *on: dict[str, Any], **body: Any) -> None:
    said = requests.post(
        f"{running.rest_url}/sim/faults", json={"on": list(on), **body}, timeout=PATIENCE
    )
    assert said.ok, said.text


class Heard:
    """A private feed of ours, and all it said."""

    def __init__(self, running: RunningSimulator) -> None:
        self.out: queue.Queue[Event] = queue.Queue()
        self.events: list[Event] = []

        def connect(hear: Any) -> Connection:
            return Connection("private", running.ws_url, hear, KEYS.key, KEYS.secret)

        self.feed = Feed("private", connect, PRIVATE_TOPICS, self.out, QUICK, login=True)
        self.feed.start()

    def wait(self, kind: type[Event], why: str = "", seconds: float = PATIENCE) -> Event:
        """The next event of a kind that says so."""
        end = time.monotonic() + seconds
        while True:
            event = self.out.get(timeout=max(0.01, end - time.monotonic()))
            self.events.append(event)
            if isinstance(event, kind) and why in getattr(event, "why", ""):
                return event


@pytest.fixture
def heard(venue: RunningSimulator) -> Iterator[Heard]:
    listening = Heard(venue)
    yield listening
    listening.feed.stop()


def test_b28_a_stream_dies_without_a_word(venue: RunningSimulator, heard: Heard) -> None:
    heard.wait(Connected)
    switch(venue, do=[{"kind": "mute"}])
    began = time.monotonic()
    heard.wait(Disconnected, "nothing heard")
    assert time.monotonic() - began < QUICK.silence + 3
    heard.wait(Connected)


def test_b28_nothing_is_lost_by_it(live: House) -> None:
    live.faults(do=[{"kind": "mute"}])
    cross_all(live)
    check_quiet(live)
    assert RoundTrip.objects.count() >= GRIDS - 1


def test_b29_a_message_that_cannot_be_read_stops_nothing(live: House) -> None:
    live.faults({"kind": "odd_message", "at": "*", "field": "symbol", "value": {"a": [None]}})
    cross_all(live)
    check_always(live)
    check_quiet(live)
    assert happened(live, "odd_message")


def test_b30_nobody_answers_for_a_while(venue: RunningSimulator, heard: Heard) -> None:
    """Tries go on, paced, for as long as it takes; pybit's own burn in milliseconds."""
    heard.wait(Connected)
    switch(venue, {"kind": "unreachable", "seconds": 3}, do=[{"kind": "hang_up"}])
    heard.wait(Disconnected)
    heard.wait(Connected)
    tries = sum(isinstance(event, Disconnected) for event in heard.events)
    assert 3 <= tries <= 3 / (QUICK.longest_delay / 2) + 5


def test_b30_the_house_catches_up_after_it(live: House) -> None:
    live.faults({"kind": "unreachable", "seconds": 60}, do=[{"kind": "hang_up"}])
    live.move(10, BTCUSDT="95900")
    live.look()
    live.move(10, BTCUSDT="98100")
    live.look()
    assert live.errors
    live.run(60)
    check_quiet(live)
    assert Fill.objects.count() >= GRIDS


def test_b31_the_login_is_refused(venue: RunningSimulator, heard: Heard) -> None:
    heard.wait(Connected)
    switch(venue, {"kind": "auth_refused", "count": 2}, do=[{"kind": "hang_up"}])
    heard.wait(Disconnected, "the login was refused")
    heard.wait(Connected)


def test_b31_the_house_lives_by_rest_meanwhile(live: House) -> None:
    live.faults({"kind": "auth_refused", "seconds": 90}, do=[{"kind": "hang_up"}])
    live.move(10, BTCUSDT="95900")
    live.run(60)
    assert Fill.objects.count() == GRIDS
    check_always(live)
    check_quiet(live)


@pytest.mark.parametrize("kind", ["subscribe_refused", "subscribe_unanswered"])
def test_b32_a_subscription_fails(venue: RunningSimulator, heard: Heard, kind: str) -> None:
    heard.wait(Connected)
    switch(venue, {"kind": kind, "count": 1}, do=[{"kind": "hang_up"}])
    heard.wait(Disconnected, "subscription")
    heard.wait(Connected)
    switch(venue, do=[{"kind": "foreign_order", "symbol": "BTCUSDT"}])
    message = heard.wait(Message)
    assert isinstance(message, Message)
    assert message.frame["topic"] == "order"


# Prices ------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("ways", [STREAM, frozenset({"sweep"})], ids="+".join)
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
