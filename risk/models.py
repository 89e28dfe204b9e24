"""Who must stop (halts, obeyed by bots on every tick), and what is measured of money and speed."""

from django.db import models
from timescale.db.models.fields import TimescaleDateTimeField

from market.models import MoneyField
from market.types import plain


class Halt(models.Model):
    """An order to stop trading, for one subject ("bot:7") or for all; open until lifted."""

    subject = models.CharField(max_length=64, help_text='"all" or "bot:" and the bot\'s id')
    reason = models.CharField(max_length=300)
    opened_at = models.DateTimeField(auto_now_add=True)
    opened_by = models.CharField(max_length=150)
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_by = models.CharField(max_length=150, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["subject"],
                condition=models.Q(lifted_at=None),
                name="one_open_halt_per_subject",
            )
        ]

    def __str__(self) -> str:
        return f"halt of {self.subject}: {self.reason}"


class EquityPoint(models.Model):
    """The account's worth at a minute of the exchange's clock; a hypertable where there are any."""

    pk = models.CompositePrimaryKey("subject", "time")
    subject = models.CharField(max_length=64, help_text='"all", the whole account')
    time = TimescaleDateTimeField(interval="30 days", help_text="exchange clock")
    equity = MoneyField(help_text="quote, at the last prices")

    def __str__(self) -> str:
        return f"{self.subject} {self.time:%Y-%m-%d %H:%M} {plain(self.equity)}"


class LatencySample(models.Model):
    """How long one counter order took, by the machine's clock; a hypertable likewise."""

    pk = models.CompositePrimaryKey("client_id", "time")
    client_id = models.CharField(max_length=36)
    time = TimescaleDateTimeField(interval="7 days", help_text="when the exchange acknowledged it")
    subject = models.CharField(max_length=64, help_text='"bot:" and the bot\'s id')
    decision_ms = models.FloatField(help_text="from the fill's arrival to the acknowledgement")
    wire_ms = models.FloatField(null=True, help_text="from sending to the acknowledgement")

    def __str__(self) -> str:
        return f"{self.client_id} {self.decision_ms:.1f} ms"
