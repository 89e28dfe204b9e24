"""The form that asks for a backtest: whose candles, which grid, which rules."""

from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator

from bots.backtest import tapes
from bots.forms import MOST_HOURLY
from bots.grid import trailing
from bots.grid.levels import GridSpec, InvalidGrid, levels
from bots.grid.trailing import HOURLY, Trailing
from bots.models import RECORDED, Backtest

FEWEST_GRIDS, MOST_GRIDS = 2, 200
MOST_FEE = Decimal(1)  # percent
PERCENT = Decimal(100)


class BacktestForm(forms.ModelForm):  # type: ignore[type-arg]
    """A plan; fees are asked for in percent."""

    candles = forms.ChoiceField()
    first_day = forms.DateField(
        label="From", required=False, widget=forms.DateInput(attrs={"type": "date"}),
        help_text="UTC; empty for all there is",
    )  # fmt: skip
    last_day = forms.DateField(
        label="To", required=False, widget=forms.DateInput(attrs={"type": "date"}),
        help_text="that day included",
    )  # fmt: skip
    grids = forms.IntegerField(
        validators=[MinValueValidator(FEWEST_GRIDS), MaxValueValidator(MOST_GRIDS)],
        help_text=f"{FEWEST_GRIDS} to {MOST_GRIDS}",
    )
    maker = forms.DecimalField(
        label="Maker fee, %", initial="0.1", min_value=0, max_value=MOST_FEE, decimal_places=4
    )
    taker = forms.DecimalField(
        label="Taker fee, %", initial="0.1", min_value=0, max_value=MOST_FEE, decimal_places=4
    )

    trailing_hourly = forms.IntegerField(
        label="Steps an hour", min_value=1, max_value=MOST_HOURLY, initial=HOURLY, required=False,
        help_text="at the most, when it trails up",
    )  # fmt: skip

    class Meta:
        model = Backtest
        fields = [
            "lower", "upper", "grids", "capital", "spacing", "sizing", "reserve", "maker", "taker",
            "path", "rule", "trailing_up", "trailing_cap", "trailing_hourly",
        ]  # fmt: skip
        labels = {
            "lower": "Lower price",
            "upper": "Upper price",
            "sizing": "Size of orders",
            "path": "Way inside a bar",
            "rule": "A fill needs",
            "trailing_up": "Trail up",
            "trailing_cap": "Highest level",
        }

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - as Django's own
        super().__init__(*args, **options)
        kept = [
            (f"{RECORDED}:{source.symbol}", f"{source.symbol}, our own record")
            for source in tapes.recorded()
        ]
        bundled = [
            (f"{name}:{symbol}", f"{symbol}, bundled tape") for symbol, name in tapes.tapes()
        ]
        self.fields["candles"] = forms.ChoiceField(choices=[*kept, *bundled])
        for name in ("lower", "upper", "capital", "grids"):
            self.fields[name].widget.attrs["inputmode"] = "decimal"

    def clean_maker(self) -> Decimal:
        share: Decimal = self.cleaned_data["maker"] / PERCENT
        return share

    def clean_taker(self) -> Decimal:
        share: Decimal = self.cleaned_data["taker"] / PERCENT
        return share

    def clean_trailing_hourly(self) -> int:
        return self.cleaned_data["trailing_hourly"] or HOURLY

    def clean(self) -> dict[str, Any]:
        """Check what concerns several fields, the grid by the engine's own rules."""
        found: dict[str, Any] = super().clean() or self.cleaned_data
        first, last = found.get("first_day"), found.get("last_day")
        if first and last and last < first:
            self.add_error("last_day", "must not be before the first day")
        if not {"lower", "upper", "grids", "capital", "reserve", "candles"} <= found.keys():
            return found
        for name in ("lower", "capital"):
            if found[name] <= 0:
                self.add_error(name, "must be above zero")
        if not 0 <= found["reserve"] < 1:
            self.add_error("reserve", "a share of the capital is accepted: from 0 to below 1")
        if found["lower"] >= found["upper"]:
            self.add_error("upper", "the upper price must be above the lower")
        if not self.errors:
            self._try_levels(found)
        return found

    def _try_levels(self, found: dict[str, Any]) -> None:
        spec = GridSpec.of(found)
        try:
            levels(spec, tapes.pair_of(found["candles"].partition(":")[2]))
            if found["trailing_up"]:
                trailing.check(spec, Trailing(cap=found["trailing_cap"]))
            elif found["trailing_cap"] is not None:
                self.add_error("trailing_cap", "a cap is for a grid that trails up")
        except InvalidGrid as error:
            self.add_error(error.field if error.field in self.fields else None, str(error))
        except tapes.NoSource as error:
            self.add_error("candles", str(error))

    def asked(self, by: str) -> Backtest:
        """The backtest as it waits to be carried out, saved."""
        row: Backtest = self.save(commit=False)
        row.source, _, row.symbol = self.cleaned_data["candles"].partition(":")
        row.since, row.until = self._start("first_day"), self._end("last_day")
        row.asked_by = by
        row.save()
        return row

    def _start(self, name: str) -> datetime | None:
        day = self.cleaned_data.get(name)
        return None if day is None else datetime.combine(day, time.min, UTC)

    def _end(self, name: str) -> datetime | None:
        day = self.cleaned_data.get(name)
        if day is None:
            return None
        return datetime.fromordinal(day.toordinal() + 1).replace(tzinfo=UTC)
