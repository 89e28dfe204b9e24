"""What recorded prices would have given: our own record first, else a tape, else nothing; told."""

import itertools
from dataclasses import replace
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bots.backtest import tapes
from bots.backtest.hindsight import ENOUGH_BARS, look_back, record_of
from bots.backtest.replay import replay
from bots.grid.levels import GridSpec
from bots.grid.outcome import Plan
from market.candlefile import CandleFile
from market.models import Candle as Bar
from market.types import Candle, moment
from tests.grid.examples import BTC

D = Decimal
MINUTE = 60_000
START = 1_700_000_000_000 // MINUTE * MINUTE
PLAN = Plan(GridSpec(D(95500), D(98500), 6, D(25000)), replace(BTC, lot=D("0.000001")))
UNKNOWN = replace(PLAN, instrument=replace(BTC, symbol="XYZUSDT"))

pytestmark = pytest.mark.django_db


def record(count: int, symbol: str = "BTCUSDT") -> list[Candle]:
    """Minutes that swing between 96,400 and 97,600, kept as our own."""
    turns = [97000, 97300, 97600, 97300, 97000, 96700, 96400, 96700]
    closes = [D(turns[i % len(turns)]) for i in range(count + 1)]
    found = [
        Candle(symbol, "1", START + i * MINUTE, was, max(was, now), min(was, now), now, D(1), D(1))
        for i, (was, now) in enumerate(itertools.pairwise(closes))
    ]
    Bar.objects.bulk_create(
        Bar(
            symbol=symbol, interval="1", time=moment(bar.time), open=bar.open, high=bar.high,
            low=bar.low, close=bar.close, volume=1, turnover=1, closed=True,
        )
        for bar in found
    )  # fmt: skip
    return found


def test_a_day_of_our_own_is_replayed_as_the_backtest_does() -> None:
    bars = record(ENOUGH_BARS)
    outcome, told = replay(PLAN, bars), look_back(PLAN)
    assert told["source"] == "our own record"
    assert (told["candles"], told["days"]) == (1440, "1")
    assert told["round_trips"] == len(outcome.round_trips) > 100
    assert D(told["grid_profit"]) == outcome.grid_profit.quantize(D("0.01"))
    assert told["profit_per_day"] == told["grid_profit"]
    assert D(told["total_pnl"]) == outcome.total_pnl.quantize(D("0.01"))
    assert told["summary"].startswith(
        f"From 2023-11-14 22:13 to 2023-11-15 22:12 UTC (our own record) it would have made "
        f"{told['round_trips']} round trips, {told['grid_profit']} USDT of grid profit"
    )


def test_with_less_than_a_day_a_bundled_tape_says_more() -> None:
    record(ENOUGH_BARS - 1)
    (tape,) = [name for pair, name in tapes.tapes() if pair == "BTCUSDT"]
    told = look_back(PLAN)
    outcome = replay(PLAN, CandleFile(tapes.TAPES / tape, "BTCUSDT"))
    assert told["source"] == tape
    assert f"(the bundled tape {tape})" in told["summary"]
    assert told["round_trips"] == len(outcome.round_trips) > 0
    assert D(told["total_pnl"]) == outcome.total_pnl.quantize(D("0.01"))


def test_a_short_record_is_better_than_nothing_and_nothing_is_told() -> None:
    told = look_back(UNKNOWN)
    assert (told["source"], told["round_trips"]) == (None, None)
    assert told["summary"].startswith("No prices of XYZUSDT are recorded yet")
    record(59, "XYZUSDT")
    assert look_back(UNKNOWN)["source"] is None, "an hour at the least"
    Bar.objects.all().delete()
    record(60, "XYZUSDT")
    told = look_back(UNKNOWN)
    assert (told["source"], told["candles"]) == ("our own record", 60)


def test_a_stop_loss_that_was_passed_is_told() -> None:
    record(ENOUGH_BARS)
    assert "stop-loss" not in look_back(PLAN, D(95000))["summary"]
    passed = look_back(PLAN, D(96400))["summary"]
    assert "The price fell to 96400: the stop-loss would have ended it there." in passed


def test_a_grid_that_could_not_have_started_then_says_so() -> None:
    record(ENOUGH_BARS)
    poor = replace(PLAN, spec=replace(PLAN.spec, capital=D(31)))
    told = look_back(poor)
    assert told["source"] is None
    assert "could not have started: 31 USDT over 6 grids" in told["summary"]


def test_a_minute_that_is_corrected_or_removed_is_seen_at_once() -> None:
    """The record is kept while it is the same, and is not the same because it ends the same."""
    record(ENOUGH_BARS + 2)
    with CaptureQueriesContext(connection) as first:
        was = record_of("BTCUSDT")
    with CaptureQueriesContext(connection) as again:
        assert record_of("BTCUSDT") == was
    assert len(again) < len(first)
    assert was is not None
    middle = Bar.objects.filter(time=moment(was.bars[700].time))
    middle.update(high=D(99000))
    corrected = record_of("BTCUSDT")
    assert corrected is not None
    assert corrected.bars[700].high == 99000
    middle.delete()
    shorter = record_of("BTCUSDT")
    assert shorter is not None
    assert len(shorter.bars) == len(was.bars) - 1
