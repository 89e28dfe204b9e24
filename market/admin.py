"""The market in the admin: the exchange's filters and the newest prices, to read."""

from django.contrib import admin

from market.models import Instrument, Price
from market.readonly import ReadOnlyAdmin, number

_FILTERS = (
    number("tick"),
    number("lot"),
    number("min_notional"),
    number("max_limit_quantity"),
)
_PRICES = (number("last"), number("bid"), number("ask"))


@admin.register(Instrument)
class InstrumentAdmin(ReadOnlyAdmin):
    """Pairs and the exchange's filters for them."""

    list_display = ("symbol", "base", "quote", *_FILTERS, "updated_at")
    shown = list_display
    search_fields = ("symbol", "base", "quote")
    list_filter = ("quote",)


@admin.register(Price)
class PriceAdmin(ReadOnlyAdmin):
    """The newest price of each pair."""

    list_display = ("symbol", *_PRICES, "time", "received_at")
    shown = list_display
    search_fields = ("symbol",)
