"""Streams die, lines are cut, the database restarts: each bar ends as the exchange has it."""

import queue
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import DatabaseError, InterfaceError, connection

from bots.intake import Intake
from integrations import history
from integrations.bybit.gateway import Gateway
from integrations.bybit.simulator.server import Simulator
from integrations.bybit.streams import Event, Message, public_feed
from market import gaps
from market.models import Gap
from market.types import Candle
from tests import plugin
from tests.market.bars import MINUTE, kept
from tests.market.venue import KEY, PAIR, SECRET, Line, pass_minutes, simulator

PAIRS = (PAIR, "BTCUSDT")  # side by side, on one stream
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def venue() -> Iterator[Simulator]:
    with simulator() as running:
        yield running


@pytest.fixture
def exchange(venue: Simulator) -> Gateway:
    return Gateway(venue.url, KEY, SECRET)


class Remembering(queue.Queue[Event]):
    """The feeds' queue, which can play what went through it once more."""

    def __init__(self) -> None:
        super().__init__(20_000)
        self.klines: list[Message] = []

    def put_nowait(self, item: Event) -> None:
        if isinstance(item, Message) and str(item.frame.get("topic")).startswith("kline"):
            self.klines.append(item)
        super().put_nowait(item)


@contextmanager
def ingesting(exchange: Gateway, events: Remembering) -> Iterator[None]:
    """The stream process's reader, and the worker's repairs that it asks for."""
    stopping, wanted = threading.Event(), threading.Event()
    intake = Intake(nudge=lambda _: None, catch_up=wanted.set)

    def repairs() -> None:
        while not stopping.is_set():
            if wanted.wait(0.05):
                wanted.clear()
                try:
                    history.repair_all(exchange, PAIRS)
                except (DatabaseError, InterfaceError):
                    connection.close()
                    wanted.set()

    def in_thread(work: Callable[[], None]) -> threading.Thread:
        def run() -> None:
            try:
                work()
            finally:
                connection.close()

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    threads = [in_thread(repairs), in_thread(lambda: intake.run(events, stopping))]
    try:
        yield
    finally:
        stopping.set()
        for thread in threads:
            thread.join(10)


@contextmanager
def following(port: int, events: Remembering) -> Iterator[None]:
    feed = public_feed(f"ws://127.0.0.1:{port}", PAIRS, events)
    feed.start()
    try:
        yield
    finally:
        feed.stop()


def truth(exchange: Gateway, pair: str) -> list[Candle]:
    """All whole bars that should be there."""
    now = exchange.tick(pair).time
    span = gaps.whole_bars("1", now - history.WARM_MS, now)
    assert span is not None
    return list(exchange.candles(pair, "1", span.start, span.end))


def until_true_to(exchange: Gateway, seconds: float = 40) -> None:
    """Wait until the table holds the exchange's bars, each once; what is older may be there too."""
    deadline = time.monotonic() + seconds
    for pair in PAIRS:
        wanted = truth(exchange, pair)
        while (found := _since(wanted[0].time, pair)) != wanted:
            if time.monotonic() > deadline:
                assert found == wanted
            time.sleep(0.1)


def _since(start: int, pair: str) -> list[Candle]:
    try:
        return [bar for bar in kept(pair) if bar.closed and bar.time >= start]
    except (DatabaseError, InterfaceError):
        connection.close()
        return []


def test_a_stream_that_is_away_for_a_quarter_of_an_hour(
    venue: Simulator, exchange: Gateway
) -> None:
    events = Remembering()
    with ingesting(exchange, events):
        with following(venue.port, events):
            until_true_to(exchange)  # warm start: a day of history before the first minute
            pass_minutes(venue, 4)
            until_true_to(exchange)
        pass_minutes(venue, 15)
        with following(venue.port, events):
            until_true_to(exchange)
            pass_minutes(venue, 3)
            until_true_to(exchange)
            replay(events)
            until_true_to(exchange)
    assert not Gap.objects.exists()


def replay(events: Remembering) -> None:
    """All frames once more, in any order, some twice: late, duplicate, out of order."""
    dice = random.Random(7)
    frames = [*events.klines, *dice.sample(events.klines, len(events.klines) // 2)]
    dice.shuffle(frames)
    for frame in frames:
        events.put(frame)
    while not events.empty():
        time.sleep(0.05)


def test_a_line_that_is_cut(venue: Simulator, exchange: Gateway) -> None:
    line, events = Line(venue.port), Remembering()
    try:
        with ingesting(exchange, events), following(line.port, events):
            until_true_to(exchange)
            line.cut()
            pass_minutes(venue, 15)
            line.mend()
            until_true_to(exchange)
            pass_minutes(venue, 2)
            until_true_to(exchange)
    finally:
        line.close()


def test_a_database_that_restarts(venue: Simulator, exchange: Gateway) -> None:
    events = Remembering()
    with ingesting(exchange, events), following(venue.port, events):
        until_true_to(exchange)
        pass_minutes(venue, 2)
        trading = threading.Thread(target=pass_minutes, args=[venue, 15])
        trading.start()
        plugin.restart("postgres")
        trading.join()
        pass_minutes(venue, 2)
        connection.close()
        until_true_to(exchange)


def test_bars_that_the_exchange_never_had_are_known_to_be_absent(
    venue: Simulator, exchange: Gateway
) -> None:
    start = venue.venue.now // MINUTE * MINUTE - 40 * MINUTE
    hole = gaps.Span(start, start + 4 * MINUTE)

    class Forgetful:
        """The exchange without five of its minutes."""

        def tick(self, symbol: str) -> object:
            return exchange.tick(symbol)

        def candles(self, symbol: str, interval: str, start: int, end: int) -> list[Candle]:
            bars = exchange.candles(symbol, interval, start, end)
            return [bar for bar in bars if not hole.start <= bar.time <= hole.end]

    found = history.repair(Forgetful(), PAIR)  # type: ignore[arg-type]
    assert (found.missing, found.left) == (25 * 60, 0)
    (gap,) = Gap.objects.all()
    assert (gap.bars, gap.absent) == (5, True)
    assert history.repair(exchange, PAIR) == history.Repaired(5, 0)
    assert not Gap.objects.exists()
