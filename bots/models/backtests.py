"""Backtests that people asked for: the plan, how far it is, and what came of it."""

from decimal import Decimal

from django.db import models

from bots.grid.levels import Sizing, Spacing
from bots.grid.trailing import HOURLY
from market.models import MoneyField

RECORDED = "recorded"  # the source that is our own candles; any other is the name of a tape


class Backtest(models.Model):
    """A plan replayed on recorded prices. What came of it is kept as texts, and never changes."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    class Path(models.TextChoices):
        NEAREST = "nearest", "nearest extreme first"
        COLOR = "color", "low first in rising bars, high first in falling ones"

    class Rule(models.TextChoices):
        THROUGH = "through", "the price must go through it"
        TOUCH = "touch", "a touch is enough"

    symbol = models.CharField(max_length=32)
    source = models.CharField(max_length=120, default=RECORDED)
    since = models.DateTimeField(null=True, blank=True, help_text="first bar, exchange clock")
    until = models.DateTimeField(null=True, blank=True, help_text="bars that open before this")
    lower = MoneyField()
    upper = MoneyField()
    grids = models.PositiveSmallIntegerField()
    capital = MoneyField()
    spacing = models.CharField(
        max_length=12, choices=[(s.value, s.value) for s in Spacing], default=Spacing.ARITHMETIC
    )
    sizing = models.CharField(
        max_length=8, choices=[(s.value, s.value) for s in Sizing], default=Sizing.BASE
    )
    reserve = models.DecimalField(max_digits=5, decimal_places=4, default=Decimal("0.05"))
    maker = models.DecimalField(max_digits=7, decimal_places=6, default=Decimal("0.001"))
    taker = models.DecimalField(max_digits=7, decimal_places=6, default=Decimal("0.001"))
    path = models.CharField(max_length=8, choices=Path, default=Path.NEAREST)
    rule = models.CharField(max_length=8, choices=Rule, default=Rule.THROUGH)
    trailing_up = models.BooleanField(
        default=False, help_text="follows a rising price, one cell at a time, never down"
    )
    trailing_cap = MoneyField(
        null=True, blank=True, help_text="no level goes above it; empty for none"
    )
    trailing_hourly = models.PositiveSmallIntegerField(
        default=HOURLY, help_text="steps up in any hour, at the most"
    )

    asked_by = models.CharField(max_length=150)
    asked_at = models.DateTimeField(auto_now_add=True)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    stage = models.CharField(max_length=100, blank=True)
    percent = models.PositiveSmallIntegerField(default=0)
    begun_at = models.DateTimeField(null=True, blank=True)
    told_at = models.DateTimeField(null=True, blank=True, help_text="it was alive then")
    ended_at = models.DateTimeField(null=True, blank=True)
    trouble = models.CharField(max_length=300, blank=True)

    figures = models.JSONField(default=dict, help_text="contract section 6, and what follows")
    verdict = models.CharField(max_length=300, blank=True)
    warnings = models.JSONField(default=list)
    course = models.JSONField(default=dict, help_text="price and equity along the way, by name")
    fills = models.JSONField(default=list, help_text="time (ms), side, price, quantity, fee, coin")
    cells = models.JSONField(default=list, help_text="round trips and grid profit by cell")
    days = models.JSONField(default=list, help_text="grid profit by day")

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"backtest {self.pk} of {self.symbol}"

    @property
    def is_over(self) -> bool:
        """Whether nothing of it changes any more."""
        return self.state in {self.State.DONE, self.State.FAILED, self.State.CANCELLED}
