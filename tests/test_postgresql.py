"""One engine: hypertables where the server has TimescaleDB, ordinary tables where not."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, connections, models, transaction
from django.test.utils import isolate_apps
from timescale.db.models.fields import TimescaleDateTimeField

from gridtrader.postgresql.base import DatabaseWrapper, holds_time

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


with isolate_apps("market"):  # no migration of the app may know these

    class Sample(models.Model):  # noqa: DJ008 - seen by nobody
        """A time series with its time in the primary key."""

        pk = models.CompositePrimaryKey("symbol", "time")
        symbol = models.CharField(max_length=20)
        time = TimescaleDateTimeField(interval="7 days")
        price = models.DecimalField(max_digits=38, decimal_places=18)

        class Meta:
            app_label = "market"
            db_table = "test_sample"

    class Numbered(models.Model):  # noqa: DJ008 - seen by nobody
        """A time series with a key of its own, which no hypertable can have."""

        time = TimescaleDateTimeField(interval="7 days")

        class Meta:
            app_label = "market"
            db_table = "test_numbered"


@pytest.fixture
def table(transactional_db: None) -> Iterator[None]:
    """The table of Sample, made by the engine's own schema editor."""
    with connection.schema_editor() as editor:
        editor.create_model(Sample)
    yield
    with connection.schema_editor() as editor:
        editor.delete_model(Sample)


def sql_of_making(model: type[models.Model]) -> str:
    """Return the statements that would make a table."""
    with connection.schema_editor(collect_sql=True) as editor:
        editor.create_model(model)
        return "\n".join(editor.collected_sql)


@pytest.mark.django_db
def test_the_engine_is_ours_and_knows_what_the_server_has():
    assert isinstance(connections["default"], DatabaseWrapper)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_extension WHERE extname = 'timescaledb'")
        assert connection.has_timescale() is bool(cursor.fetchone()[0])


def test_the_primary_key_holds_and_upserts_work(table: None):
    Sample.objects.create(symbol="BTCUSDT", time=NOON, price=Decimal("67123.123456789012345678"))
    with pytest.raises(IntegrityError), transaction.atomic():
        Sample.objects.create(symbol="BTCUSDT", time=NOON, price=1)
    Sample.objects.bulk_create(
        [Sample(symbol=symbol, time=NOON, price=2) for symbol in ("BTCUSDT", "MNTUSDT")],
        update_conflicts=True,
        unique_fields=["symbol", "time"],
        update_fields=["price"],
    )
    assert sorted(Sample.objects.values_list("symbol", "price")) == [("BTCUSDT", 2), ("MNTUSDT", 2)]


def test_decimals_come_back_to_the_last_digit(table: None):
    price = Decimal("67123.123456789012345678")
    Sample.objects.create(symbol="BTCUSDT", time=NOON, price=price)
    assert Sample.objects.get(pk=("BTCUSDT", NOON)).price == price


def test_which_keys_hold_the_time():
    assert holds_time(Sample)
    assert not holds_time(Numbered)


@pytest.mark.django_db
@pytest.mark.parametrize("model", [Sample, Numbered])
def test_plain_postgresql_makes_an_ordinary_table(
    model: type[models.Model], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(connection, "has_timescale", lambda: False)
    assert "hypertable" not in sql_of_making(model)
    assert "DROP CONSTRAINT" not in sql_of_making(model)


@pytest.mark.django_db
def test_timescaledb_drops_only_a_key_without_the_time(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connection, "has_timescale", lambda: True)
    assert "create_hypertable('test_sample', 'time'" in sql_of_making(Sample)
    assert "DROP CONSTRAINT" not in sql_of_making(Sample)
    assert 'DROP CONSTRAINT "test_numbered_pkey"' in sql_of_making(Numbered)
