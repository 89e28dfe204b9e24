"""Fault group B, streams: rows 25 to 32 of the catalogue, each by its number."""

import queue
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import requests

from bots.models import Fill, RoundTrip
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
from tests.contract.conftest import (
    GRIDS,
    Begin,
    check_always,
    check_quiet,
    cross_all,
    happened,
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
