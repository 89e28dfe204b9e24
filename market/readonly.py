"""Admin pages that show rows and change none: plain decimals, and quick on large tables."""

from collections.abc import Callable
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db import connections
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from market.types import plain

COUNTED_EXACTLY_BELOW = 10_000
NOTHING = "–"


class EstimatedPaginator(Paginator):  # type: ignore[type-arg]
    """Takes PostgreSQL's own estimate for a large table that is shown whole."""

    @cached_property
    def count(self) -> int:
        """Rows: exact when filtered or few, else as of the last ANALYZE."""
        rows = self.object_list
        if not isinstance(rows, QuerySet) or rows.query.where or rows.query.distinct:
            return super().count
        with connections[rows.db].cursor() as cursor:
            cursor.execute(
                "SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass",
                [rows.model._meta.db_table],  # noqa: SLF001 - Django's documented Meta API
            )
            (estimate,) = cursor.fetchone()
        return int(estimate) if estimate >= COUNTED_EXACTLY_BELOW else super().count


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
