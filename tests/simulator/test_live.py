"""Live prices: a simulator whose prices come from another one's public stream."""

import time
from dataclasses import replace
from decimal import Decimal

import pytest

from integrations.bybit.simulator.journal import JournalError
from integrations.bybit.simulator.live import Live, LivePath, Upstream
from integrations.bybit.simulator.pairs import load_pairs
from integrations.bybit.simulator.server import Options
from integrations.bybit.simulator.tape import TapeError
from market.types import Candle
from tests.rig.waiting import until
from tests.simulator.client import Streams, http, limit
from tests.simulator.fixture import KEYS, RunningSimulator

BTC = load_pairs()["BTCUSDT"]


@pytest.fixture
def paper(simulator, tmp_path):
    """A simulator with money of its own and the prices of `simulator`."""
    running = RunningSimulator(
        Options(
            keys=KEYS,
            tape="bybit",
            upstream=Upstream(simulator.rest_url, simulator.ws_url),
            balances={"USDT": Decimal(10_000)},
            state=tmp_path / "live.jsonl",
        )
    )
    running.start()
    simulator.wait_for_topics("publicTrade.BTCUSDT", "orderbook.1.BTCUSDT")
    yield running
    running.stop()


def price(client):
    (row,) = client.get_tickers(category="spot", symbol="BTCUSDT")["result"]["list"]
    return row["lastPrice"]


def test_prices_clock_and_fills_are_the_upstreams_and_the_money_is_not(simulator, paper):
    client = http(paper)
    assert price(client) == "96383.21"
    client.place_order(**limit(orderLinkId="paper"))
    clock = simulator.step({"BTCUSDT": "95990"})["clock"]
    until(lambda: price(client) == "95990")
    assert paper.state()["clock"] == clock
    (fill,) = client.get_executions(category="spot")["result"]["list"]
    assert (fill["execPrice"], fill["orderLinkId"]) == ("96000", "paper")
    assert clock - 60_000 < int(fill["execTime"]) <= clock
    assert simulator.state()["orders"] == []
    assert paper.state()["wallet"]["BTC"]["total"] == "0.00999"
    assert paper.state()["speed"] == 1


def test_filters_and_candles_of_the_past_are_the_upstreams(simulator, paper):
    theirs, ours = (
        http(running).get_kline(category="spot", symbol="BTCUSDT", interval="60", limit=60)
        for running in (simulator, paper)
    )
    prices = [[row[:5] for row in one["result"]["list"][1:]] for one in (theirs, ours)]
    assert prices[0] == prices[1]
    assert len(prices[0]) == 59
    for symbol in ("BTCUSDT", "PEPEUSDT"):
        ask = {"category": "spot", "symbol": symbol}
        rows = [http(running).get_instruments_info(**ask) for running in (simulator, paper)]
        assert rows[0]["result"] == rows[1]["result"]


def test_public_streams_fall_silent_with_the_upstream_and_speak_again(simulator, paper):
    streams = Streams(paper)
    try:
        streams.public.orderbook_stream(1, "BTCUSDT", streams.hear)
        streams.wait(lambda frame: frame["topic"] == "orderbook.1.BTCUSDT")
        simulator.stop()
        until(lambda: not paper.server._live.connected)
        heard = len(streams.frames)
        time.sleep(3.5)  # a book that stands still would be told again after 3 s
        assert len(streams.frames) == heard
        simulator.start()
        simulator.wait_for_topics("publicTrade.BTCUSDT")
        simulator.step({"BTCUSDT": "97000"})
        streams.wait(lambda frame: frame["data"]["b"][0][0] == "96999.99")
    finally:
        streams.close()


def test_what_happened_while_it_was_away_fills_at_its_time(simulator, paper):
    client = http(paper)
    client.place_order(**limit(orderLinkId="away"))
    paper.stop()
    low = simulator.step({"BTCUSDT": "95500"}, seconds=600)["clock"]
    simulator.step({"BTCUSDT": "96500"}, seconds=600)
    paper.start()
    (fill,) = client.get_executions(category="spot")["result"]["list"]
    assert fill["orderLinkId"] == "away"
    assert low - 600_000 < int(fill["execTime"]) < low + 60_000
    assert price(client) == "96500"


def test_a_state_of_a_tape_goes_live_but_time_is_not_turned_back(simulator, tmp_path):
    upstream = Upstream(simulator.rest_url, simulator.ws_url)
    before = RunningSimulator(
        Options(keys=KEYS, tape="synthetic:3", speed=0, state=tmp_path / "state")
    )
    before.start()
    http(before).place_order(**limit(price="90000", qty="0.001"))
    before.stop()
    live = RunningSimulator(replace(before.options, tape="bybit", upstream=upstream))
    live.start()  # the clock of the synthetic tape is behind the upstream's
    assert price(http(live)) == "96383.21"
    assert len(http(live).get_open_orders(category="spot")["result"]["list"]) == 1
    live.stop()
    back = RunningSimulator(replace(before.options, tape="synthetic:3"))
    back.start()
    assert price(http(back)) == "96383.21"
    back.step(seconds=3600)
    back.stop()
    with pytest.raises(JournalError, match="cannot be turned back"):
        live.start()


def test_an_upstream_that_cannot_be_had_is_one_clear_line():
    with pytest.raises(TapeError, match="live prices of http://127"):
        Live(Upstream("http://127.0.0.1:9", "ws://127.0.0.1:9"))


def path(*bars: int) -> LivePath:
    """Candles of a minute that open at the given prices, and close 2 above."""
    candles = []
    for number, opened in enumerate(map(Decimal, bars)):
        four = (opened, opened + 5, opened - 4, opened + 2)
        candles.append(Candle("BTCUSDT", "1", number * 60_000, *four, Decimal(8), Decimal(80)))
    return LivePath(BTC, candles)


def test_a_path_passes_the_corners_of_its_candles_and_then_its_trades():
    here = path(100, 110)
    here.add(130_000, 11_500, (Decimal(1), Decimal(115)))
    here.add(130_000, 11_600)  # at the same moment: its own millisecond
    assert [ticks for _, ticks in here.corners(-1, 120_000)] == [
        10_000, 9_600, 10_500, 10_200, 11_000, 10_600, 11_500, 11_200,
    ]  # fmt: skip
    assert (here.at(129_999), here.at(130_000), here.at(130_001)) == (11_200, 11_500, 11_600)
    assert here.traded(0, 60_000) == (8, 80)
    assert here.traded(60_000, 200_000) == (9, 195)


def test_a_long_path_is_thinned_and_keeps_the_extremes_of_each_minute(monkeypatch):
    monkeypatch.setattr("integrations.bybit.simulator.live.MOST_POINTS", 1_000)
    here, all_ticks = path(100), []
    for number in range(3_000):
        all_ticks.append(10_000 + number * 7919 % 997)
        here.add(60_000 + number * 100, all_ticks[-1], (Decimal(1), Decimal(2)))
    assert len(here._times) <= 1_000
    assert here.traded(60_000, 10**9) == (3_000, 6_000)
    for minute in range(1, 6):
        points = all_ticks[(minute - 1) * 600 : minute * 600]
        kept = [ticks for _, ticks in here.corners(minute * 60_000 - 1, minute * 60_000 + 59_999)]
        assert (max(kept), min(kept)) == (max(points), min(points))
