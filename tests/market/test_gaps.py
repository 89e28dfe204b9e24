"""Which bars are missing, and how they are fetched."""

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from integrations import history, tasks
from integrations.bybit.fields import MalformedMessage
from integrations.bybit.gateway import Gateway
from integrations.bybit.simulator.server import Simulator
from market import gaps, quality
from market.exchange import Unresolved
from market.gaps import Span
from market.merge import record_candles
from market.models import Gap, RefusedBars, Rollup
from market.types import Candle, Tick, moment
from tests.factories import InstrumentFactory, PriceFactory
from tests.market.bars import MINUTE, NOON, bar, bars, kept
from tests.market.venue import KEY, PAIR, SECRET, pass_minutes, simulator

HOUR = 60 * MINUTE


def span(first: int, last: int) -> Span:
    return Span(NOON + first * MINUTE, NOON + last * MINUTE)


def test_whole_bars_open_and_end_within() -> None:
    assert gaps.whole_bars("1", NOON + 1, NOON + 3 * MINUTE) == span(1, 2)
    assert gaps.whole_bars("60", NOON, NOON + HOUR) == span(0, 0)
    assert gaps.whole_bars("60", NOON, NOON + HOUR - 1) is None
    assert span(0, 119).bars("1") == 120
    assert list(span(0, 6).pieces("1", 3)) == [span(4, 6), span(1, 3), span(0, 0)]


@given(st.integers(0, 40), st.lists(st.tuples(st.integers(-5, 45), st.integers(0, 9)), max_size=6))
def test_a_span_less_holes_is_what_a_set_would_say(
    last: int, shapes: list[tuple[int, int]]
) -> None:
    holes = [span(first, first + length) for first, length in shapes]
    rest = list(gaps.less(span(0, last), holes, MINUTE))
    holed = {n for first, length in shapes for n in range(first, first + length + 1)}
    found = [n for part in rest for n in range((part.start - NOON) // MINUTE,
                                              (part.end - NOON) // MINUTE + 1)]  # fmt: skip
    assert found == [n for n in range(last + 1) if n not in holed]


@pytest.mark.django_db
def test_missing_at_both_ends_in_the_middle_and_where_bars_are_open() -> None:
    present = {3, 4, 5, 8, 11}
    record_candles([*bars(present), bar(6, closed=False), bar(4, "MNTUSDT")])
    assert gaps.missing("BTCUSDT", "1", span(0, 12)) == [
        span(0, 2), span(6, 7), span(9, 10), span(12, 12),
    ]  # fmt: skip
    assert gaps.missing("BTCUSDT", "1", span(3, 5)) == []
    assert gaps.missing("BTCUSDT", "1", span(20, 29)) == [span(20, 29)]


class Fake:
    """An exchange whose bars are those of tests.market.bars up to `now`."""

    def __init__(self, now: int) -> None:
        self.now = now
        self.asked: list[int] = []
        self.unreadable: set[int] = set()
        self.fails_after: int | None = None

    def tick(self, symbol: str) -> Tick:
        return Tick(symbol, bar(0).close, bar(0).close, bar(0).close, NOON + self.now * MINUTE)

    def candles(self, symbol: str, interval: str, start: int, end: int) -> list[Candle]:
        if self.fails_after is not None and len(self.asked) >= self.fails_after:
            raise Unresolved("the line is cut")
        first, last = (start - NOON) // MINUTE, (end - NOON) // MINUTE
        self.asked.append(last - first + 1)
        if self.unreadable & set(range(first, last + 1)):
            raise MalformedMessage("NaN is no price")
        return bars(range(first, min(last + 1, self.now)), symbol)


@pytest.mark.django_db
def test_one_unreadable_bar_does_not_hide_its_neighbours() -> None:
    fake = Fake(3_000)
    fake.unreadable = {700, 1_500}
    found = history.repair(fake, "BTCUSDT")  # type: ignore[arg-type]
    assert (found.missing, found.left) == (25 * 60, 0)
    assert len(kept()) == 25 * 60 - 1  # minute 700 is beyond the look-back
    assert RefusedBars.objects.get().reason == "not readable"
    (gap,) = Gap.objects.all()
    assert (gap.start, gap.bars, gap.absent) == (moment(NOON + 1_500 * MINUTE), 1, True)


@pytest.mark.django_db
def test_what_was_fetched_before_a_failure_is_kept_and_not_asked_again() -> None:
    fake = Fake(3_000)
    fake.fails_after = 1
    found = history.repair(fake, "BTCUSDT")  # type: ignore[arg-type]
    assert (found.missing, found.left) == (1_500, 501)
    assert len(kept()) == history.BARS_A_PIECE
    assert [(gap.bars, gap.absent) for gap in Gap.objects.all()] == [(501, False)]
    InstrumentFactory()
    PriceFactory(time=moment(NOON + 3_000 * MINUTE))
    (told,) = quality.qualities()
    assert (told.bars, told.missing) == (999, 501)
    fake.fails_after, fake.asked = None, []
    history.repair(fake, "BTCUSDT")  # type: ignore[arg-type]
    assert fake.asked == [501]
    assert kept() == bars(range(1_500, 3_000))
    assert Rollup.objects.filter(interval="60", minutes=60).count() == 25
    (told,) = quality.qualities()
    assert (told.bars, told.missing, told.age_ms) == (1_500, 0, 0)


@pytest.mark.django_db
def test_a_venue_that_does_not_answer_leaves_everything_as_it_was() -> None:
    class Dead(Fake):
        def tick(self, symbol: str) -> Tick:
            raise Unresolved("nobody is there")

    assert history.repair(Dead(0), "BTCUSDT") == history.Repaired()  # type: ignore[arg-type]


@pytest.fixture
def venue() -> Iterator[Simulator]:
    with simulator() as running:
        yield running


@pytest.fixture
def exchange(venue: Simulator, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    """The account of the settings is on this simulator."""
    monkeypatch.setattr(settings, "BYBIT", replace(settings.BYBIT, rest_url=venue.url))
    gateway = Gateway(venue.url, KEY, SECRET)
    monkeypatch.setattr(tasks, "_gateway", gateway)
    return gateway


@pytest.mark.django_db
def test_backfill_fetches_what_is_missing_and_goes_on(venue: Simulator, exchange: Gateway) -> None:
    now = venue.venue.now
    start = now - 3 * 24 * HOUR
    order = ["backfill", "--symbol", PAIR, "--from", moment(start).isoformat()]
    told, shown = io.StringIO(), io.StringIO()
    call_command(*order, stdout=told, stderr=shown)
    assert "0 the exchange does not have" in told.getvalue()
    assert "100%" in shown.getvalue()
    wanted = gaps.whole_bars("1", start, now)
    assert wanted is not None
    truth = list(exchange.candles(PAIR, "1", wanted.start, wanted.end))
    assert kept(PAIR) == truth
    pass_minutes(venue, 3)
    told = io.StringIO()
    call_command(*order, stdout=told, stderr=io.StringIO())
    assert f"{len(truth)} bars are here, 3 are missing" in told.getvalue()


@pytest.mark.django_db
def test_the_task_fills_history_and_the_hours_interval(venue: Simulator, exchange: Gateway) -> None:
    now = venue.venue.now
    tasks.backfill(PAIR, "60", now - 50 * HOUR, now)
    assert len(kept(PAIR, "60")) == 49 + (now % HOUR == 0)
    tasks.repair_gaps([PAIR])
    assert len(kept(PAIR)) >= 25 * 60 - 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "--from is needed"),
        (["--from", "2090-01-01"], "no whole bar"),
        (["--file", "/nonexistent.csv"], "cannot be read"),
    ],
)
def test_backfill_says_what_is_wrong(exchange: Gateway, words: list[str], told: str) -> None:
    with pytest.raises(CommandError, match=told):
        call_command("backfill", "--symbol", PAIR, *words)


@pytest.mark.django_db
def test_a_bar_that_a_file_and_the_clock_contradict_is_told(tmp_path: Path) -> None:
    PriceFactory(time=moment(NOON))
    path = tmp_path / "x.csv"
    lines = ["open_time_ms,open,high,low,close,volume"]
    lines += [f"{NOON + n * MINUTE},1,1,1,1,1" for n in (-1, 0, 600)]
    path.write_text("\n".join(lines))
    told, complaints = io.StringIO(), io.StringIO()
    call_command(
        "backfill", "--symbol", "BTCUSDT", "--file", str(path), stdout=told, stderr=complaints
    )
    assert "2 bars are new" in told.getvalue()
    assert "1 refused: in the future" in complaints.getvalue()


@pytest.mark.django_db
def test_a_file_that_breaks_off_is_kept_so_far_with_its_hours_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "BATCH", 60)
    PriceFactory(time=moment(NOON + 300 * MINUTE))
    path = tmp_path / "x.csv"
    start = NOON - NOON % HOUR
    lines = [f"{start + n * MINUTE},1,2,1,2,{n + 1}" for n in range(150)]
    header = "open_time_ms,open,high,low,close,volume"
    order = ["backfill", "--symbol", PAIR, "--file", str(path)]
    path.write_text("\n".join([header, *lines[:130], "nonsense"]))
    with pytest.raises(CommandError, match="line 132"):
        call_command(*order)
    assert len(kept(PAIR)) == 120
    hours = Rollup.objects.filter(symbol=PAIR, interval="60").order_by("time")
    assert [hour.minutes for hour in hours] == [60, 60]
    path.write_text("\n".join([header, *lines]))
    told = io.StringIO()
    call_command(*order, stdout=told)
    assert "30 bars are new" in told.getvalue()
    assert [hour.minutes for hour in hours.all()] == [60, 60, 30]
