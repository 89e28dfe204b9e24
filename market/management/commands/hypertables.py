"""`manage.py hypertables`: tables of a database that got TimescaleDB later become hypertables."""

from datetime import timedelta

from django.core.management.base import BaseCommand, CommandError

from market import storage

COMPRESS_AFTER = timedelta(days=30)


class Command(BaseCommand):
    """May run at any time and any number of times; writers wait while a table is turned."""

    help = "Turn the tables of time series into TimescaleDB hypertables, with their rows."

    def handle(self, *args: object, **options: object) -> None:
        if not storage.install_extension():
            raise CommandError(
                "this PostgreSQL server does not offer the extension timescaledb; install it, "
                "add it to shared_preload_libraries and restart the server. "
                "Everything works without it, on ordinary tables."
            )
        already = storage.hypertables()
        for series in storage.all_series():
            if series.table in already:
                self.stdout.write(f"{series.table} is a hypertable")
            else:
                storage.make_hypertable(series)
                self.stdout.write(f"{series.table} was turned into a hypertable")
            if storage.compresses():
                storage.compress_after(series, COMPRESS_AFTER)
                self.stdout.write(f"{series.table} is compressed after {COMPRESS_AFTER.days} days")
