"""Prices as functions of time: recorded bars come back, loops do not jump, history agrees."""

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.bybit.simulator.bars import Bars, bar_end, bar_start
from integrations.bybit.simulator.market import Market
from integrations.bybit.simulator.pairs import load_pairs
from integrations.bybit.simulator.path import CandlePath, MarkedPath, between
from market.types import Candle

PAIR = load_pairs()["BTCUSDT"]
MINUTE = 60_000
HOUR = 60 * MINUTE
START = 1_735_732_800_000  # 2025-01-01T12:00Z


def candle(number, prices, volume="10", turnover="970000"):
    return Candle("BTCUSDT", "1", START + number * MINUTE, *map(Decimal, prices),
                  Decimal(volume), Decimal(turnover))  # fmt: skip


CANDLES = [
    candle(0, ("97000", "97050", "96990", "97020")),
    candle(1, ("97021", "97021", "96900", "96900.5")),
    candle(2, ("96900.5", "97111.11", "96900.5", "97100")),
]


def looping(candles=CANDLES):
    return CandlePath(PAIR, candles, MINUTE, START)


def price(path, time):
    return PAIR.price(path.at(time))


def test_a_bar_computed_from_the_path_is_the_recorded_one():
    bars, now = Bars(looping()), START + HOUR
    for recorded in CANDLES:
        bar = bars.bar(recorded.time, recorded.time + MINUTE, now)
        assert [PAIR.price(ticks) for ticks in (bar.open, bar.high, bar.low, bar.close)] == [
            recorded.open, recorded.high, recorded.low, recorded.close,
        ]  # fmt: skip
        assert (bar.volume, bar.turnover) == (recorded.volume, recorded.turnover)


def test_points_are_spread_evenly_over_the_bar():
    path = looping()
    corners = list(path.corners(START - 1, START + MINUTE))
    assert [time - START for time, _ in corners] == [0, 20_000, 40_000, 59_999]
    assert price(path, START + 10_000) == Decimal(96995)  # half way from 97000 to 96990


def test_starting_over_shifts_time_and_multiplies_price_so_that_nothing_jumps():
    path = looping()
    end = START + 3 * MINUTE
    assert price(path, end - 1) == price(path, end) == Decimal(97100)
    grown = Decimal(97100) / Decimal(97000)
    assert price(path, end + MINUTE - 1) == PAIR.instrument.price(Decimal(97020) * grown)
    assert (path.loops(end - 1), path.loops(end)) == (0, 1)


def test_the_past_before_the_tape_continues_it_without_a_jump():
    path = looping()
    assert abs(path.at(START - 1) - path.at(START)) <= 1
    for before, after in pairwise(path.corners(START - 10 * MINUTE, START + 10 * MINUTE)):
        assert before[0] < after[0]


def test_volume_adds_up_over_bars_and_loops():
    path = looping()
    assert path.traded(START, START + 3 * MINUTE)[0] == 30
    assert path.traded(START - 3 * MINUTE, START + 6 * MINUTE)[0] == 90
    assert path.traded(START + 15_000, START + 30_000)[0] == Decimal("2.5")


def test_a_gap_in_the_recording_is_a_straight_way_without_volume():
    path = looping([CANDLES[0], replace(CANDLES[1], time=START + 5 * MINUTE)])
    assert path.traded(START, START + 5 * MINUTE)[0] == 10
    middle = price(path, START + 3 * MINUTE)
    assert Decimal(97020) <= middle <= Decimal(97021)


def test_marks_leave_the_past_alone_and_hold_the_last_price():
    marked = MarkedPath(looping())
    now = START + MINUTE
    before = marked.at(now - 1)
    marked.mark(now, now + 10_000, PAIR.ticks(Decimal(95000)))
    assert marked.at(now - 1) == before
    assert price(marked, now) == Decimal(97021)
    assert price(marked, now + 5_000) == Decimal("96010.5")
    assert price(marked, now + HOUR) == 95000
    marked.mark(now + 20_000, now + 30_000, PAIR.ticks(Decimal(96000)))
    assert price(marked, now + 20_000) == 95000
    assert price(marked, now + 25_000) == 95500


@pytest.mark.parametrize(
    ("interval", "time", "start", "end"),
    [
        ("5", START + 7 * MINUTE, START + 5 * MINUTE, START + 10 * MINUTE),
        ("D", START, START - 12 * HOUR, START + 12 * HOUR),
        ("W", START, START - 60 * HOUR, START + 108 * HOUR),  # Monday 30 December 2024
        ("M", START, START - 12 * HOUR, START + (31 * 24 - 12) * HOUR),
    ],
)
def test_bars_begin_where_bybits_do(interval, time, start, end):
    assert bar_start(interval, time) == start
    assert bar_end(interval, start) == end


@settings(deadline=None)
@given(st.integers(-10, 40), st.sampled_from(["3", "5", "120", "D"]))
def test_a_long_bar_is_the_sum_of_its_minutes(minute, interval):
    bars, now = Bars(looping()), START + 40 * MINUTE
    start = bar_start(interval, START + minute * MINUTE)
    end = bar_end(interval, start)
    whole = bars.bar(start, end, now)
    parts = [bars.bar(at, at + MINUTE, now) for at in range(start, min(end, now + 1), MINUTE)]
    assert (whole.open, whole.close) == (parts[0].open, parts[-1].close)
    assert whole.high == max(part.high for part in parts)
    assert whole.low == min(part.low for part in parts)
    assert whole.volume == sum(part.volume for part in parts)


@given(st.integers(0, 10**6), st.integers(-(10**6), 10**6), st.integers(1, 10**6), st.data())
def test_interpolation_stays_between_its_ends(first, rise, span, data):
    time = data.draw(st.integers(0, span))
    low, high = sorted([first, first + rise])
    assert low <= between((0, first), (span, first + rise), time) <= high


@given(st.lists(st.integers(1, 9 * MINUTE), min_size=1, max_size=10))
def test_the_tickers_day_agrees_with_a_fresh_look(steps):
    path = looping()
    moving = Market(PAIR, path, START)
    for step in steps:
        moving.move(moving.ahead(moving.now + step))
    assert moving.day() == Market(PAIR, path, moving.now).day()
