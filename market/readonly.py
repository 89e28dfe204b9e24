"""Admin pages that show rows and change none: plain decimals, and quick on large tables."""

import json
from collections.abc import Callable
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from market.types import plain

COUNTED_EXACTLY_BELOW = 10_000
NOTHING = "–"


class EstimatedPaginator(Paginator):  # type: ignore[type-arg]
    """Takes PostgreSQL's own estimate where many rows are shown, filtered or not."""

    @cached_property
    def count(self) -> int:
        """Rows: exact when they are few, else as the planner expects since the last ANALYZE."""
        rows = self.object_list
        if not isinstance(rows, QuerySet):
            return super().count
        if not (told := rows.order_by().explain(format="json")):
            return 0  # of a search that found nothing
        (plan,) = json.loads(told)
        estimate = int(plan["Plan"]["Plan Rows"])
        return estimate if estimate >= COUNTED_EXACTLY_BELOW else super().count


def number(name: str) -> Callable[[Model], str]:
    """A column or field that shows a decimal with its own digits, sorted by its value."""

    @admin.display(description=name.replace("_", " "), ordering=name)
    def show(row: Model) -> str:
        value: Decimal | None = getattr(row, name)
        return NOTHING if value is None else plain(value)

    show.__name__ = name
    return show


Column = str | Callable[[Any], str]


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """A page without add, change and delete; `shown` are the fields of one row's page."""

    shown: tuple[Column, ...]
    paginator = EstimatedPaginator
    show_full_result_count = False
    list_per_page = 100

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:  # noqa: ARG002, ANN401
        return self.shown

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:  # noqa: ARG002, ANN401
        return self.shown

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        return False


class FactAdmin(ReadOnlyAdmin):
    """A page of a table that grows for ever: the newest first, found by whole ids alone.

    Everything it offers is answered by an index; sorting by other columns is not offered.
    """

    sortable_by = ()
    ordering = ("-id",)
    ids: tuple[str, ...]
    """Columns with an index in which a search looks for the very text."""

    def get_search_fields(self, request: HttpRequest) -> tuple[str, ...]:  # noqa: ARG002
        return self.ids

    def get_search_results(
        self,
        request: HttpRequest,  # noqa: ARG002 - Django's signature
        queryset: QuerySet[Any],
        search_term: str,
    ) -> tuple[QuerySet[Any], bool]:
        """Rows with that id. Each column is looked up by itself: joined, no index would serve."""
        if not (term := search_term.strip()):
            return queryset, False
        found = {
            key
            for column in self.ids
            for key in self.model._default_manager.filter(**{column: term})  # noqa: SLF001
            .order_by()
            .values_list("pk", flat=True)[: self.list_per_page]
        }
        return queryset.filter(pk__in=found), False
