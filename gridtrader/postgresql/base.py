"""TimescaleDB where the server has it, plain PostgreSQL where not, with the same migrations."""

from django.db.models import CompositePrimaryKey, Model
from timescale.db.backends.postgresql.base import DatabaseWrapper as TimescaleWrapper
from timescale.db.backends.postgresql.schema import TimescaleSchemaEditor
from timescale.db.models.fields import TimescaleDateTimeField


class SchemaEditor(TimescaleSchemaEditor):
    """Makes hypertables only where they exist, and keeps a primary key that holds the time."""

    connection: "DatabaseWrapper"

    def _create_hypertable(
        self, model: type[Model], field: TimescaleDateTimeField, *args: bool
    ) -> None:
        if self.connection.has_timescale():
            super()._create_hypertable(model, field, *args)

    def _set_chunk_time_interval(self, model: type[Model], field: TimescaleDateTimeField) -> None:
        if self.connection.has_timescale():
            super()._set_chunk_time_interval(model, field)

    def _drop_primary_key(self, model: type[Model]) -> None:
        # A hypertable needs the time in every unique key. django-timescaledb therefore drops each
        # primary key, also one that has it: duplicates would then go in silently.
        if not holds_time(model):
            super()._drop_primary_key(model)


class DatabaseWrapper(TimescaleWrapper):
    """Connection that asks the server for TimescaleDB before it relies on it."""

    SchemaEditorClass = SchemaEditor

    def has_timescale(self) -> bool:
        """Say whether the extension is installed in this database."""
        return self._finds("SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'")

    def prepare_database(self) -> None:
        """Install the extension before the first migration, if the server offers it."""
        if self._finds("SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb'"):
            super().prepare_database()

    def _finds(self, query: str) -> bool:
        with self.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchone() is not None


def holds_time(model: type[Model]) -> bool:
    """Say whether the time column of a hypertable is part of its primary key."""
    meta = model._meta  # noqa: SLF001 - Django documents it as public
    key = meta.pk
    names = key.field_names if isinstance(key, CompositePrimaryKey) else (key.name,)
    return any(isinstance(meta.get_field(name), TimescaleDateTimeField) for name in names)
