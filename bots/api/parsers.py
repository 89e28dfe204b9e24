"""Reads JSON bodies, strictly: what could be understood in two ways is not understood."""

import json
from collections.abc import Mapping
from typing import IO, Any, NoReturn

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

DEEPEST = 20  # levels; a call has two


class StrictJSONParser(JSONParser):
    """JSON of bounded depth, whose objects name each member once."""

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,  # noqa: ARG002 - DRF's signature
        parser_context: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> Any:  # noqa: ANN401
        """The value of a body. Raises ParseError."""
        raw = stream.read()  # no longer than integrations/bodies.py lets pass
        try:
            value = json.loads(
                raw.decode("utf-8"), parse_constant=_no_number, object_pairs_hook=_once
            )
        except UnicodeDecodeError:
            raise ParseError("the body is not UTF-8; accepted: a JSON object in UTF-8") from None
        except RecursionError:
            raise ParseError(_too_deep()) from None
        except ValueError as error:
            raise ParseError(f"the body is no JSON: {error}; accepted: a JSON object") from None
        if _depth(value) > DEEPEST:
            raise ParseError(_too_deep())
        return value


def _too_deep() -> str:
    return f"the body is nested too deeply; accepted: {DEEPEST} levels"


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice[:40]!r} stands in it twice")
    return found


def _depth(value: object) -> int:
    """How many arrays and objects lie in each other; never much more than is accepted."""
    level, depth = [value], 0
    while depth <= DEEPEST:
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        depth += 1
        if not level:
            return depth
    return depth
