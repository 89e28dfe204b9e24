"""Where time series are kept: hypertables with TimescaleDB, tables without, the same behaviour."""

import io
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from bots.books import samples
from bots.models import CapitalMove
from bots.reports import spark
from market import retention, rollups, series, storage, tasks
from market.merge import record_candles
from market.models import Candle as Row
from market.models import Rollup
from market.types import moment
from risk.models import EquityPoint, LatencySample
from tests.factories import InstrumentFactory, OrderFactory, PriceFactory
from tests.market.bars import MINUTE, NOON, bar, bars, kept

pytestmark = pytest.mark.django_db
DAY = 24 * 60
TABLES = {"market_candle", "market_rollup", "risk_equitypoint", "risk_latencysample"}


@pytest.fixture
def timescale(db: None) -> None:
    if not storage.has_timescale():
        pytest.skip("this server has no TimescaleDB; see `make test-timescale`")


def test_the_time_series_are_known() -> None:
    assert {series.table for series in storage.all_series()} == TABLES
    assert set(retention.KEEP) == TABLES


def test_they_are_hypertables_where_there_are_any() -> None:
    assert storage.hypertables() == (TABLES if storage.has_timescale() else set())


def test_every_key_is_kept() -> None:
    """The package for TimescaleDB would have dropped them: duplicates would go in."""
    record_candles([bar(0)])
    time = moment(NOON)
    EquityPoint.objects.create(subject="all", time=time, equity=1)
    for again in (
        lambda: Row.objects.bulk_create([Row.objects.get(pk=("BTCUSDT", "1", time))]),
        lambda: EquityPoint.objects.create(subject="all", time=time, equity=2),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            again()


def test_a_year_is_in_many_chunks_and_a_day_reads_two_at_most(timescale: None) -> None:
    record_candles([bar(day * DAY) for day in range(-364, 1)])
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM show_chunks('market_candle')")
        assert cursor.fetchone()[0] >= 52
    day = Row.objects.filter(symbol="BTCUSDT", interval="1", time__lte=moment(NOON))
    plan = day.filter(time__gt=moment(NOON - DAY * MINUTE)).explain()
    assert 1 <= plan.count("_hyper_") <= 4, plan  # a chunk is named once, its index once more
    assert "Index" in plan


def test_what_the_dashboard_asks_leaves_the_years_chunks_alone(timescale: None) -> None:
    """The plans of the very queries: the newest chunks are looked at, no other is named."""
    record_candles([bar(minute) for minute in range(-364 * DAY, 0, 360)])
    price = PriceFactory(time=moment(NOON))
    with CaptureQueriesContext(connection) as seen:
        spark.recent("BTCUSDT", price)
        series.read("BTCUSDT", "1", NOON, 100)
    asked = [query["sql"] for query in seen if "market_candle" in query["sql"]]
    assert len(asked) >= 3
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM show_chunks('market_candle')")
        assert cursor.fetchone()[0] >= 52
        for query in asked[:2]:  # the third looks for bars that the newest chunks lack
            cursor.execute(f"EXPLAIN {query}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
            assert 1 <= len(set(re.findall(r"_hyper_\d+_\d+_chunk(?!_)", plan))) <= 2, plan


def test_old_bars_go_and_young_ones_stay() -> None:
    old, young = bars(range(-200 * DAY, -200 * DAY + 5)), bars(range(5))
    record_candles([*old, *young])
    (series,) = [each for each in storage.all_series() if each.table == "market_candle"]
    assert storage.drop_before(series, moment(NOON - 100 * DAY * MINUTE)) > 0
    assert kept() == young
    assert storage.drop_before(series, moment(NOON - 100 * DAY * MINUTE)) == 0


def test_rows_are_deleted_a_part_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "ROWS_A_DELETE", 10)
    monkeypatch.setattr(storage, "hypertables", set)
    if storage.has_timescale():
        pytest.skip("rows of one chunk only have unique addresses there")
    record_candles(bars(range(25)))
    (series,) = [each for each in storage.all_series() if each.table == "market_candle"]
    assert storage.drop_before(series, moment(NOON + 23 * MINUTE)) == 23
    assert kept() == bars([23, 24])


def test_forgetting_follows_the_earlier_clock() -> None:
    record_candles(bars(range(3)))
    PriceFactory(time=datetime(2090, 1, 1, tzinfo=UTC))  # a tape that ran far ahead
    tasks.forget()
    assert kept() == bars(range(3))
    PriceFactory(time=moment(NOON))
    tasks.forget()
    assert kept() == bars(range(3))


def as_without_the_extension() -> None:
    """Candles in an ordinary table, as in a database that was made before the extension came."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE plain_candle (LIKE market_candle INCLUDING ALL)")
        cursor.execute("INSERT INTO plain_candle SELECT * FROM market_candle")
        cursor.execute("DROP TABLE market_candle")
        cursor.execute("ALTER TABLE plain_candle RENAME TO market_candle")


def test_a_table_becomes_a_hypertable_with_its_rows(timescale: None) -> None:
    given = bars(range(0, 60 * DAY, DAY))
    record_candles(given)
    as_without_the_extension()
    assert "market_candle" not in storage.hypertables()
    assert kept() == given
    told = io.StringIO()
    call_command("hypertables", stdout=told)
    assert "market_candle was turned into a hypertable" in told.getvalue()
    assert "risk_equitypoint is a hypertable" in told.getvalue()
    assert storage.hypertables() == TABLES
    assert kept() == given
    assert record_candles(given).written == 0
    call_command("hypertables", stdout=io.StringIO())


def test_the_apache_edition_is_not_asked_to_compress(timescale: None) -> None:
    assert not storage.compresses()


def test_without_the_extension_the_command_says_what_to_do() -> None:
    if storage.has_timescale():
        pytest.skip("this server has it")
    with pytest.raises(CommandError, match="shared_preload_libraries"):
        call_command("hypertables")
    assert not storage.compresses()


def test_worth_is_kept_once_a_minute_of_the_exchanges_clock() -> None:
    assert not samples.record_equity()
    InstrumentFactory()
    PriceFactory(last=Decimal(97_000), time=moment(NOON + 1_500))
    assert not samples.record_equity()  # nothing is in the account
    CapitalMove.objects.create(coin="USDT", amount=Decimal(1_000), reason="opening", opening=True)
    CapitalMove.objects.create(coin="BTC", amount=Decimal("0.5"), reason="a gift")
    assert samples.record_equity()
    PriceFactory(last=Decimal(1), time=moment(NOON + 59_000))
    assert samples.record_equity()
    (point,) = EquityPoint.objects.all()
    assert (point.subject, point.time, point.equity) == ("all", moment(NOON), Decimal(49_500))


def test_latency_of_counter_orders_is_kept_once() -> None:
    caused = datetime(2026, 1, 1, tzinfo=UTC)
    step = timedelta(milliseconds=1)
    OrderFactory(caused_at=caused, sent_at=caused + 40 * step, acknowledged_at=caused + 55 * step)
    OrderFactory(caused_at=caused, sent_at=caused)  # not answered yet
    OrderFactory(sent_at=caused, acknowledged_at=caused)  # no counter order
    for _ in range(2):
        assert samples.record_latency() == 1
    (sample,) = LatencySample.objects.all()
    assert (sample.decision_ms, sample.wire_ms) == (55, 15)
    assert sample.subject.startswith("bot:")


def test_the_task_rolls_up_to_now() -> None:
    tasks.roll_up()
    InstrumentFactory()
    PriceFactory(time=moment(NOON + 90 * MINUTE))
    record_candles(bars(range(90)))
    tasks.roll_up()
    hours = Rollup.objects.filter(interval="60").values_list("minutes", flat=True).order_by("time")
    assert list(hours) == [60, 30]
    assert rollups.newest("BTCUSDT", "60") == NOON + 60 * MINUTE
