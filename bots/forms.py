"""The form that deploys a bot; every rule of the grid is told at the field it is about."""

from decimal import Decimal
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db.models import Max

from bots.control import Deployment, first_version
from bots.grid.levels import GridSpec, InvalidGrid, levels
from bots.grid.trailing import HOURLY
from bots.models import Bot, GridConfig
from bots.terms import check, others_than, overlaps
from market.models import Instrument

FEWEST_GRIDS, MOST_GRIDS = 2, 100
MOST_HOURLY = 60
_SYMBOL = RegexValidator(r"^[A-Z0-9]{5,32}\Z", "accepted: capital letters and digits, BTCUSDT")


class DeployForm(forms.ModelForm):  # type: ignore[type-arg]
    """A new bot and the first version of its grid."""

    slug = forms.SlugField(max_length=40, help_text="its name in addresses, e.g. btc-usdt")
    name = forms.CharField(max_length=40, help_text="its name on the pages, e.g. BTC/USDT")
    symbol = forms.CharField(
        max_length=32,
        help_text="Bybit's name of the spot pair, e.g. BTCUSDT",
        validators=[_SYMBOL],
    )
    grids = forms.IntegerField(
        validators=[MinValueValidator(FEWEST_GRIDS), MaxValueValidator(MOST_GRIDS)],
        help_text=f"{FEWEST_GRIDS} to {MOST_GRIDS}; N grids are N cells and N + 1 levels",
    )

    on_exit = forms.ChoiceField(
        choices=Bot.Exit.choices,
        initial=Bot.Exit.SELL,
        required=False,
        help_text="how stop-loss, take-profit and trailing stop leave the market",
    )
    trailing_hourly = forms.IntegerField(
        min_value=1,
        max_value=MOST_HOURLY,
        initial=HOURLY,
        required=False,
        help_text="at the most, when it trails up",
    )
    reference = forms.CharField(
        max_length=32,
        required=False,
        validators=[_SYMBOL],
        help_text="buys only while this pair is stable too, e.g. ETHUSDT; empty for none",
    )

    class Meta:
        model = GridConfig
        fields = [
            "lower", "upper", "grids", "capital", "spacing", "sizing", "reserve", "stop_loss",
            "take_profit", "trailing_stop", "trigger_price", "on_exit", "trailing_up",
            "trailing_cap", "trailing_hourly", "btc_filter", "reference",
        ]  # fmt: skip
        help_texts = {
            "lower": "lowest level, in quote",
            "upper": "highest level, in quote",
            "capital": "in quote; what the bot may use",
            "spacing": "equal differences or equal ratios between levels",
            "sizing": "equal base or equal quote in each cell",
            "stop_loss": "below the lower price; empty for none",
            "take_profit": "above the upper price; empty for none",
            "trailing_stop": "0.05 ends it 5 % below the highest price since its start",
            "trailing_up": "follows a rising price one cell at a time, never down",
            "trailing_cap": "no level goes above it; empty for none",
            "btc_filter": "buys only while BTC is stable",
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

    instead_of: Bot | None = None  # the bot whose next version this is

    def clean(self) -> dict[str, Any]:
        """Check what concerns several fields; the tick only when the pair's filters are known."""
        found = super().clean() or self.cleaned_data
        if self.errors:
            return found
        trigger: Decimal | None = found["trigger_price"]
        if trigger is not None and trigger <= 0:
            self.add_error("trigger_price", "must be above zero")
        try:
            self._check()
        except InvalidGrid as error:
            self.add_error(error.field, str(error))
        return found

    def _check(self) -> None:
        """Raises InvalidGrid for what cannot be, and for a range that another bot trades."""
        wish = self.deployment()
        config = first_version(wish)
        check(config)
        for objection in overlaps(wish.symbol, config, others_than(self.instead_of)):
            raise objection
        if pair := Instrument.objects.filter(symbol=wish.symbol).first():
            levels(wish.spec, pair.to_domain())

    def deployment(self) -> Deployment:
        """What the valid form asks for."""
        found = self.cleaned_data
        last = Bot.objects.aggregate(last=Max("position"))["last"]
        return Deployment(
            slug=found["slug"],
            name=found["name"],
            symbol=found["symbol"],
            spec=GridSpec.of(found),
            stop_loss=found["stop_loss"],
            take_profit=found["take_profit"],
            trigger_price=found["trigger_price"],
            on_exit=found["on_exit"] or Bot.Exit.SELL,
            btc_filter=found["btc_filter"],
            reference=found["reference"],
            trailing_stop=found["trailing_stop"],
            trailing_up=found["trailing_up"],
            trailing_cap=found["trailing_cap"],
            trailing_hourly=found["trailing_hourly"] or HOURLY,
            position=0 if last is None else last + 1,
        )
