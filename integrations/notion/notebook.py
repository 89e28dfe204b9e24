"""Our rows in Notion: found or created by our own id, in data sources that have our columns."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings

from integrations import outbox
from integrations.models import Parcel
from integrations.notion import properties
from integrations.notion.connection import Connection, Refused, from_settings
from integrations.outbox import NotTaken

LANE = "notion"
_CONFIGURATION = timedelta(minutes=15)
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Table:
    """A data source of a database of ours, and the types of its columns."""

    source: str
    present: Mapping[str, str]


def databases() -> dict[str, str]:
    """The databases that the settings name, by what we keep in them; empty: the journal is off."""
    named = {
        properties.TRADES: settings.NOTION_TRADES_DATABASE,
        properties.PORTFOLIO: settings.NOTION_PORTFOLIO_DATABASE,
    }
    return {name: given for name, given in named.items() if given and settings.NOTION_TOKEN}


def deliver() -> int:
    """Send what is due; answers how many rows Notion has taken."""
    if not databases() or not Parcel.objects.filter(lane=LANE, processed_at=None).exists():
        return 0
    turn = outbox.take_turn(LANE)
    connection = from_settings()
    if turn is None or connection is None:
        return 0
    try:
        return outbox.deliver(turn, Notebook(connection, databases()).send)
    finally:
        connection.close()


class Notebook:
    """Writes parcels as pages. Columns are looked up once, and again after a refusal."""

    def __init__(self, connection: Connection, named: Mapping[str, str]) -> None:
        self._call = connection
        self._named = named
        self._tables: dict[str, Table] = {}

    def send(self, parcels: Sequence[Parcel]) -> str:
        """Write one row and answer its page's id. Raises NotTaken."""
        (parcel,) = parcels
        name = parcel.payload["database"]
        if name not in self._named:
            raise NotTaken(f"no database is set for the {name}", wait=_CONFIGURATION)
        # The first attempt of all is the only one that cannot have been done before.
        if parcel.begun_at is not None and (page := self._found(name, parcel.key)):
            return page
        try:
            return self._create(name, parcel)
        except Refused as error:
            if error.status != 400 or name not in self._tables:  # noqa: PLR2004 - bad request
                raise
            del self._tables[name]  # a column may have been renamed or removed meanwhile
            return self._create(name, parcel)

    def _create(self, name: str, parcel: Parcel) -> str:
        table = self.table(name)
        created = self._call(
            self._call.api.pages.create,
            parent={"type": "data_source_id", "data_source_id": table.source},
            properties=properties.page(parcel.payload, parcel.key, table.present),
        )
        return str(created["id"])

    def _found(self, name: str, key: str) -> str | None:
        """The page with our id, if there is one; of several, all but the first are binned."""
        table = self.table(name)
        found = self._call(
            self._call.api.data_sources.query,
            data_source_id=table.source,
            filter={"property": properties.ID, table.present[properties.ID]: {"equals": key}},
            sorts=[{"timestamp": "created_time", "direction": "ascending"}],
            page_size=10,
        )["results"]
        for extra in found[1:]:
            log.warning("Notion has %s twice: the later page goes to the bin", key)
            self._call(self._call.api.pages.update, page_id=extra["id"], in_trash=True)
        return str(found[0]["id"]) if found else None

    def table(self, name: str) -> Table:
        """The data source for rows of that kind, its missing columns created. Raises NotTaken."""
        if name not in self._tables:
            self._tables[name] = self._prepared(name)
        return self._tables[name]

    def _prepared(self, name: str) -> Table:
        sources = self.sources(self._named[name])
        if not sources:
            raise NotTaken(f"the {name} database has no data source", wait=_CONFIGURATION)
        found = [(source, self._columns(source)) for source in sources]
        source, present = next(
            ((one, columns) for one, columns in found if properties.ID in columns), found[0]
        )
        if absent := properties.missing(name, present):
            log.info("Notion's %s database gets the columns %s", name, ", ".join(absent))
            update = self._call.api.data_sources.update
            present = _types(self._call(update, data_source_id=source, properties=absent))
        if present.get(properties.ID) not in {"rich_text", "title"}:
            raise NotTaken(
                f"the column {properties.ID!r} of the {name} database is "
                f"{present.get(properties.ID)}; accepted: text",
                wait=_CONFIGURATION,
            )
        return Table(source, present)

    def sources(self, database: str) -> list[str]:
        """The ids of a database's data sources. Raises NotTaken."""
        found = self._call(self._call.api.databases.retrieve, database_id=database)
        return [str(source["id"]) for source in found.get("data_sources", [])]

    def _columns(self, source: str) -> dict[str, str]:
        return _types(self._call(self._call.api.data_sources.retrieve, data_source_id=source))


def _types(source: Mapping[str, Any]) -> dict[str, str]:
    return {name: column["type"] for name, column in source["properties"].items()}
