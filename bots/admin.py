"""Bots in the admin: grids and facts to read, bots to steer, and a form that deploys."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import reverse

import bots.api.admin
import bots.books.admin  # noqa: F401 - likewise
from bots import control, preview, switches
from bots.control import NotPossible
from bots.forms import DeployForm
from bots.grid.levels import InvalidGrid, Spacing
from bots.models import Bot, CapitalMove, Cell, Fill, GridConfig, Order, RoundTrip
from bots.pages.grid import truth_of, weighed
from bots.pages.steering import Steering
from bots.preview import Preview
from integrations.bybit.account import gateway_from_settings
from market.exchange import ExchangeError
from market.readonly import NOTHING, FactAdmin, ReadOnlyAdmin, number
from market.types import plain

_MODE_WORDS = {"live": "LIVE, real money"}
admin.site.site_header = f"GridTrader – {_MODE_WORDS.get(settings.MODE, settings.MODE)}"
admin.site.site_title = "GridTrader"
admin.site.index_title = "Grids, facts and accounts"


@admin.register(Bot)
class BotAdmin(Steering, ReadOnlyAdmin):
    """Bots and their states."""

    list_display = ("name", "symbol", "state", "reason", "config", "state_since", "looked_at")
    shown = (
        "name", "slug", "symbol", "tag", "state", "reason", "state_since", "config", "deployed_at",
        "looked_at", "epoch", "lease_until", "news",
    )  # fmt: skip
    list_filter = ("state", "symbol")
    search_fields = ("name", "slug", "symbol")
    list_select_related = ("config__bot",)

    def view_on_site(self, bot: Bot) -> str | None:
        """Its own page, once it has a grid."""
        return reverse("bot", args=[bot.slug]) if bot.config_id else None


class WeighedForm(DeployForm):
    """A deployment worked out on this moment's market, with its truth card; `_truth` asks only."""

    preview: Preview | None = None
    truth: dict[str, Any] | None = None

    def is_valid(self) -> bool:
        """Whether to deploy it: not when only the truth about it was asked for."""
        return super().is_valid() and "_truth" not in self.data

    def clean(self) -> dict[str, Any]:
        found = super().clean()
        if not self.errors:
            self.preview = weighed(self)
            self.truth = truth_of(self.preview)
        return found


@admin.register(GridConfig)
class GridConfigAdmin(Steering, ReadOnlyAdmin):
    """Versions of grids. A version never changes; the form here deploys a new bot."""

    form = WeighedForm
    add_form_template = "admin/deploy.html"
    list_display = (
        "pair", "state", "version", "current", "range", "levels", "step", number("capital"),
        "stop_loss_at", "btc_filter", "created_at", "created_by",
    )  # fmt: skip
    list_filter = ("bot__state", "bot__symbol", "spacing", "btc_filter")
    search_fields = ("bot__name", "bot__slug", "bot__symbol", "created_by")
    list_select_related = ("bot",)
    shown = (
        "bot", "version", number("lower"), number("upper"), "grids", "levels", "step",
        number("capital"), "spacing", "sizing", number("reserve"), number("stop_loss"),
        number("take_profit"), number("trigger_price"), "on_exit", "trailing_stop",
        "trailing_up", number("trailing_cap"), "trailing_hourly", "trailed", "btc_filter",
        "reference", "state",
        "current", "created_at", "created_by", "truth",
    )  # fmt: skip
    _asked = (
        (None, {"fields": ("name", "slug", "symbol")}),
        ("Range", {"fields": ("lower", "upper", "grids", "spacing", "trigger_price")}),
        ("Sizing", {"fields": ("capital", "sizing", "reserve")}),
        ("Risk", {"fields": ("stop_loss", "take_profit", "trailing_stop", "on_exit")}),
        ("Trailing up", {"fields": ("trailing_up", "trailing_cap", "trailing_hourly")}),
        ("Only while stable", {"fields": ("btc_filter", "reference")}),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("bots.add_gridconfig")

    def bots_of(self, rows: QuerySet[GridConfig]) -> Sequence[Bot]:
        """Those that run one of these versions now."""
        return list(Bot.objects.filter(config__in=rows))

    def view_on_site(self, config: GridConfig) -> str | None:
        """Its bot's own page."""
        return reverse("bot", args=[config.bot.slug]) if config.bot.config_id else None

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> Any:  # noqa: ARG002, ANN401
        return self._asked if obj is None else ((None, {"fields": self.shown}),)

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:  # noqa: ARG002, ANN401
        return () if obj is None else self.shown

    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",
        extra_context: Any = None,  # noqa: ANN401
    ) -> HttpResponse:
        """The form; a name or range that another took since it was checked is told, not broken."""
        try:
            return super().add_view(request, form_url, extra_context)
        except (NotPossible, InvalidGrid) as error:
            self.message_user(request, f"Nothing was deployed: {error}.", messages.ERROR)
            return redirect(request.get_full_path())

    def save_model(
        self,
        request: HttpRequest,
        obj: GridConfig,
        form: Any,  # noqa: ANN401 - Django's own promise is any form; this page's is WeighedForm
        change: bool,  # noqa: ARG002, FBT001 - Django's signature
    ) -> None:
        """Deploy instead of saving: the version and its bot come from one place."""
        who = request.user.get_username()
        bot = control.deploy(form.deployment(), by=who, unless=form.preview.beyond)
        obj.pk, obj.bot, obj.version = bot.config_id, bot, 1
        switches.look(bot)

    @admin.display(description="what it is now")
    def truth(self, config: GridConfig) -> str:
        """The truth card, worked out on the price of this moment."""
        try:
            found = preview.preview(
                gateway_from_settings(), config.bot.symbol, config, instead_of=config.bot
            )
        except (InvalidGrid, ExchangeError) as error:
            return f"It cannot be worked out now: {error}"
        return render_to_string("admin/truth.html", {"truth": truth_of(found)})

    @admin.display(description="pair", ordering="bot__symbol")
    def pair(self, config: GridConfig) -> str:
        return config.bot.name

    @admin.display(description="levels", ordering="grids")
    def levels(self, config: GridConfig) -> int:
        return config.grids + 1

    @admin.display(description="range", ordering="lower")
    def range(self, config: GridConfig) -> str:
        return f"{plain(config.lower)} – {plain(config.upper)}"

    @admin.display(description="step")
    def step(self, config: GridConfig) -> str:
        """The smallest and the largest step, in percent of the lower of its two prices."""
        return step_text(config)

    @admin.display(description="stop-loss", ordering="stop_loss")
    def stop_loss_at(self, config: GridConfig) -> str:
        return NOTHING if config.stop_loss is None else plain(config.stop_loss)

    @admin.display(description="state", ordering="bot__state")
    def state(self, config: GridConfig) -> str:
        return config.bot.get_state_display()

    @admin.display(description="current", boolean=True)
    def current(self, config: GridConfig) -> bool:
        return config.bot.config_id == config.pk


def step_text(config: GridConfig) -> str:
    """A grid's step in percent; of an arithmetic one the narrowest and the widest."""
    if config.spacing == Spacing.GEOMETRIC:
        ratio = (config.upper / config.lower).ln() / config.grids
        return f"{(ratio.exp() - 1) * 100:.2f} %"
    step = (config.upper - config.lower) / config.grids
    shares: list[Decimal] = [step / (config.upper - step) * 100, step / config.lower * 100]
    return " – ".join(f"{share:.2f}" for share in shares) + " %"


@admin.register(Cell)
class CellAdmin(ReadOnlyAdmin):
    """Cells as the engine last saved them."""

    list_display = (
        "config", "index", number("low"), number("high"), number("quantity"), "side", "trip",
        number("held"), number("cost"), "reason",
    )  # fmt: skip
    shown = (
        "config", "index", number("low"), number("high"), number("quantity"), "side", "trip",
        "attempt", "entry", "crossed", number("bought"), number("held"), number("cost"),
        number("buy_fee"), number("sold"), number("proceeds"), "opened", "reason",
    )  # fmt: skip
    list_filter = ("config__bot", "side")
    search_fields = ("config__bot__slug", "config__bot__symbol")
    list_select_related = ("config__bot",)


@admin.register(Order)
class OrderAdmin(FactAdmin):
    """Orders of ours and what the exchange said to them."""

    list_display = (
        "client_id", "bot", "cell", "side", number("price"), number("quantity"), number("filled"),
        "status", "reason", "created_at", "acknowledged_at",
    )  # fmt: skip
    shown = (
        "client_id", "order_id", "bot", "config", "cell", "symbol", "side", number("price"),
        number("quantity"), number("filled"), "time_in_force", "status", "reason", "settled",
        "created_at", "caused_at", "sent_at", "acknowledged_at", "look_after", "not_found",
    )  # fmt: skip
    list_filter = ("bot", "side", "status", "settled", "created_at")
    ids = ("client_id", "order_id")
    list_select_related = ("bot", "config__bot")


@admin.register(Fill)
class FillAdmin(FactAdmin):
    """Executions of our orders."""

    list_display = (
        "exec_id", "time", "bot", "side", number("price"), number("quantity"), number("fee"),
        "fee_coin", "is_maker", "booked",
    )  # fmt: skip
    shown = (
        "exec_id", "order", "bot", "symbol", "side", number("price"), number("quantity"),
        number("fee"), "fee_coin", "is_maker", "time", "received_at", "booked",
    )  # fmt: skip
    list_filter = ("bot", "side", "is_maker", "booked", "time")
    ids = ("exec_id", "order__client_id", "order__order_id")
    list_select_related = ("bot", "order")


@admin.register(RoundTrip)
class RoundTripAdmin(FactAdmin):
    """Bought-and-sold passages of cells."""

    _MONEY = tuple(
        number(name)
        for name in ("bought", "sold", "cost", "proceeds", "grid_profit", "inventory_pnl")
    )
    list_display = (
        "closed",
        "bot",
        "cell",
        "trip",
        *_MONEY,
    )
    shown = ("bot", "config", "entry", "opened", "closed", "cell", "trip", *_MONEY)
    list_filter = ("bot", "entry", "closed")
    ids = ()
    list_select_related = ("bot", "config__bot")


@admin.register(CapitalMove)
class CapitalMoveAdmin(ReadOnlyAdmin):
    """Coins that came or went other than by our fills."""

    list_display = ("at", "coin", number("amount"), "reason", "opening")
    shown = list_display
    list_filter = ("coin", "opening")
    search_fields = ("coin", "reason")
    ordering = ("-id",)
