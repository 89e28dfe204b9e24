"""Feeds against a server that restarts, falls silent, refuses and talks nonsense."""

import contextlib
import json
import logging
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from integrations.bybit.connection import Connection, NotConnected
from integrations.bybit.streams import (
    PRIVATE_TOPICS,
    Connected,
    Disconnected,
    Event,
    Feed,
    Limits,
    Message,
    private_feed,
    public_feed,
    public_topics,
)
from tests.bybit.conftest import KEY, SECRET
from tests.bybit.fake_stream import FakeStream, fake_stream
from tests.rig.waiting import until

FAST = Limits(
    silence=1.0, pong_is_life=True, ping=0.3, answer=1.0, first_delay=0.05, longest_delay=0.3
)


@pytest.fixture
def server() -> Iterator[FakeStream]:
    with fake_stream(KEY, SECRET) as fake:
        yield fake


@pytest.fixture
def running() -> Iterator[Callable[[Feed], Feed]]:
    with contextlib.ExitStack() as stack:

        def run(feed: Feed) -> Feed:
            stack.callback(feed.stop)
            feed.start()
            return feed

        yield run


def private(server: FakeStream, out: "queue.Queue[Event]", limits: Limits = FAST) -> Feed:
    return Feed(
        "private",
        lambda hear: Connection("private", server.url, hear, KEY, SECRET),
        PRIVATE_TOPICS,
        out,
        limits,
        login=True,
    )


def public(server: FakeStream, out: "queue.Queue[Event]", limits: Limits) -> Feed:
    topics = public_topics(["BTCUSDT", "DOGEUSDT", "MNTUSDT"])
    return Feed("public", lambda hear: Connection("spot", server.url, hear), topics, out, limits)


def the_next(out: "queue.Queue[Event]", kind: type, timeout: float = 10.0) -> Event:
    """The next event of a kind; others are passed over."""
    deadline = time.monotonic() + timeout
    while True:
        event = out.get(timeout=max(deadline - time.monotonic(), 0.001))
        if isinstance(event, kind):
            return event


def order_frame(number: int) -> dict[str, object]:
    return {"id": str(number), "topic": "order", "creationTime": 1, "data": [{"n": number}]}


Run = Callable[[Feed], Feed]


def test_a_private_feed_logs_in_subscribes_once_and_enqueues(
    server: FakeStream, running: Run
) -> None:
    out: queue.Queue[Event] = queue.Queue()
    running(private(server, out))
    assert the_next(out, Connected) == Connected("private")
    assert server.paths == ["/v5/private"]
    assert server.subscriptions == [["order", "execution", "wallet"]]
    expires = server.logins[0]["args"][1]
    assert 5_000 < expires - time.time() * 1000 <= 10_000
    server.send(order_frame(1))
    message = the_next(out, Message)
    assert isinstance(message, Message)
    assert (message.feed, message.frame) == ("private", order_frame(1))
    assert 0 <= time.monotonic() - message.heard < 5


def test_a_feed_follows_other_topics_on_a_new_connection(server: FakeStream, running: Run) -> None:
    out: queue.Queue[Event] = queue.Queue()
    feed = running(private(server, out))
    the_next(out, Connected)
    feed.follow(PRIVATE_TOPICS)
    feed.follow(["order", "wallet"])
    gone = the_next(out, Disconnected)
    assert isinstance(gone, Disconnected)
    assert gone.why == "other topics are wanted"
    the_next(out, Connected)
    assert server.subscriptions == [["order", "execution", "wallet"], ["order", "wallet"]]


def test_a_public_feed_sends_ten_topics_at_most_and_no_login(
    server: FakeStream, running: Run
) -> None:
    out: queue.Queue[Event] = queue.Queue()
    server.push_every = 0.1
    running(public(server, out, replace(FAST, pong_is_life=False)))
    the_next(out, Connected)
    assert server.paths == ["/v5/public/spot"]
    assert [len(args) for args in server.subscriptions] == [10, 2]
    assert sorted(topic for args in server.subscriptions for topic in args) == sorted(
        f"{kind}.{symbol}"
        for kind in ("orderbook.1", "publicTrade", "kline.1", "tickers")
        for symbol in ("BTCUSDT", "DOGEUSDT", "MNTUSDT")
    )
    assert server.logins == []


def test_a_quiet_private_stream_stays_up_by_its_pongs(server: FakeStream, running: Run) -> None:
    out: queue.Queue[Event] = queue.Queue()
    running(private(server, out))
    the_next(out, Connected)
    with pytest.raises(queue.Empty):
        the_next(out, Disconnected, timeout=2.5)
    assert len(server.connects) == 1


@pytest.mark.parametrize("how", ["abort", "close"])
def test_a_lost_connection_is_told_and_made_again(
    server: FakeStream, running: Run, how: str
) -> None:
    out: queue.Queue[Event] = queue.Queue()
    running(private(server, out))
    the_next(out, Connected)
    getattr(server, how)()
    assert isinstance(the_next(out, Disconnected, 2), Disconnected)
    the_next(out, Connected, 3)
    server.send(order_frame(2))
    the_next(out, Message)


def test_a_restart_of_three_seconds_is_survived(server: FakeStream, running: Run) -> None:
    out: queue.Queue[Event] = queue.Queue()
    running(private(server, out))
    the_next(out, Connected)
    server.stop()
    gone = time.monotonic()
    refused = []
    while time.monotonic() - gone < 3:
        event = the_next(out, Disconnected)
        assert isinstance(event, Disconnected)
        refused.append(event.why)
    server.start()
    the_next(out, Connected, 3)
    assert any("refused" in why for why in refused)
    assert 5 < len(refused) < 40, "neither asleep nor in a hot loop"


def test_a_half_open_private_connection_is_noticed(server: FakeStream, running: Run) -> None:
    out: queue.Queue[Event] = queue.Queue()
    running(private(server, out))
    the_next(out, Connected)
    server.answer_pings = False
    event = the_next(out, Disconnected, 3)
    assert isinstance(event, Disconnected)
    assert "nothing heard" in event.why
    server.answer_pings = True
    the_next(out, Connected, 3)


def test_a_public_stream_without_prices_is_noticed_although_pings_are_answered(
    server: FakeStream, running: Run
) -> None:
    out: queue.Queue[Event] = queue.Queue()
    server.push_every = 0.1
    running(public(server, out, replace(FAST, pong_is_life=False)))
    the_next(out, Message)
    server.push_every = None
    event = the_next(out, Disconnected, 3)
    assert isinstance(event, Disconnected)
    assert "nothing heard for 1 s" in event.why


def test_a_topic_that_falls_silent_alone_is_noticed_although_others_speak(
    server: FakeStream, running: Run
) -> None:
    out: queue.Queue[Event] = queue.Queue()
    server.push_every = 0.1
    running(public(server, out, replace(FAST, pong_is_life=False)))
    the_next(out, Message)
    dead = server.push.pop()
    event = the_next(out, Disconnected, 3)
    assert isinstance(event, Disconnected)
    assert f"nothing heard of {dead} for 1 s" in event.why


def test_a_refused_login_is_told_and_tried_again(
    server: FakeStream, running: Run, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    out: queue.Queue[Event] = queue.Queue()
    server.refuse_login = True
    running(private(server, out))
    for _ in range(3):
        event = the_next(out, Disconnected)
        assert isinstance(event, Disconnected)
        assert "login was refused: error:USVC1111" in event.why
    server.refuse_login = False
    the_next(out, Connected)
    assert SECRET not in caplog.text
    assert KEY not in caplog.text
    assert all(login["args"][2] not in caplog.text for login in server.logins)


def test_a_refused_subscription_is_told_and_tried_again(server: FakeStream, running: Run) -> None:
    out: queue.Queue[Event] = queue.Queue()
    server.refuse_subscription = True
    running(private(server, out))
    event = the_next(out, Disconnected)
    assert isinstance(event, Disconnected)
    assert "subscription was refused: handler not found" in event.why
    server.refuse_subscription = False
    the_next(out, Connected)


def test_an_unanswered_subscription_is_not_taken_for_a_yes(
    server: FakeStream, running: Run
) -> None:
    out: queue.Queue[Event] = queue.Queue()
    server.answer_subscriptions = False
    running(private(server, out))
    event = the_next(out, Disconnected)
    assert isinstance(event, Disconnected)
    assert "no answer" in event.why


@pytest.mark.parametrize("nonsense", ["not json", "[1]", "null", '"text"', "[" * 100_000])
def test_a_frame_that_cannot_be_read_leads_to_a_fresh_connection(
    server: FakeStream, running: Run, nonsense: str
) -> None:
    out: queue.Queue[Event] = queue.Queue()
    running(private(server, out))
    the_next(out, Connected)
    server.send(nonsense)
    the_next(out, Disconnected)
    the_next(out, Connected)


@pytest.mark.parametrize(
    "frame",
    [
        {"topic": "never.heard.of", "data": None},
        {"topic": "order"},
        {"op": "whatever"},
        {"op": "subscribe", "success": False, "ret_msg": "late"},
        {"success": True, "ret_msg": "pong", "conn_id": "c", "op": "ping"},
        {},
    ],
)
def test_strange_frames_do_no_harm(
    server: FakeStream, running: Run, frame: dict[str, object]
) -> None:
    out: queue.Queue[Event] = queue.Queue()
    running(private(server, out))
    the_next(out, Connected)
    server.send(frame)
    server.send(order_frame(9))
    until(lambda: the_next(out, Message).frame == order_frame(9))  # type: ignore[union-attr]
    assert len(server.connects) == 1


def test_connects_are_bounded(server: FakeStream, running: Run) -> None:
    out: queue.Queue[Event] = queue.Queue()
    server.close_after_subscription = True
    few = replace(FAST, connects=5, connects_within=2.0, first_delay=0.01, longest_delay=0.02)
    running(private(server, out, few))
    until(lambda: len(server.connects) >= 8, 15)
    for first, sixth in zip(server.connects, server.connects[5:], strict=False):
        assert sixth - first > 1.8


def test_a_full_queue_ends_the_connection_but_not_the_feed(
    server: FakeStream, running: Run
) -> None:
    out: queue.Queue[Event] = queue.Queue(maxsize=3)
    feed = running(private(server, out))
    the_next(out, Connected)
    for number in range(10):
        server.send(order_frame(number))
    until(feed._overrun.is_set)  # nobody empties the queue before one message found no room
    event = the_next(out, Disconnected)
    assert isinstance(event, Disconnected)
    assert "too slow" in event.why
    the_next(out, Connected)


def test_a_feed_stops_cleanly_in_any_state(server: FakeStream) -> None:
    out: queue.Queue[Event] = queue.Queue()
    before = threading.active_count()
    connected = private(server, out)
    connected.start()
    the_next(out, Connected)
    began = time.monotonic()
    connected.stop()
    assert not connected.is_running
    assert the_next(out, Disconnected) == Disconnected("private", "stopped")
    server.stop()
    trying = private(server, out)
    trying.start()
    the_next(out, Disconnected)
    trying.stop()
    assert not trying.is_running
    assert time.monotonic() - began < 6
    until(lambda: threading.active_count() <= before)


def test_a_server_that_accepts_and_says_nothing_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("integrations.bybit.connection.HANDSHAKE_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        origin = f"ws://127.0.0.1:{mute.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(NotConnected):
            Connection("spot", origin, lambda _: None)
        assert time.monotonic() - began < 4


def test_a_connection_hides_its_secret(server: FakeStream) -> None:
    connection = Connection("private", server.url, lambda _: None, KEY, SECRET)
    try:
        connection.log_in_acknowledged(5)
        assert SECRET not in repr(connection)
        assert KEY not in repr(connection)
    finally:
        connection.leave()


def test_the_ready_made_feeds_follow_the_rules(server: FakeStream, running: Run) -> None:
    out: queue.Queue[Event] = queue.Queue()
    running(private_feed(server.url, KEY, SECRET, out))
    the_next(out, Connected)
    running(public_feed(server.url, ["BTCUSDT"], out))
    the_next(out, Connected)
    assert sorted(server.paths) == ["/v5/private", "/v5/public/spot"]
    assert json.dumps(server.subscriptions).count("BTCUSDT") == 4
