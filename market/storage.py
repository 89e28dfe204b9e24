"""How the server keeps time series: hypertables where it has TimescaleDB, tables where not."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from django.apps import apps
from django.db import connection
from django.db.models import Model
from timescale.db.models.fields import TimescaleDateTimeField

ROWS_A_DELETE = 20_000  # a lock is held for no longer than so many rows take
COMMUNITY = "timescale"  # the licence of the edition that compresses; the other is "apache"


class Series(NamedTuple):
    """A table of a time series."""

    table: str
    column: str
    chunk: str  # time that one chunk covers, as PostgreSQL reads it
    keys: tuple[str, ...]  # the rest of the primary key

    @classmethod
    def of(cls, model: type[Model]) -> "Series | None":
        """None for a model that is no time series."""
        meta = model._meta  # noqa: SLF001 - Django documents it as public
        for field in meta.local_fields:
            if isinstance(field, TimescaleDateTimeField):
                keys = tuple(name for name in meta.pk.field_names if name != field.name)
                return cls(meta.db_table, field.column, field.interval, keys)
        return None


def all_series() -> list[Series]:
    """Every time series of ours."""
    return [series for model in apps.get_models() if (series := Series.of(model))]


def has_timescale() -> bool:
    """Whether the extension is installed in this database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'")
        return cursor.fetchone() is not None


def install_extension() -> bool:
    """Install the extension where the server offers it; whether it is there afterwards."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb'")
        if cursor.fetchone() is None:
            return False
        cursor.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
    return True


def hypertables() -> set[str]:
    """Names of the tables that are hypertables already."""
    if not has_timescale():
        return set()
    with connection.cursor() as cursor:
        cursor.execute("SELECT hypertable_name FROM timescaledb_information.hypertables")
        return {name for (name,) in cursor.fetchall()}


def make_hypertable(series: Series) -> None:
    """Turn a table with its rows into a hypertable; one that is one already stays as it is."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT create_hypertable(%s::regclass, %s, chunk_time_interval => %s::interval, "
            "migrate_data => true, if_not_exists => true)",
            [series.table, series.column, series.chunk],
        )


def compresses() -> bool:
    """Whether this server's edition may compress: the Apache edition refuses to."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('timescaledb.license', true)")
        return bool(cursor.fetchone() == (COMMUNITY,))


def compress_after(series: Series, age: timedelta) -> None:
    """Let the server compress chunks of this age; only where `compresses()`."""
    table, keys = connection.ops.quote_name(series.table), ", ".join(series.keys)
    with connection.cursor() as cursor:
        cursor.execute(
            f"ALTER TABLE {table} SET (timescaledb.compress, timescaledb.compress_segmentby = %s, "
            "timescaledb.compress_orderby = %s)",
            [keys, f"{series.column} DESC"],
        )
        cursor.execute(
            "SELECT add_compression_policy(%s::regclass, %s::interval, if_not_exists => true)",
            [series.table, age],
        )


def drop_before(series: Series, time: datetime) -> int:
    """Forget what is older: whole chunks of a hypertable, rows of a table. How many of these."""
    if series.table in hypertables():
        with connection.cursor() as cursor:
            cursor.execute("SELECT drop_chunks(%s::regclass, %s)", [series.table, time])
            return int(cursor.rowcount)
    return sum(_delete_before(series, time))


def _delete_before(series: Series, time: datetime) -> Iterator[int]:
    table, column = map(connection.ops.quote_name, (series.table, series.column))
    query = (
        f"DELETE FROM {table} WHERE ctid IN "  # noqa: S608 - names of our own models
        f"(SELECT ctid FROM {table} WHERE {column} < %s LIMIT %s)"
    )
    while True:
        with connection.cursor() as cursor:
            cursor.execute(query, [time, ROWS_A_DELETE])
            deleted = cursor.rowcount
        yield deleted
        if deleted < ROWS_A_DELETE:
            return
