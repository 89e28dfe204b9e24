"""Imports trades that were kept in Notion before: read page by page, kept as read-only rows."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

from integrations.models import LegacyTrade
from integrations.notion import properties
from integrations.notion.connection import Connection
from integrations.notion.notebook import Notebook

# What people call these columns, in the order of preference; compared in small letters and digits.
_NAMES = {
    "symbol": ("symbol", "pair", "ticker", "market", "coin", "asset", "instrument"),
    "side": ("side", "direction", "type", "action", "buysell"),
    "price": ("price", "fillprice", "avgprice", "averageprice", "entryprice", "entry"),
    "quantity": ("quantity", "qty", "size", "amount", "volume"),
    "fee": ("fee", "fees", "commission"),
    "profit": ("profit", "pnl", "netprofit", "gridprofit", "realizedpnl", "realisedpnl", "result"),
    "traded_at": ("time", "date", "tradedat", "closed", "closedat", "executedat", "timestamp",
                  "opened", "created"),
}  # fmt: skip
_AMOUNTS = ("price", "quantity", "fee", "profit")
_LARGEST = Decimal(10) ** 20  # what the columns hold


def fetch(connection: Connection, database: str) -> int:
    """Import every page of a database that is not ours; answers how many. Raises NotTaken.

    A page that was imported before is read anew, so an import may be repeated at any time.
    """
    count = 0
    for page in _pages(connection, database):
        values = {name: properties.plain(value) for name, value in page["properties"].items()}
        if values.get(properties.ID):
            continue
        LegacyTrade.objects.update_or_create(page=page["id"], defaults=_trade(page, values))
        count += 1
    return count


def _pages(connection: Connection, database: str) -> Iterator[Mapping[str, Any]]:
    for source in Notebook(connection, {}).sources(database):
        cursor: dict[str, str] = {}
        while True:
            query = connection.api.data_sources.query
            found = connection(query, data_source_id=source, page_size=100, **cursor)
            yield from (row for row in found["results"] if row.get("object") == "page")
            if not found.get("has_more") or not found.get("next_cursor"):
                break
            cursor = {"start_cursor": found["next_cursor"]}


def _trade(page: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: _first(values, names) for name, names in _NAMES.items()}
    titles = [
        properties.plain(value)
        for value in page["properties"].values()
        if value.get("type") == "title"
    ]
    amounts = {name: _amount(found[name]) for name in _AMOUNTS}
    return {
        "title": (titles[0] if titles else "")[:300],
        "symbol": re.sub(r"[^A-Z0-9]", "", str(found["symbol"] or "").upper())[:32],
        "side": str(found["side"] or "")[:16],
        "traded_at": _time(found["traded_at"]),
        "properties": values,
        **amounts,
    }


def _first(values: Mapping[str, Any], names: tuple[str, ...]) -> Any:  # noqa: ANN401 - any value
    """The value of the first of these columns that has one."""
    by_name = {re.sub(r"[^a-z0-9]", "", name.lower()): value for name, value in values.items()}
    return next((by_name[n] for n in names if by_name.get(n) not in (None, "")), None)


def _amount(value: object) -> Decimal | None:
    """A number, or a text such as "1,234.50 USDT"; None when it is neither."""
    text = re.sub(r"[,\s_$€]|[A-Za-z]{3,5}$", "", str(value)) if value is not None else ""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and abs(amount) < _LARGEST else None


def _time(value: object) -> datetime | None:
    """A time; a date alone is its first moment, both UTC unless a zone stands with them."""
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    if isinstance(value, str) and "T" not in value:
        found = datetime.combine(found.date(), time())
    return found if found.tzinfo else found.replace(tzinfo=UTC)
