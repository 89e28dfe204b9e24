"""Outside services in the admin, to read: alerts and their effects, the outbox, legacy trades."""

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from integrations.models import Alert, AlertEffect, Lane, LegacyTrade, Parcel
from market.readonly import ReadOnlyAdmin, number


class Effects(admin.TabularInline):  # type: ignore[type-arg]
    """What an alert did to each bot."""

    model = AlertEffect
    fields = readonly_fields = ("at", "bot", "action", "state", "reason")
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        return False


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    """Alerts that came in with the right secret, and what came of them."""

    list_display = ("received_at", "source", "action", "symbol", "state", "reason", "name")
    shown = (
        "source", "name", "sent_at", "received_at", "symbol", "action", "details", "state",
        "reason", "claimed_at", "done_at",
    )  # fmt: skip
    inlines = (Effects,)
    list_filter = ("state", "action", "symbol", "source")
    search_fields = ("name", "symbol", "reason")
    ordering = ("-id",)


@admin.register(Parcel)
class ParcelAdmin(ReadOnlyAdmin):
    """Messages to outside services; what has no `processed at` is still to be delivered."""

    list_display = (
        "created_at", "lane", "key", "level", "attempts", "processed_at", "due_at", "trouble",
    )  # fmt: skip
    shown = (
        "lane", "key", "level", "payload", "created_at", "due_at", "attempts", "begun_at",
        "processed_at", "receipt", "trouble",
    )  # fmt: skip
    list_filter = ("lane", "level", ("processed_at", admin.EmptyFieldListFilter))
    search_fields = ("key", "trouble")
    ordering = ("-id",)


@admin.register(Lane)
class LaneAdmin(ReadOnlyAdmin):
    """Ways out: who is shut, until when, and why."""

    list_display = ("name", "not_before", "trouble", "lease_until")
    shown = (*list_display, "epoch")


@admin.register(LegacyTrade)
class LegacyTradeAdmin(ReadOnlyAdmin):
    """Trades imported from Notion."""

    list_display = (
        "traded_at", "title", "symbol", "side", number("price"), number("quantity"),
        number("fee"), number("profit"),
    )  # fmt: skip
    shown = (*list_display, "page", "properties", "imported_at")
    list_filter = ("symbol", "side")
    search_fields = ("title", "symbol")
    ordering = ("-traded_at", "-id")
