"""Who must stop (halts, obeyed by bots on every tick), and what is measured of money and speed."""

from decimal import Decimal
from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from timescale.db.models.fields import TimescaleDateTimeField

from market.models import MoneyField
from market.types import plain


class ShareField(models.DecimalField):  # type: ignore[type-arg]
    """A share such as 0.03, above 0 and at most 1."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - as Django's own
        options.setdefault("max_digits", 7)
        options.setdefault("decimal_places", 6)
        super().__init__(**options)

    default_validators = [
        MinValueValidator(Decimal("0.000001")),
        MaxValueValidator(Decimal(1)),
    ]


class Halt(models.Model):
    """An order to stop trading, for one subject ("bot:7") or for all; open until lifted.

    Times are the machine's. The later columns tell how far a kill has come
    (bots/safety/course.py).
    """

    class Kind(models.TextChoices):
        HALT = "HALT", "Halt"  # nothing may rest
        KILL = "KILL", "Kill"  # and our orders are cancelled until the exchange shows none

    class State(models.TextChoices):
        CANCELLING = "CANCELLING", "Cancelling"
        VERIFYING = "VERIFYING", "Verifying"  # seen empty once; looked at again past recv_window
        DONE = "DONE", "Done"  # seen empty at both looks
        INCOMPLETE = "INCOMPLETE", "Incomplete"  # still trying, and it takes too long

    subject = models.CharField(max_length=64, help_text='"all" or "bot:" and the bot\'s id')
    reason = models.CharField(max_length=300)
    opened_at = models.DateTimeField(auto_now_add=True)
    opened_by = models.CharField(max_length=150)
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_by = models.CharField(max_length=150, blank=True)
    kind = models.CharField(max_length=4, choices=Kind, default=Kind.HALT)
    sell = models.BooleanField(default=False, help_text="bots sell what they hold")
    foreign = models.BooleanField(
        default=False, help_text="orders that are not ours are cancelled, too"
    )
    drill = models.BooleanField(default=False, help_text="a kill to measure, lifted by itself")
    origin = models.CharField(max_length=100, blank=True, help_text="from where it was opened")
    state = models.CharField(max_length=12, choices=State, blank=True)
    committed_at = models.DateTimeField(null=True, blank=True, help_text="from then on it holds")
    sent_at = models.DateTimeField(null=True, blank=True, help_text="every cancel was sent once")
    first_empty_at = models.DateTimeField(null=True, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)
    tended_at = models.DateTimeField(null=True, blank=True, help_text="somebody works on it")
    cancelled = models.PositiveIntegerField(default=0, help_text="cancels that were taken")
    open_orders = models.PositiveIntegerField(null=True, blank=True, help_text="ours, last seen")
    trouble = models.CharField(max_length=300, blank=True)
    audited = models.BooleanField(default=False)

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
    """The worth of the account, or of a grid, at a minute of the exchange's clock; a hypertable."""

    pk = models.CompositePrimaryKey("subject", "time")
    subject = models.CharField(max_length=64, help_text='"all", the whole account, or "bot:7"')
    time = TimescaleDateTimeField(interval="30 days", help_text="exchange clock")
    equity = MoneyField(help_text="quote, at the last prices")
    given = MoneyField(
        null=True, help_text="quote that had come in by then, less what had left; no profit"
    )

    def __str__(self) -> str:
        return f"{self.subject} {self.time:%Y-%m-%d %H:%M} {plain(self.equity)}"


class HighWater(models.Model):
    """How a worth went up to a minute, so that no point before it is read again.

    Amounts are quote, less what had come in since the first point.
    """

    subject = models.CharField(primary_key=True, max_length=64)
    until = models.DateTimeField(help_text="exchange clock: the last point that is in")
    first = MoneyField(help_text="quote that had come in by the first point")
    high = MoneyField(help_text="the highest so far")
    net = MoneyField(help_text="the last")
    fell_from = MoneyField(help_text="the high before the deepest fall")
    fell_to = MoneyField(help_text="how far that fall went")

    def __str__(self) -> str:
        return f"{self.subject} up to {self.until:%Y-%m-%d %H:%M}"


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


class Policy(models.Model):
    """Every threshold of risk, one row; what they are set against is told in risk/policy.py."""

    pair_exposure = MoneyField(default=Decimal(25_000), help_text="quote, all bots of a pair")
    total_exposure = MoneyField(default=Decimal(34_000), help_text="quote, all bots")
    bot_orders = models.PositiveIntegerField(default=200, help_text="open orders of a bot")
    account_orders = models.PositiveIntegerField(default=500, help_text="open orders, account")
    orders_per_minute = models.PositiveIntegerField(default=600, help_text="sent, all bots")
    collar = ShareField(default=Decimal("0.10"), help_text="of the reference price")
    outlier = ShareField(
        default=Decimal("0.20"), help_text="a price this far off needs a second reading"
    )
    breaker_return = ShareField(default=Decimal("0.03"), help_text="one minute's move of a pair")
    breaker_range = MoneyField(
        default=Decimal(4), help_text="five minutes' range over its median of 24 h"
    )
    breaker_minutes = models.PositiveIntegerField(default=15, help_text="that it stays tripped")
    breakers_to_kill = models.PositiveIntegerField(default=2, help_text="tripped at once")
    api_errors = ShareField(default=Decimal("0.02"), help_text="of the calls of five minutes")
    api_calls = models.PositiveIntegerField(default=50, help_text="judged from so many calls on")
    equity_alert = ShareField(default=Decimal("0.05"), help_text="lost of net deposits")
    equity_alert_2 = ShareField(default=Decimal("0.10"), help_text="lost of net deposits")
    equity_alert_3 = ShareField(default=Decimal("0.20"), help_text="lost of net deposits")
    equity_kill = ShareField(default=Decimal("0.30"), help_text="lost of net deposits")
    btc_closes = ShareField(default=Decimal("0.02"), help_text="60 minutes' move of BTC")
    btc_opens = ShareField(default=Decimal("0.01"), help_text="60 minutes' move of BTC")
    btc_calm_minutes = models.PositiveIntegerField(default=15, help_text="below that to open")
    tick_silence = models.PositiveIntegerField(default=30, help_text="s without a tick of a bot")
    stream_silence = models.PositiveIntegerField(default=30, help_text="s without a message")
    clock_warn = models.PositiveIntegerField(default=500, help_text="ms off the exchange's clock")
    clock_stop = models.PositiveIntegerField(default=1000, help_text="ms off the exchange's clock")

    class Meta:
        verbose_name_plural = "policy"
        permissions = [("loosen_policy", "Can loosen a limit of the policy")]
        constraints = [models.CheckConstraint(condition=models.Q(pk=1), name="one_policy")]

    def __str__(self) -> str:
        return "Policy"


class Guard(models.Model):
    """One watch over one subject as it stands: what it measures, its limit, what it did."""

    class State(models.TextChoices):
        CLEAR = "clear", "Clear"
        WARNING = "warning", "Warning"
        TRIPPED = "tripped", "Tripped"

    name = models.CharField(max_length=40)
    subject = models.CharField(max_length=64, help_text='"all", "bot:7" or "pair:BTCUSDT"')
    value = MoneyField(null=True, blank=True)
    limit = MoneyField(null=True, blank=True)
    unit = models.CharField(max_length=20, blank=True)
    state = models.CharField(max_length=8, choices=State, default=State.CLEAR)
    since = models.DateTimeField(help_text="machine's clock")
    until = models.DateTimeField(
        null=True, blank=True, help_text="not clear before; market's clock"
    )
    tier = MoneyField(null=True, blank=True, help_text="the highest alert that it stands above")
    did = models.CharField(max_length=200, blank=True)
    no_buys = models.BooleanField(default=False, help_text="buys are withheld while it is so")
    checked_at = models.DateTimeField()

    class Meta:
        ordering = ["name", "subject"]
        constraints = [
            models.UniqueConstraint(fields=["name", "subject"], name="one_guard_per_subject")
        ]

    def __str__(self) -> str:
        return f"{self.name} of {self.subject}: {self.state}"


class GuardEvent(models.Model):
    """One change of a guard's state."""

    name = models.CharField(max_length=40)
    subject = models.CharField(max_length=64)
    value = MoneyField(null=True, blank=True)
    limit = MoneyField(null=True, blank=True)
    state = models.CharField(max_length=8, choices=Guard.State)
    did = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.name} of {self.subject}: {self.state}"


class ApiCalls(models.Model):
    """How many calls of the exchange all processes made in some seconds, and how many failed."""

    at = models.DateTimeField(unique=True, help_text="begin of the seconds counted")
    calls = models.PositiveIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name_plural = "API calls"

    def __str__(self) -> str:
        return f"{self.at:%H:%M:%S} {self.failures} of {self.calls} failed"


class ApiOutcome(models.Model):
    """How many calls of the exchange ended with a code, ever, as all processes counted."""

    code = models.CharField(max_length=12, primary_key=True, help_text='0: well; "none": no answer')
    calls = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.calls} calls ended with {self.code}"


class Pulse(models.Model):
    """When a loop was last seen alive."""

    name = models.CharField(max_length=40, primary_key=True)
    at = models.DateTimeField(help_text="machine's clock")

    def __str__(self) -> str:
        return f"{self.name} at {self.at:%H:%M:%S}"


class AuditRow(models.Model):
    """Who changed what, from where and why: append-only, each row sealed over the one before."""

    number = models.BigIntegerField(unique=True, help_text="without gaps")
    at = models.DateTimeField(help_text="machine's clock")
    who = models.CharField(max_length=150)
    origin = models.CharField(max_length=100, help_text="from where")
    what = models.CharField(max_length=60)
    subject = models.CharField(max_length=64)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    reason = models.CharField(max_length=300, blank=True)
    previous = models.CharField(max_length=64, help_text="seal of the row before")
    seal = models.CharField(max_length=64, help_text="SHA-256 over this row and `previous`")

    class Meta:
        ordering = ["-number"]

    def __str__(self) -> str:
        return f"{self.number} {self.what} {self.subject} by {self.who}"
