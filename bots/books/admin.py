"""The ledger and the steps of trailing grids in the admin: facts to read, nothing to change."""

from datetime import datetime

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from bots.books import ledger
from bots.models import Booking, BookLine, Shift
from market.readonly import ReadOnlyAdmin, number
from market.types import moment


@admin.register(Booking)
class BookingAdmin(ReadOnlyAdmin):
    """Events of the ledger; the lines of each add up to zero in every coin."""

    list_display = ("id", "at", "kind", "fill", "move", "config")
    shown = ("id", "at", "written_at", "kind", "fill", "move", "config", "amounts")
    list_filter = ("kind",)
    search_fields = ("fill__exec_id", "fill__bot__slug", "move__coin", "config__bot__slug")
    list_select_related = ("fill", "move", "config__bot")
    ordering = ("-id",)

    @admin.display(description="lines")
    def amounts(self, booking: Booking) -> str:
        """Who received what; below zero who gave it."""
        lines = booking.lines.select_related("bot")
        return "; ".join(f"{line} ({line.bot})" if line.bot else str(line) for line in lines)


class CoinFilter(admin.SimpleListFilter):
    """By coin. Django's own would look for them in every line; the sums of days know them."""

    title = parameter_name = "coin"

    def lookups(self, *_: object) -> list[tuple[str, str]]:
        return [(coin, coin) for coin in sorted(ledger.balances())]

    def queryset(self, _: HttpRequest, queryset: "QuerySet[BookLine]") -> "QuerySet[BookLine]":
        return queryset if self.value() is None else queryset.filter(coin=self.value())


@admin.register(BookLine)
class BookLineAdmin(ReadOnlyAdmin):
    """What each account received (above zero) or gave (below)."""

    list_display = ("id", "at", "kind", "account", "bot", "coin", number("amount"))
    shown = ("booking", *list_display[1:])
    list_filter = ("account", CoinFilter, "bot", "booking__kind")
    search_fields = ("coin", "bot__slug", "bot__symbol", "booking__fill__exec_id")
    list_select_related = ("bot", "booking")
    ordering = ("-id",)

    @admin.display(description="at", ordering="booking__at")
    def at(self, line: BookLine) -> datetime:
        found: datetime = line.booking.at
        return found

    @admin.display(description="kind", ordering="booking__kind")
    def kind(self, line: BookLine) -> str:
        return str(line.booking.get_kind_display())


@admin.register(Shift)
class ShiftAdmin(ReadOnlyAdmin):
    """Cells that went from the foot of a trailing ladder to its top."""

    list_display = (
        "config", "cell", "trip", number("was_low"), number("low"), number("high"),
        number("quantity"), number("price"), "at",
    )  # fmt: skip
    shown = (
        "config", "cell", "trip", number("was_low"), number("was_high"), number("was_quantity"),
        number("low"), number("high"), number("quantity"), number("price"), "at",
    )  # fmt: skip
    list_filter = ("config__bot",)
    search_fields = ("config__bot__slug", "config__bot__symbol")
    list_select_related = ("config__bot",)
    ordering = ("-id",)

    @admin.display(description="at", ordering="time")
    def at(self, shift: Shift) -> datetime:
        """Exchange clock."""
        return moment(shift.time)
