"""Halts in the admin, to read."""

from django.contrib import admin

from market.readonly import ReadOnlyAdmin
from risk.models import Halt


@admin.register(Halt)
class HaltAdmin(ReadOnlyAdmin):
    """Who had to stop, why, and until when."""

    list_display = ("subject", "reason", "opened_at", "opened_by", "lifted_at", "lifted_by")
    shown = list_display
    list_filter = (("lifted_at", admin.EmptyFieldListFilter),)
    search_fields = ("subject", "reason", "opened_by", "lifted_by")
    ordering = ("-id",)
