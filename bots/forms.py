"""The form that deploys a bot; every rule of the grid is told at the field it is about."""

from decimal import Decimal
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db.models import Max

from bots.control import Deployment
from bots.grid.levels import GridSpec, InvalidGrid, Sizing, Spacing, levels
from bots.models import Bot, GridConfig
from market.models import Instrument

FEWEST_GRIDS, MOST_GRIDS = 2, 100


class DeployForm(forms.ModelForm):  # type: ignore[type-arg]
    """A new bot and the first version of its grid."""

    slug = forms.SlugField(max_length=40, help_text="its name in addresses, e.g. btc-usdt")
    name = forms.CharField(max_length=40, help_text="its name on the pages, e.g. BTC/USDT")
    symbol = forms.CharField(
        max_length=32,
        help_text="Bybit's name of the spot pair, e.g. BTCUSDT",
        validators=[
            RegexValidator(r"^[A-Z0-9]{5,32}\Z", "accepted: capital letters and digits, BTCUSDT")
        ],
    )
    grids = forms.IntegerField(
        validators=[MinValueValidator(FEWEST_GRIDS), MaxValueValidator(MOST_GRIDS)],
        help_text=f"{FEWEST_GRIDS} to {MOST_GRIDS}; N grids are N cells and N + 1 levels",
    )

    on_exit = forms.ChoiceField(
        choices=Bot.Exit.choices,
        initial=Bot.Exit.SELL,
        required=False,
        help_text="how the take-profit leaves the market",
    )

    class Meta:
        model = GridConfig
        fields = [
            "lower", "upper", "grids", "capital", "spacing", "sizing", "reserve", "stop_loss",
            "take_profit", "trigger_price", "on_exit", "btc_filter",
        ]  # fmt: skip
        help_texts = {
            "lower": "lowest level, in quote",
            "upper": "highest level, in quote",
            "capital": "in quote; what the bot may use",
            "spacing": "equal differences or equal ratios between levels",
            "sizing": "equal base or equal quote in each cell",
            "stop_loss": "below the lower price; empty for none",
            "take_profit": "above the upper price; empty for none",
            "trigger_price": "the bot starts when the price reaches it; empty to start at once",
        }

    def clean_slug(self) -> str:
        slug: str = self.cleaned_data["slug"]
        if Bot.objects.filter(slug=slug).exists():
            raise forms.ValidationError(f"a bot named {slug} exists already; choose another name")
        return slug

    def clean_lower(self) -> Decimal:
        return self._above_zero("lower")

    def clean_capital(self) -> Decimal:
        return self._above_zero("capital")

    def clean_reserve(self) -> Decimal:
        reserve: Decimal = self.cleaned_data["reserve"]
        if not 0 <= reserve < 1:
            raise forms.ValidationError("a share of the capital is accepted: from 0 to below 1")
        return reserve

    def _above_zero(self, name: str) -> Decimal:
        amount: Decimal = self.cleaned_data[name]
        if amount <= 0:
            raise forms.ValidationError("must be above zero")
        return amount

    def clean(self) -> dict[str, Any]:
        """Check what concerns several fields; the tick only when the pair's filters are known."""
        found = super().clean() or self.cleaned_data
        if self.errors:
            return found
        stop_loss: Decimal | None = found["stop_loss"]
        if stop_loss is not None and not 0 < stop_loss < found["lower"]:
            self.add_error("stop_loss", "the stop-loss must lie between zero and the lower price")
        take_profit: Decimal | None = found["take_profit"]
        if take_profit is not None and take_profit <= found["upper"]:
            self.add_error("take_profit", "the take-profit must lie above the upper price")
        trigger: Decimal | None = found["trigger_price"]
        if trigger is not None and trigger <= 0:
            self.add_error("trigger_price", "must be above zero")
        if found["lower"] >= found["upper"]:
            self.add_error("upper", "the upper price must be above the lower")
        elif pair := Instrument.objects.filter(symbol=found["symbol"]).first():
            try:
                levels(self._spec(), pair.to_domain())
            except InvalidGrid as error:
                self.add_error(error.field, str(error))
        return found

    def deployment(self) -> Deployment:
        """What the valid form asks for."""
        found = self.cleaned_data
        last = Bot.objects.aggregate(last=Max("position"))["last"]
        return Deployment(
            slug=found["slug"],
            name=found["name"],
            symbol=found["symbol"],
            spec=self._spec(),
            stop_loss=found["stop_loss"],
            take_profit=found["take_profit"],
            trigger_price=found["trigger_price"],
            on_exit=found["on_exit"] or Bot.Exit.SELL,
            btc_filter=found["btc_filter"],
            position=0 if last is None else last + 1,
        )

    def _spec(self) -> GridSpec:
        found = self.cleaned_data
        return GridSpec(
            lower=found["lower"],
            upper=found["upper"],
            grids=found["grids"],
            capital=found["capital"],
            spacing=Spacing(found["spacing"]),
            sizing=Sizing(found["sizing"]),
            reserve=found["reserve"],
        )
