"""Single fields of Bybit's rows, read strictly: "" is no number and NaN is no price."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeVar

from market.exchange import Unresolved
from market.types import ZERO, MalformedNumber, decimal

Row = Mapping[str, Any]
Word = TypeVar("Word")


class MalformedMessage(Unresolved):
    """The exchange said something we cannot read, so nothing is proven by it."""


def field(row: Row, name: str) -> Any:  # noqa: ANN401  # any JSON value
    """A field that must be there."""
    if name not in row:
        raise MalformedMessage(f"a row has no {name}")
    return row[name]


def rows(row: Row, name: str) -> list[Any]:
    """A list that must be there."""
    value = field(row, name)
    if not isinstance(value, list):
        raise MalformedMessage(f"{name} should be a list, not {value!r:.80}")
    return value


def record(row: Row, name: str) -> Row:
    """An object within a row."""
    value = field(row, name)
    if not isinstance(value, Mapping):
        raise MalformedMessage(f"{name} should be an object, not {value!r:.80}")
    return value


def records(row: Row, name: str) -> list[Row]:
    """A list of objects that must be there."""
    values = rows(row, name)
    for value in values:
        if not isinstance(value, Mapping):
            raise MalformedMessage(f"{name} should hold objects, not {value!r:.80}")
    return values


def text(row: Row, name: str) -> str:
    """A text that is not empty."""
    value = field(row, name)
    if not isinstance(value, str) or not value:
        raise MalformedMessage(f"{name} should be text, not {value!r:.80}")
    return value


def optional_text(row: Row, name: str) -> str:
    value = row.get(name)
    return value if isinstance(value, str) else ""


def number(row: Row, name: str) -> Decimal:
    """A finite number; "" is Bybit's "no value" and is refused."""
    return to_number(field(row, name), name)


def to_number(value: object, name: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise MalformedMessage(f"{name} should be a number in text, not {value!r:.80}")
    try:
        return decimal(value)
    except MalformedNumber as error:
        raise MalformedMessage(f"{name}: {error}") from error


def to_positive(value: object, name: str) -> Decimal:
    """A price or a quantity: above zero."""
    known = to_number(value, name)
    if known <= 0:
        raise MalformedMessage(f"{name} should be above zero, not {known}")
    return known


def positive(row: Row, name: str) -> Decimal:
    return to_positive(field(row, name), name)


def amount(row: Row, name: str) -> Decimal:
    """A number which is zero when absent or ""."""
    return ZERO if row.get(name) in ("", None) else number(row, name)


def not_negative(row: Row, name: str) -> Decimal:
    """As `amount`, and never below zero."""
    value = amount(row, name)
    if value < 0:
        raise MalformedMessage(f"{name} should not be negative: {value}")
    return value


def stamp(row: Row, name: str) -> int:
    """A time in ms since 1970, given as text or as a number."""
    value = number(row, name)
    if value <= 0 or value != int(value):
        raise MalformedMessage(f"{name} should be a time in ms, not {value}")
    return int(value)


def one_of(row: Row, name: str, words: Mapping[str, Word]) -> Word:
    """A word of a known list."""
    value = field(row, name)
    if not isinstance(value, str) or value not in words:
        raise MalformedMessage(f"{name} {value!r:.80} is not one of {', '.join(words)}")
    return words[value]
