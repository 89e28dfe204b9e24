"""What held bots back, and what that cost them against their plan."""

from django.db import models

from bots.models.grids import Bot
from market.models import MoneyField


class Spell(models.Model):
    """A stretch of time in which a bot was held back in one way, or by nothing."""

    class Kind(models.TextChoices):
        FREE = "free", "At work"
        OUTSIDE = "outside", "Out of range"
        GATE = "gate", "Gate closed"
        PAUSED = "paused", "Paused"
        HALTED = "halted", "Halted"

    bot = models.ForeignKey(Bot, on_delete=models.PROTECT, related_name="spells")
    kind = models.CharField(max_length=8, choices=Kind)
    since = models.DateTimeField(help_text="exchange clock")
    until = models.DateTimeField(help_text="exchange clock, the last look")
    seen_at = models.DateTimeField(help_text="machine's clock, the last look")

    class Meta:
        ordering = ["bot", "id"]
        indexes = [models.Index(fields=["bot", "-id"], name="newest_spell")]

    def __str__(self) -> str:
        return f"{self.bot} {self.kind} from {self.since:%Y-%m-%d %H:%M}"


class Capture(models.Model):
    """What a bot's plan would have earned by now, and why the bot did not. Money is quote."""

    bot = models.OneToOneField(Bot, on_delete=models.PROTECT, related_name="capture")
    until = models.DateTimeField(help_text="exchange clock: the bars up to then were replayed")
    planned = MoneyField(help_text="grid profit of the plan, with nothing in its way")
    realised = MoneyField(help_text="grid profit of the bot by then")
    gate = MoneyField(help_text="missed while a gate was closed")
    paused = MoneyField(help_text="missed while paused")
    halted = MoneyField(help_text="missed while halted, stopped or not at work")
    rejected = MoneyField(help_text="missed by refused orders")
    latency = MoneyField(help_text="missed because an order was not there in time")
    other = MoneyField(help_text="the rest: part fills, other prices, trips beyond the plan")

    def __str__(self) -> str:
        return f"{self.bot} captured {self.realised:f} of {self.planned:f}"
