"""Whatever comes, in whatever order and however often: one correct row per bar."""

import random
from decimal import Decimal

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from market.forming import Forming
from market.ingest import record_prices
from market.merge import BATCH, COPY_FROM, record_candles
from market.models import Candle as Row
from market.models import RefusedBars
from market.sieve import SLACK_MS, Window
from market.types import Candle, Tick
from tests.market.bars import MINUTE, NOON, bar, bars, kept
from tests.thorough import examples

D = Decimal
NAN, INFINITE = D("NaN"), D("Infinity")
pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("count", [1, COPY_FROM - 1, COPY_FROM, BATCH + 3])
def test_bars_come_back_to_the_last_digit(count: int) -> None:
    given = bars(range(count), open=D("0.000004160000000001"), low=D("0.000000000000000001"))
    assert record_candles(given).written == count
    assert kept() == given


@pytest.mark.parametrize("count", [3, COPY_FROM + 3])
def test_a_second_time_nothing_is_written(count: int) -> None:
    record_candles(bars(range(count)))
    assert record_candles(bars(range(count))).written == 0
    assert kept() == bars(range(count))


def test_a_closed_bar_is_never_reopened() -> None:
    closed, later = bar(0), bar(0, closed=False, volume=D(900), close=bar(0).high)
    record_candles([closed])
    record_candles([later])
    assert kept() == [closed]


def test_an_open_bar_grows_and_does_not_shrink_and_is_confirmed() -> None:
    young, old = (bar(0, closed=False, volume=D(volume)) for volume in (1, 2))
    for candle, expected in ((old, old), (young, old), (bar(0), bar(0)), (old, bar(0))):
        record_candles([candle])
        assert kept() == [expected]


def test_a_correction_of_a_confirmed_bar_is_taken() -> None:
    record_candles([bar(0)])
    corrected = bar(0, volume=D(3))
    record_candles([corrected])
    assert kept() == [corrected]


def test_twice_in_one_transaction() -> None:
    with transaction.atomic():
        record_candles(bars(range(COPY_FROM)))
        record_candles(bars(range(10, COPY_FROM + 10)))
    assert kept() == bars(range(COPY_FROM + 10))


@settings(examples(100), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.integers(1, 3)), max_size=30),
    st.randoms(use_true_random=False),
)
def test_any_order_any_split_ends_in_the_same_rows(
    seen: list[tuple[int, bool, int]], dice: random.Random
) -> None:
    """Confirmed bars agree with each other; of open ones the fullest is the latest."""
    given = [
        bar(number, closed=closed, volume=D(9) if closed else D(volume))
        for number, closed, volume in seen
    ]
    best: dict[int, Candle] = {}
    for candle in given:
        known = best.get(candle.time)
        if known is None or (candle.closed, candle.volume) > (known.closed, known.volume):
            best[candle.time] = candle
    Row.objects.all().delete()
    while given:
        dice.shuffle(given)
        part = dice.randint(1, len(given))
        record_candles(given[:part])
        record_candles(given[: part // 2])
        given = given[part:]
    assert kept() == [best[time] for time in sorted(best)]


def test_two_pairs_and_two_intervals_do_not_mix() -> None:
    hour = bar(0, interval="60", volume=D(50))
    record_candles([bar(0), hour, bar(0, "PEPEUSDT")])
    assert kept() == [bar(0)]
    assert kept(interval="60") == [hour]
    assert kept("PEPEUSDT") == [bar(0, "PEPEUSDT")]


BAD = [
    (bar(1, close=NAN), "not a number"),
    (bar(1, volume=NAN), "not a number"),
    (bar(1, turnover=INFINITE), "not a number"),
    (bar(1, high=INFINITE), "not a number"),
    (bar(1, low=D(0)), "zero or negative"),
    (bar(1, open=D(-97_000)), "zero or negative"),
    (bar(1, volume=D(-1)), "zero or negative"),
    (bar(1, high=D(96_000), low=D(98_000)), "high below low"),
    (bar(1, high=bar(1).low), "high and low do not enclose open and close"),
    (bar(1, high=D(10) ** 20), "too large"),
    (bar(1, time=NOON + 1), "opens off its interval"),
    (bar(1, interval="7"), "unknown interval"),
    (bar(1, time=0), "ancient"),
]


@pytest.mark.parametrize(("bad", "reason"), BAD, ids=[f"{i} {r}" for i, (_, r) in enumerate(BAD)])
def test_a_bar_that_cannot_be_true_is_refused_and_counted(bad: Candle, reason: str) -> None:
    for _ in range(2):
        taken = record_candles([bar(0), bad, bar(2)])
        assert taken.refused == {("BTCUSDT", reason): 1}
    assert kept() == [bar(0), bar(2)]
    (count,) = RefusedBars.objects.all()
    assert (count.symbol, count.reason, count.bars) == ("BTCUSDT", reason, 2)


def test_the_future_begins_after_the_newest_price() -> None:
    record_prices([Tick("BTCUSDT", D(1), D(1), D(1), NOON)])
    slack = SLACK_MS // MINUTE
    taken = record_candles(bars(range(slack + 3)))
    assert taken.refused == {("BTCUSDT", "in the future"): 2}
    assert kept() == bars(range(slack + 1))


def test_a_stream_does_not_tell_old_stories() -> None:
    day = 24 * 60
    taken = record_candles([bar(-day - 1), bar(-day), bar(0)], Window.streamed(NOON))
    assert taken.refused == {("BTCUSDT", "ancient"): 1}
    assert kept() == [bar(-day), bar(0)]


@pytest.mark.parametrize("symbol", ["BTC\tUSDT", "BTC,USDT", "\\N", "btcusdt", "", "B" * 33, "B\0"])
def test_a_name_that_is_no_symbol_is_refused(symbol: str) -> None:
    assert record_candles([bar(0, symbol), bar(0)]).written == 1
    assert RefusedBars.objects.get().symbol == "?"


def test_what_is_in_the_table_cannot_be_refused_later() -> None:
    """The checks of the sieve are at least those of the vocabulary."""
    record_candles(bars(range(5)))
    assert not [fault for candle in kept() for fault in candle.faults()]


def test_bars_made_of_trades_stand_in_until_the_exchange_speaks() -> None:
    forming = Forming()
    for second, text in ((1, "97000"), (20, "97010"), (40, "96990"), (59, "97005")):
        forming.traded("BTCUSDT", D(text), D("0.5"), NOON + second * 1000)
    (own,) = forming.due(open_too=True)
    assert (own.open, own.high, own.low, own.close) == (97000, 97010, 96990, 97005)
    assert (own.volume, own.turnover, own.closed) == (2, D("194002.5"), False)
    assert forming.due(open_too=False) == []
    forming.traded("BTCUSDT", D(97007), D(1), NOON + MINUTE)
    forming.traded("BTCUSDT", D(1), D(1), NOON + 59_500)  # too late: its minute is over
    assert [candle.time for candle in forming.due(open_too=True)] == [NOON, NOON + MINUTE]
    confirmed = bar(0)
    forming.heard([confirmed, own])
    assert forming.due(open_too=False) == [confirmed]
    forming.written([confirmed])
    assert [candle.time for candle in forming.due(open_too=True)] == [NOON + MINUTE]


def test_no_temporary_table_stays() -> None:
    record_candles(bars(range(COPY_FROM)))
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_class WHERE relname = 'incoming_candle'")
        assert cursor.fetchone() == (0,)
