"""The OpenAPI document: what every call has in common, said once; the rest stands at its view."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_view,
    inline_serializer,
)
from rest_framework import serializers

from bots.api.idempotency import HEADER, LONGEST_KEY
from bots.api.paging import PARAMETERS

View = TypeVar("View")
Schema = dict[str, Any]

ERROR: Schema = {
    "type": "object",
    "required": ["error"],
    "additionalProperties": False,
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "additionalProperties": False,
            "properties": {
                "code": {"type": "string", "description": "one word for programs"},
                "message": {
                    "type": "string",
                    "description": "what is wrong, and what would be accepted",
                },
                "fields": {
                    "type": "object",
                    "description": "the same by the name of the field",
                    "additionalProperties": {"type": "array", "items": {"type": "string"}},
                },
            },
        }
    },
}

# Which refusals there are, and of which calls: status -> (words, an example, whose).
_EVERY, _GUARDED, _ASKING, _NAMING, _WRITING, _STATEFUL = range(6)
_REFUSALS: Mapping[str, tuple[str, tuple[str, str], int]] = {
    "400": (
        "The query or the body is not understood.",
        ("invalid", "limit: accepted: a whole number from 1 to 1000"),
        _ASKING,
    ),
    "401": (
        "Nobody is logged in, or the token is not valid any more.",
        ("not_authenticated", "log in, or send the header `Authorization: Token KEY`"),
        _GUARDED,
    ),
    "403": (
        "The account's role, or the token's scope, does not open this.",
        ("forbidden", "this needs one of the roles trader, admin; yours: viewer"),
        _GUARDED,
    ),
    "404": (
        "It names something that does not exist.",
        ("not_found", "no bot is named 'xrp-usdt'; the bots: btc-usdt, mnt-usdt"),
        _NAMING,
    ),
    "409": (
        "It makes no sense in the present state, or its Idempotency-Key came with another body.",
        ("conflict", "BTC/USDT is stopped; only a running bot pauses"),
        _STATEFUL,
    ),
    "406": (
        "The answer is wanted in another form than there is.",
        ("not_acceptable", "Could not satisfy the request Accept header."),
        _EVERY,
    ),
    "413": (
        "The body is too long.",
        ("too_large", f"accepted: at most {settings.DATA_UPLOAD_MAX_MEMORY_SIZE} bytes"),
        _WRITING,
    ),
    "415": (
        "The body is no JSON.",
        ("unsupported_media_type", "Accepted: application/json."),
        _WRITING,
    ),
    "429": (
        "Too many calls; `Retry-After` says in how many seconds the next is taken.",
        ("throttled", "Request was throttled. Expected available in 2 seconds."),
        _EVERY,
    ),
    "503": (
        "The database does not answer now.",
        ("unavailable", "the database does not answer now; try again in a moment"),
        _EVERY,
    ),
}

_KEY = OpenApiParameter(
    HEADER,
    {"type": "string", "pattern": "^[!-~]([ -~]*[!-~])?$", "maxLength": LONGEST_KEY},
    OpenApiParameter.HEADER,
    description="the same key and body give the stored answer again, and do nothing twice",
)  # fmt: skip


class Described(AutoSchema):
    """A call as the document tells it: with its key, and with every refusal that it may meet."""

    def get_override_parameters(self) -> list[Any]:
        """The Idempotency-Key, where the call takes one."""
        handler = getattr(self.view, self.method.lower())
        return [_KEY] if getattr(handler, "takes_key", False) else []

    def get_operation(self, *args: Any, **options: Any) -> Schema | None:  # noqa: ANN401
        """The operation, and its refusals."""
        operation: Schema | None = super().get_operation(*args, **options)
        if operation is None:
            return None
        for status, (_, _, whose) in _REFUSALS.items():
            if self._meets(whose, operation):
                refusal = {"$ref": f"#/components/responses/Refused{status}"}
                operation["responses"].setdefault(status, refusal)
        operation["responses"] = dict(sorted(operation["responses"].items()))
        return operation

    def _meets(self, whose: int, operation: Schema) -> bool:
        writes = "requestBody" in operation
        places = [parameter["in"] for parameter in operation.get("parameters", [])]
        return {
            _EVERY: True,
            _GUARDED: bool(self.view.authentication_classes),
            _ASKING: True,
            _NAMING: bool(places) or writes,
            _WRITING: writes,
            _STATEFUL: writes,
        }[whose]


def components() -> Schema:
    """The parts that calls refer to."""
    return {
        "schemas": {"Error": ERROR},
        "responses": {
            f"Refused{status}": _refused(*facts[:2]) for status, facts in _REFUSALS.items()
        },
    }


def _refused(words: str, example: tuple[str, str]) -> Schema:
    code, message = example
    return {
        "description": words,
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/Error"},
                "example": {"error": {"code": code, "message": message}},
            }
        },
    }


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """`Authorization: Token KEY`."""

    target_class = "bots.api.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: AutoSchema) -> Schema:  # noqa: ARG002
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "the word Token, a space, and the key that `manage.py token` printed",
        }


class StrictScheme(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """Bodies take no names that they do not know."""

    target_class = "bots.api.serializers.Strict"
    match_subclasses = True

    def map_serializer(self, auto_schema: AutoSchema, direction: str) -> Schema:
        found: Schema = auto_schema._map_serializer(  # noqa: SLF001 - as its documentation shows
            self.target, direction, bypass_extensions=True
        )
        return {**found, "additionalProperties": False, **self.target.shape}


def listed(query: type[Any], row: type[Any], name: str = "results") -> Callable[[View], View]:
    """Describe a list that pages by cursor."""
    address = serializers.URLField(allow_null=True)
    page = inline_serializer(
        f"{row.__name__}Page", {"next": address, "previous": address, name: row(many=True)}
    )
    return extend_schema_view(get=extend_schema(parameters=[query, *PARAMETERS], responses=page))


def csv_file(query: type[Any]) -> Callable[[View], View]:
    """Describe a CSV export."""
    file = OpenApiResponse(OpenApiTypes.STR, "A head line, then a line for each row.")
    return extend_schema_view(
        get=extend_schema(parameters=[query], responses={(200, "text/csv"): file})
    )
