"""How a call is read: its query and its body, nothing in them ignored."""

from collections.abc import Iterable
from typing import Any

from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from bots.api.serializers import Nothing, Strict


def asked(request: Request, query: type[Strict], others: Iterable[str] = ()) -> dict[str, Any]:
    """The query of a call, each name given once; `others` are read elsewhere.

    Raises ValidationError.
    """
    given = request.query_params
    twice = [name for name in given if len(given.getlist(name)) > 1]
    if twice:
        raise ValidationError({name: ["given more than once; accepted: once"] for name in twice})
    read = query(data={name: text for name, text in given.items() if name not in set(others)})
    read.others = others
    read.is_valid(raise_exception=True)
    found: dict[str, Any] = read.validated_data
    return found


def told(request: Request, body: type[Strict]) -> dict[str, Any]:
    """The body of a call, whose address says nothing. Raises ValidationError, ParseError."""
    asked(request, Nothing)
    read = body(data=request.data)
    read.is_valid(raise_exception=True)
    found: dict[str, Any] = read.validated_data
    return found
