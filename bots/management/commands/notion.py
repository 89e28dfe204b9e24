"""`notion import`: legacy trades come in. `notion backfill`: facts of before go out."""

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from bots.outside import journals
from integrations.notion import connection, legacy, notebook
from integrations.outbox import NotTaken


class Command(BaseCommand):
    """Talk with Notion beside the journal that runs by itself."""

    help = "Import legacy trades from Notion, or write facts of before into the journal."

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="do", required=True)
        fetch = commands.add_parser("import", help="read trades that are not ours, to show them")
        fetch.add_argument(
            "--database", default="", help="id of the database; default NOTION_TRADES_DATABASE"
        )
        fill = commands.add_parser("backfill", help="write round trips and halts of before")
        fill.add_argument(
            "--since", type=_moment, help="ISO 8601, exchange clock; default from the first"
        )

    def handle(self, *args: object, **options: Any) -> None:  # noqa: ANN401 - Django's signature
        link = connection.from_settings()
        if link is None:
            raise CommandError("Notion is off: set NOTION_TOKEN")
        try:
            if options["do"] == "import":
                self._import(link, options["database"] or settings.NOTION_TRADES_DATABASE)
            else:
                self._backfill(options["since"])
        finally:
            link.close()

    def _import(self, link: connection.Connection, database: str) -> None:
        if not database:
            raise CommandError("which database? give --database or set NOTION_TRADES_DATABASE")
        try:
            count = legacy.fetch(link, database)
        except NotTaken as error:
            raise CommandError(f"{error}; what came before that is kept") from None
        self.stdout.write(f"{count} legacy trades read")

    def _backfill(self, since: datetime | None) -> None:
        if not notebook.databases():
            raise CommandError("set NOTION_TRADES_DATABASE or NOTION_PORTFOLIO_DATABASE")
        count = journals.backfill(since)
        self.stdout.write(f"{count} round trips are looked through; the worker writes them")


def _moment(text: str) -> datetime:
    """A time of the command line; UTC unless a zone stands with it. Raises ValueError."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
