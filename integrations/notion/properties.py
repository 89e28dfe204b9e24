"""The columns of our two Notion databases, and values as each type of column takes them."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

TRADES, PORTFOLIO = "trades", "portfolio"
ID = "GridTrader ID"  # our own id of a row: by it we find what we wrote before
_TEXT_LENGTH = 2_000  # Notion's limit of one piece of rich text
_OPTION_LENGTH = 100

_PLAIN = frozenset(
    {"string", "number", "boolean", "checkbox", "url", "email", "phone_number", "created_time",
     "last_edited_time"}
)  # fmt: skip

COLUMNS: Mapping[str, Mapping[str, str]] = {
    TRADES: {
        ID: "rich_text",
        "Kind": "select",
        "Bot": "select",
        "Symbol": "select",
        "Cell": "number",
        "Opened": "date",
        "Closed": "date",
        "Bought": "number",
        "Sold": "number",
        "Cost": "number",
        "Proceeds": "number",
        "Grid profit": "number",
        "Inventory PnL": "number",
        "Reason": "rich_text",
    },
    PORTFOLIO: {
        ID: "rich_text",
        "Date": "date",
        "Bot": "select",
        "State": "select",
        "Price": "number",
        "Capital": "number",
        "Equity": "number",
        "Grid profit": "number",
        "Inventory PnL": "number",
        "Floating PnL": "number",
        "Total PnL": "number",
        "Fees": "number",
        "Round trips": "number",
        "Fills": "number",
        "Fills 24 h": "number",
    },
}


def missing(database: str, present: Mapping[str, str]) -> dict[str, Any]:
    """The columns to create, as the update of a data source wants them."""
    return {name: {kind: {}} for name, kind in COLUMNS[database].items() if name not in present}


def page(payload: Mapping[str, Any], key: str, present: Mapping[str, str]) -> dict[str, Any]:
    """A page's properties: `present` are the types of the columns that the data source has.

    A column that the user gave another type gets the value in that type, if it can hold it.
    """
    facts = {**payload["facts"], ID: key}
    values = {
        name: _value(present[name], value)
        for name, value in facts.items()
        if name in present and value is not None
    }
    title = next(name for name, kind in present.items() if kind == "title")
    values[title] = {"title": _rich(payload["title"])}
    return {name: value for name, value in values.items() if value is not None}


def _value(kind: str, value: object) -> dict[str, Any] | None:
    text = str(value)
    if kind == "rich_text":
        return {"rich_text": _rich(text)}
    if kind == "select":
        return {"select": {"name": text.replace(",", " ")[:_OPTION_LENGTH]}}
    if kind == "multi_select":
        return {"multi_select": [{"name": text.replace(",", " ")[:_OPTION_LENGTH]}]}
    if kind == "date":
        return {"date": {"start": text}}
    if kind == "number":
        return _number(text)
    return None


def _number(text: str) -> dict[str, Any] | None:
    """Notion keeps numbers as doubles: the one place where an amount leaves Decimal."""
    try:
        return {"number": float(Decimal(text))}
    except ArithmeticError:
        return None


def _rich(text: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": {"content": text[:_TEXT_LENGTH]}}]


def plain(value: Mapping[str, Any]) -> Any:  # noqa: ANN401 - whatever the property holds
    """A page's property as a plain value: text, number, flag, or None."""
    kind = value.get("type", "")
    held = value.get(kind)
    if kind in {"title", "rich_text"}:
        return "".join(piece.get("plain_text", "") for piece in held or [])
    if kind in {"select", "status"}:
        return held["name"] if held else None
    if kind == "multi_select":
        return ", ".join(option["name"] for option in held or [])
    if kind == "date":
        return held["start"] if held else None
    if kind == "formula":
        return plain(held or {})
    return held if kind in _PLAIN else None
