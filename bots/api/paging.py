"""Lists that page by cursor: rows in the order in which they were recorded, the newest first."""

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import Model, QuerySet
from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ModelSerializer
from rest_framework.views import APIView

from bots.api.asking import asked
from bots.api.permissions import MayRead
from bots.api.serializers import Span
from market.types import moment

USUAL, MOST = 100, 1_000
CURSOR, LIMIT = "cursor", "limit"
PAGING = (CURSOR, LIMIT)
_NO_PAGE = "cursor: no page begins there; accepted: `next` or `previous` of an answer"
PARAMETERS = [
    OpenApiParameter(
        CURSOR, {"type": "string", "pattern": "^[A-Za-z0-9+/=_-]+$", "maxLength": 200},
        description="where to go on: the whole address is `next` or `previous` of an answer",
    ),
    OpenApiParameter(
        LIMIT, {"type": "integer", "minimum": 1, "maximum": MOST, "default": USUAL},
        description="rows of a page",
    ),
]  # fmt: skip


class NewestFirst(CursorPagination):
    """DRF's cursor pages, strict about what they are asked for."""

    ordering = "-id"
    page_size = USUAL
    max_page_size = MOST

    def get_page_size(self, request: Request) -> int:
        """Rows of a page. Raises ValidationError."""
        text = request.query_params.get(LIMIT, str(USUAL))
        if not re.fullmatch("[0-9]{1,6}", text, re.ASCII) or not 1 <= int(text) <= MOST:
            raise ValidationError({LIMIT: [f"accepted: a whole number from 1 to {MOST}"]})
        return int(text)

    def decode_cursor(self, request: Request) -> Any:  # noqa: ANN401 - DRF's Cursor
        """Where the page begins. Raises NotFound: no page is there."""
        if request.query_params.get(CURSOR) == "":  # DRF would begin with the first page
            raise NotFound(_NO_PAGE)
        try:
            return super().decode_cursor(request)
        except (NotFound, ValueError, OverflowError):
            raise NotFound(_NO_PAGE) from None


class Rows(APIView):
    """A list that takes only the filters it names. `columns` are the columns of its filters."""

    permission_classes = (MayRead,)
    pages: ClassVar[type[NewestFirst]] = NewestFirst
    query: ClassVar[type[Span]]
    row: ClassVar[type[ModelSerializer[Any]]]
    rows: ClassVar[QuerySet[Any]]
    time: ClassVar[str]
    columns: ClassVar[Mapping[str, str]] = {
        "bot": "bot__slug",
        "side": "side",
        "status": "status__in",
    }

    def get(self, request: Request) -> Response:
        wish = asked(request, self.query, PAGING)
        pages = self.pages()
        found = pages.paginate_queryset(self.chosen(wish), request, self)
        return pages.get_paginated_response(self.row(found, many=True).data)

    @classmethod
    def chosen(cls, wish: Mapping[str, Any]) -> QuerySet[Model]:
        """The rows of a wish, in no order yet."""
        names = {**cls.columns, "from": f"{cls.time}__gte", "to": f"{cls.time}__lte"}
        given = {
            names[name]: moment(value) if name in ("from", "to") else value
            for name, value in wish.items()
        }
        return cls.rows.filter(**given)
