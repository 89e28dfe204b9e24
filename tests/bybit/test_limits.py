"""Rate limits: never more than Bybit allows, shared by processes, cancels first, bans kept."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from django.conf import settings

from gridtrader import folder
from gridtrader.services import Redis
from integrations.bybit import buckets, limits
from integrations.bybit.buckets import ADDRESS_BUT_CANCELS, BAN_S, PROBE_S
from integrations.bybit.gateway import Gateway
from integrations.bybit.limits import Limits, limits_of
from integrations.bybit.session import Outcome
from market.exchange import ExchangeError, NotSent, RateLimited, Unresolved
from market.types import OrderRequest, Side, decimal
from tests.bybit.conftest import KEY, SECRET
from tests.bybit.fake_rest import FakeRest, dropped, ok, page, raw, refused

REALTIME_PATH = "/v5/order/realtime"
CREATE, CANCEL, REALTIME = "place_order", "cancel_order", "get_open_orders"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def host(request: pytest.FixtureRequest) -> str:
    """An address of this test's own, so that tests do not use up each other's limits."""
    return f"http://{request.node.nodeid}-{time.time_ns()}"


@pytest.fixture(params=["shared", "local"])
def make(request: pytest.FixtureRequest, host: str) -> Callable[..., Limits]:
    """Limits in Redis, and of a process that is alone: both must keep the same promises."""
    url = settings.REDIS_URL if request.param == "shared" else None

    def limits_with(**how: float) -> Limits:
        return limits_of(host, KEY, url, **how)

    return limits_with


def taken(of: Limits, endpoint: str, seconds: float = 0.0) -> int:
    """How many turns there are at once, or within some seconds."""
    end, count = time.monotonic() + seconds, 0
    while True:
        try:
            of.turn([endpoint], by=end if seconds else time.monotonic() + 0.001)
        except NotSent:
            return count
        count += 1


@pytest.mark.parametrize(
    ("endpoint", "at_once"),
    [(CREATE, 16), (CANCEL, 18), (REALTIME, 40), ("get_fee_rates", 4), ("get_unheard_of", 40)],
)
def test_four_fifths_of_each_limit_at_once_and_no_more(
    make: Callable[..., Limits], endpoint: str, at_once: int
) -> None:
    assert taken(make(), endpoint) == at_once


def test_no_window_ever_holds_more_than_its_share(make: Callable[..., Limits]) -> None:
    some, stamps = make(window=0.2), []
    end = time.monotonic() + 0.9
    while time.monotonic() < end:
        some.turn([CREATE])
        stamps.append(time.monotonic())
    assert len(stamps) >= 16 * 4
    for first, seventeenth in zip(stamps, stamps[16:], strict=False):
        assert seventeenth - first >= 0.19


def test_a_batch_costs_one_for_each_order_and_is_given_what_there_is(
    make: Callable[..., Limits],
) -> None:
    some = make()
    both = ["place_batch_order", CREATE]
    assert some.turn(both, 10) == ("place_batch_order", 10, False)
    assert some.turn(both, 10) == ("place_batch_order", 6, False)
    assert some.turn(both, 10) == (CREATE, 1, False), "singles go on where batches are used up"


def test_who_would_wait_too_long_is_told_at_once_that_nothing_was_sent(
    make: Callable[..., Limits],
) -> None:
    some = make(turn=0.3)
    assert taken(some, CREATE) == 16
    began = time.monotonic()
    with pytest.raises(NotSent) as caught:
        some.turn([CREATE])
    assert time.monotonic() - began < 0.25
    assert isinstance(caught.value, RateLimited)
    assert 500 < caught.value.until_ms - time.time() * 1000 < 1_100


def test_a_turn_past_its_time_is_none(make: Callable[..., Limits]) -> None:
    with pytest.raises(NotSent):
        make().turn([CREATE], by=time.monotonic() - 0.001)


def test_cancels_never_wait_behind_anything_else(make: Callable[..., Limits]) -> None:
    some = make()
    assert taken(some, "get_tickers") == ADDRESS_BUT_CANCELS
    assert taken(some, CREATE) == 0
    assert taken(some, CANCEL) == 16


def test_cancels_are_not_braked_before_they_are_refused(make: Callable[..., Limits]) -> None:
    some = make()
    some.heard(CANCEL, limit=20, remaining=0)
    began = time.monotonic()
    some.turn([CANCEL])
    assert time.monotonic() - began < 0.2


def test_an_answer_with_little_left_is_a_brake(make: Callable[..., Limits]) -> None:
    some = make(window=0.5)
    some.heard(CREATE, limit=20, remaining=4)
    assert taken(some, CREATE) == 16
    time.sleep(0.5)
    some.heard(CREATE, limit=20, remaining=0)
    assert taken(some, CREATE) == 0
    assert taken(some, CANCEL) == 18
    began = time.monotonic()
    some.turn([CREATE])
    assert 0.3 < time.monotonic() - began < 0.8


def test_a_ban_lets_one_cancel_a_minute_through(make: Callable[..., Limits]) -> None:
    some = make()
    some.banned()
    for endpoint in (CREATE, REALTIME, CANCEL):
        with pytest.raises(NotSent) as caught:
            some.turn([endpoint])
        wait = caught.value.until_ms / 1000 - time.time()
        assert (PROBE_S if endpoint == CANCEL else BAN_S) - 2 < wait < BAN_S + 1


def test_a_probe_is_one_cancel_and_frees_the_next_when_it_is_answered(
    make: Callable[..., Limits], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buckets, "PROBE_S", 0.3)
    some = make(turn=1.0)
    some.banned()
    assert some.turn(["cancel_batch_order"], 10) == ("cancel_batch_order", 1, True)
    assert taken(some, CANCEL) == 0
    some.probe_answered()
    assert some.turn([CANCEL]).is_probe
    with pytest.raises(NotSent):
        some.turn([CREATE])


def test_a_ban_is_known_to_all_processes_and_outlives_redis(host: str) -> None:
    one, other = (limits_of(host, KEY, settings.REDIS_URL) for _ in range(2))
    one.banned()
    with pytest.raises(NotSent):
        other.turn([CREATE])
    keys = list(redis.Redis.from_url(settings.REDIS_URL).scan_iter("gridtrader:limits:*"))
    assert keys
    assert not [key for key in keys if KEY.encode() in key]
    one._away_until = time.monotonic() + 60
    one._turn_over("away")
    with pytest.raises(NotSent) as caught:
        one.turn([CREATE])
    assert caught.value.until_ms / 1000 - time.time() > 1


SCRIPT = """
import sys, time
from integrations.bybit.limits import limits_of
from market.exchange import NotSent
some, end = limits_of(sys.argv[1], "key", sys.argv[2]), time.monotonic() + 2.5
while True:
    try:
        some.turn(["place_order"], by=end)
    except NotSent:
        break
    print(time.clock_gettime(time.CLOCK_MONOTONIC), flush=True)
"""


def test_two_processes_share_one_bucket(host: str) -> None:
    command = [sys.executable, "-c", SCRIPT, host, settings.REDIS_URL]
    both = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    lines = [process.communicate(timeout=60)[0].split() for process in both]
    stamps = sorted(float(line) for each in lines for line in each)
    assert all(lines), "both got some"
    assert len(stamps) >= 32
    for first, later in zip(stamps, stamps[20:], strict=False):
        assert later - first > 1.0, "more than Bybit's 20 in a second"


def test_threads_share_the_local_bucket(host: str) -> None:
    some, counts = limits_of(host, KEY), []
    threads = [
        threading.Thread(target=lambda: counts.append(taken(some, CREATE))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 16


class OwnRedis:
    """A Redis of this test alone, to be killed and started again."""

    def __init__(self, home: Path) -> None:
        self.server = Redis(home, folder.port_of(home, Redis.name))
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.server.prepare()
        self.process = subprocess.Popen(self.server.argv())
        end = time.monotonic() + 10
        while not self.server.ready():
            assert time.monotonic() < end
            time.sleep(0.02)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    server = OwnRedis(tmp_path)
    server.start()
    yield server
    server.kill()


def test_without_redis_a_share_is_used_until_it_is_back(
    host: str, own_redis: OwnRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "REDIS_AWAY_S", 0.2)
    some = limits_of(host, KEY, own_redis.server.url, window=0.5)
    assert taken(some, CREATE) == 16
    own_redis.kill()
    assert taken(some, CANCEL) == 18 // limits.PROCESSES, "cancels go on at once"
    assert taken(some, CREATE) == 0, "what was spent lately is not known here"
    time.sleep(0.55)
    assert taken(some, CREATE) == 16 // limits.PROCESSES
    own_redis.start()
    time.sleep(0.25)
    taken(some, CANCEL)
    assert taken(some, CREATE) == 0
    time.sleep(0.55)
    assert taken(some, CREATE) == 16


def test_a_redis_that_does_not_answer_costs_no_more_than_its_timeout(host: str) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        some = limits_of(host, KEY, f"redis://127.0.0.1:{deaf.getsockname()[1]}")
        began = time.monotonic()
        some.turn([CANCEL])
        some.turn([CANCEL])
        assert time.monotonic() - began < buckets.REDIS_TIMEOUT_S + 0.3


# Through the gateway, over sockets

REQUEST = OrderRequest("g1-3-0-B-1", "PEPEUSDT", Side.BUY, decimal("0.00000416"), decimal("1E+6"))


def test_nothing_is_sent_beyond_the_limit(bybit: FakeRest) -> None:
    gateway = Gateway(bybit.url, KEY, SECRET, limits=limits_of(bybit.url, KEY, turn=0.01))
    bybit.on("/v5/order/create", ok({"orderId": "1", "orderLinkId": "g1-3-0-B-1"}))
    for _ in range(16):
        gateway.place(REQUEST)
    with pytest.raises(NotSent):
        gateway.place(REQUEST)
    assert len(bybit.asked) == 16


def test_http_403_shuts_all_gateways_of_the_address_up(bybit: FakeRest) -> None:
    one, other = (
        Gateway(bybit.url, KEY, SECRET, limits=limits_of(bybit.url, KEY, settings.REDIS_URL))
        for _ in range(2)
    )
    bybit.on(REALTIME_PATH, raw("access too frequent", 403))
    with pytest.raises(RateLimited):
        one.open_orders()
    for _ in range(3):
        with pytest.raises(NotSent):
            other.open_orders()
        with pytest.raises(NotSent):
            other.place(REQUEST)
    assert len(bybit.asked) == 1


def test_10006_rests_its_own_pool_until_the_reset_and_nothing_else(bybit: FakeRest) -> None:
    gateway = Gateway(bybit.url, KEY, SECRET)
    reset = {"X-Bapi-Limit-Reset-Timestamp": str(int(time.time() * 1000) + 400)}
    bybit.on(
        "/v5/order/create",
        refused(10006, "", reset),
        ok({"orderId": "1", "orderLinkId": "g1-3-0-B-1"}),
    )
    bybit.on("/v5/order/cancel", ok({"orderId": "1"}))
    with pytest.raises(RateLimited):
        gateway.place(REQUEST)
    began = time.monotonic()
    gateway.cancel("PEPEUSDT", "g1-3-0-B-1")
    assert time.monotonic() - began < 0.25
    gateway.place(REQUEST)
    assert time.monotonic() - began > 0.25


def test_every_request_is_counted_by_what_came_of_it(bybit: FakeRest) -> None:
    heard: list[tuple[str, Outcome, int | None]] = []
    gateway = Gateway(bybit.url, KEY, SECRET, told=lambda *what: heard.append(what))
    bybit.on(
        "/v5/order/create",
        ok({"orderId": "1", "orderLinkId": "g1-3-0-B-1"}),
        refused(170131), refused(10006), refused(10016), dropped, raw("<html>", 502),
    )  # fmt: skip
    bybit.on(REALTIME_PATH, dropped, page())
    gateway.place(REQUEST)
    for _ in range(5):
        with pytest.raises(ExchangeError):
            gateway.place(REQUEST)
    gateway.open_orders()
    assert [(outcome.name, code) for method, outcome, code in heard if method == "place_order"] == [
        ("OK", 0), ("REFUSED", 170131), ("LIMITED", 10006), ("FAILED", 10016), ("FAILED", None),
        ("FAILED", None),
    ]  # fmt: skip
    assert heard[6:] == [("get_open_orders", Outcome.OK, 0)], "a read counts once, by its last try"


def test_a_connection_that_cannot_be_made_is_told_apart(bybit: FakeRest) -> None:
    heard: list[tuple[str, Outcome, int | None]] = []
    nobody = Gateway(  # nobody listens on port 1
        "http://127.0.0.1:1", KEY, SECRET, told=lambda *what: heard.append(what)
    )
    with pytest.raises(Unresolved):
        nobody.open_orders()
    with pytest.raises(Unresolved):
        nobody.place(REQUEST)
    gateway = Gateway(bybit.url, KEY, SECRET, told=lambda *what: heard.append(what))
    bybit.on("/v5/order/create", dropped)
    with pytest.raises(Unresolved):
        gateway.place(REQUEST)
    assert [outcome.name for _, outcome, _ in heard] == ["UNREACHED", "UNREACHED", "FAILED"]


def test_a_read_that_fails_for_good_counts_once(bybit: FakeRest) -> None:
    heard: list[Outcome] = []
    gateway = Gateway(bybit.url, KEY, SECRET, told=lambda _, outcome, __: heard.append(outcome))
    bybit.on(REALTIME_PATH, dropped, dropped, dropped)
    with pytest.raises(ExchangeError):
        gateway.open_orders()
    assert heard == [Outcome.FAILED]
