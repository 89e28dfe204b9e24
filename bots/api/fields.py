"""What values the API takes and gives, each as strict as its description in the document."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.core.validators import RegexValidator
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from market.types import milliseconds, moment, plain

DECIMAL = {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$", "example": "95500.5"}
_ABOVE_ZERO = r"^([1-9][0-9]{0,14}(\.[0-9]{1,18})?|0\.0{0,9}[1-9][0-9]{0,8})$"
_BELOW_ONE = r"^0(\.[0-9]{1,4})?$"
_SEEN = r"[^\u0000-\u001f\u007f-\u009f]*"
_WORD = r"[^\s\u0000-\u001f\u007f-\u009f]"
_FRACTION = 'send it as text, e.g. "95500.5"'


@extend_schema_field(DECIMAL)
class PlainDecimal(serializers.Field[Decimal, str, str, Any]):
    """A decimal on the wire: its own digits, never an exponent."""

    def to_representation(self, value: Decimal) -> str:
        return plain(value)


class _AsText(serializers.DecimalField):
    """A decimal as text in plain digits or as a whole number: a JSON fraction has lost some."""

    pattern: str
    says: str

    def to_internal_value(self, data: object) -> Decimal:
        if isinstance(data, bool):
            self.fail("invalid")
        if isinstance(data, float):
            raise serializers.ValidationError(_FRACTION)
        amount: Decimal = super().to_internal_value(data)  # type: ignore[arg-type]
        if not re.fullmatch(self.pattern, str(data), re.ASCII):
            raise serializers.ValidationError(self.says)
        return amount


@extend_schema_field(
    {
        "anyOf": [
            {"type": "string", "pattern": _ABOVE_ZERO},
            {"type": "integer", "minimum": 1, "maximum": 10**15},
        ],
        "example": "95500.5",
    }
)
class Money(_AsText):
    """An amount above zero."""

    pattern = _ABOVE_ZERO
    says = "must be above zero, in plain digits, e.g. 95500.5"

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - the base class's own
        super().__init__(max_digits=38, decimal_places=18, **options)


@extend_schema_field(
    {
        "anyOf": [
            {"type": "string", "pattern": _BELOW_ONE},
            {"type": "integer", "minimum": 0, "maximum": 0},
        ],
        "example": "0.05",
    }
)
class Share(_AsText):
    """A part of a whole: from 0 to 0.9999."""

    pattern = _BELOW_ONE
    says = "accepted: from 0 to 0.9999"

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - the base class's own
        super().__init__(max_digits=5, decimal_places=4, **options)


class Whole(serializers.IntegerField):
    """A whole number: of a body as JSON's own, of an address (`written`) in digits."""

    def __init__(self, *, written: bool = False, **options: Any) -> None:  # noqa: ANN401
        self._written = written
        super().__init__(**options)

    def to_internal_value(self, data: object) -> int:
        if self._written:
            fine = isinstance(data, str) and re.fullmatch("[0-9]{1,9}", data, re.ASCII)
        else:
            fine = type(data) is int or (isinstance(data, float) and data.is_integer())
        if not fine:
            self.fail("invalid")
        return super().to_internal_value(data)  # type: ignore[arg-type]


class Flag(serializers.BooleanField):
    """JSON's true or false, and nothing that looks like them."""

    def to_internal_value(self, data: object) -> bool:
        if not isinstance(data, bool):
            raise serializers.ValidationError("accepted: true, false")
        return data


@extend_schema_field({"type": "boolean", "enum": [True]})
class TrueField(serializers.Field[bool, Any, bool, Any]):
    """JSON's `true`, and nothing that looks like it."""

    def to_internal_value(self, data: object) -> bool:
        if data is not True:
            raise serializers.ValidationError("must be true, or left out")
        return True


class Text(serializers.CharField):
    """Words of a person: text on one line."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - the base class's own
        super().__init__(**options)
        words = _SEEN if self.allow_blank else f"{_SEEN}{_WORD}{_SEEN}"
        says = "accepted: one line without control characters"
        self.validators.append(RegexValidator(rf"^{words}\Z", says))

    def to_internal_value(self, data: object) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class Slug(serializers.SlugField):
    """A bot's short name."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - the base class's own
        says = {"invalid": "accepted: a string of 1 to 40 letters, digits, - and _"}
        options = {"max_length": 40, "trim_whitespace": False, "error_messages": says, **options}
        super().__init__(**options)

    def to_internal_value(self, data: object) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class Symbol(serializers.RegexField):
    """Bybit's name of a spot pair."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - the base class's own
        says = {"invalid": "Bybit's name of a spot pair is accepted, e.g. BTCUSDT"}
        super().__init__(r"^[A-Z0-9]{5,32}\Z", error_messages=says, **options)

    def to_internal_value(self, data: object) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


@extend_schema_field(
    {
        "anyOf": [
            {"type": "string", "format": "date-time"},
            {"type": "string", "pattern": "^[0-9]{9,13}$"},
        ],
        "example": "2026-01-31T12:00:00Z",
    }
)
class Moment(serializers.Field[int, Any, int, Any]):
    """A time: ISO 8601, UTC where it names no zone, or milliseconds since 1970; ms since 1970."""

    def to_internal_value(self, data: object) -> int:
        text = str(data).upper()
        try:
            if re.fullmatch(r"[0-9]{9,14}", text, re.ASCII):
                return int(text)
            time = datetime.fromisoformat(text)
            found = milliseconds(time if time.tzinfo else time.replace(tzinfo=UTC))
            moment(found)  # a zone may have moved it out of what can be told
        except (ValueError, OverflowError):
            raise serializers.ValidationError(
                "accepted: ISO 8601 such as 2026-01-31T12:00:00Z, or milliseconds since 1970"
            ) from None
        return found
