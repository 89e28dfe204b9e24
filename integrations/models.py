"""What came in from outside services, what goes out, and answers kept for repeated calls."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from market.models import MoneyField


class Alert(models.Model):
    """An alert that an outside service sent with the right secret; the secret is not in it."""

    class State(models.TextChoices):
        RECEIVED = "RECEIVED", "Received"
        CLAIMED = "CLAIMED", "Being applied"
        APPLIED = "APPLIED", "Applied"
        IGNORED = "IGNORED", "Ignored"
        EXPIRED = "EXPIRED", "Expired"

    source = models.CharField(max_length=40)
    name = models.CharField(max_length=128, help_text="the sender's id of it")
    body_hash = models.CharField(max_length=64, editable=False, help_text="without the secret")
    sent_at = models.DateTimeField(help_text="as the sender says")
    symbol = models.CharField(max_length=32)
    action = models.CharField(max_length=16)
    details = models.JSONField(default=dict, help_text="what else the sender wrote")
    state = models.CharField(max_length=10, choices=State, default=State.RECEIVED)
    reason = models.CharField(max_length=500, blank=True, help_text="what came of it, in words")
    received_at = models.DateTimeField()
    claimed_at = models.DateTimeField(null=True, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["source", "name"], name="one_alert_per_source_and_name")
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(done_at=None), name="alerts_to_apply"),
            models.Index(fields=["received_at"], name="alerts_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.symbol} ({self.name})"


class AlertEffect(models.Model):
    """What an alert did to one bot. Written before it is done: it holds the cooldown."""

    class State(models.TextChoices):
        BEGUN = "BEGUN", "Begun"
        APPLIED = "APPLIED", "Applied"
        IGNORED = "IGNORED", "Ignored"

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="effects")
    bot = models.CharField(max_length=40, help_text="slug")
    action = models.CharField(max_length=16)
    state = models.CharField(max_length=10, choices=State, default=State.BEGUN)
    reason = models.CharField(max_length=300, blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["alert", "bot"], name="one_effect_per_alert_and_bot")
        ]
        indexes = [models.Index(fields=["bot", "action", "-at"], name="effects_by_bot_and_action")]

    def __str__(self) -> str:
        return f"{self.action} {self.bot}: {self.state.lower()}"


class Lane(models.Model):
    """A way out to one place, used by one sender at a time: a lease with an epoch."""

    name = models.CharField(max_length=40, unique=True, help_text="no secret: a digest, not a URL")
    epoch = models.BigIntegerField(default=0, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    not_before = models.DateTimeField(
        null=True, blank=True, help_text="asked for by the service, or kept between messages"
    )
    trouble = models.CharField(max_length=300, blank=True, help_text="the last failure in words")

    def __str__(self) -> str:
        return self.name


class Parcel(models.Model):
    """A message to an outside service; `processed_at` is empty until the service has it."""

    class Level(models.IntegerChoices):
        INFO = 20, "info"
        WARNING = 30, "warning"
        CRITICAL = 40, "critical"

    lane = models.CharField(max_length=40)
    key = models.CharField(max_length=120, help_text="what it is about; once in a lane")
    level = models.PositiveSmallIntegerField(choices=Level, default=Level.INFO)
    payload = models.JSONField(help_text="amounts are decimal texts")
    created_at = models.DateTimeField()
    due_at = models.DateTimeField(help_text="not tried before")
    attempts = models.PositiveIntegerField(default=0)
    begun_at = models.DateTimeField(
        null=True, blank=True, help_text="set while an attempt's outcome is not known"
    )
    processed_at = models.DateTimeField(null=True, blank=True)
    receipt = models.CharField(max_length=64, blank=True, help_text="the service's id of it")
    trouble = models.CharField(max_length=300, blank=True, help_text="why the last try failed")

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["lane", "key"], name="one_parcel_per_key")]
        indexes = [
            models.Index(
                fields=["lane", "due_at"], condition=Q(processed_at=None), name="parcels_to_send"
            )
        ]

    def __str__(self) -> str:
        return f"{self.lane}: {self.key}"


class Mark(models.Model):
    """How far a table has been read for an outside service."""

    name = models.CharField(max_length=60, unique=True)
    start = models.BigIntegerField(help_text="rows up to this id are not for the service")
    seen = models.BigIntegerField(help_text="the largest id that was read")

    def __str__(self) -> str:
        return f"{self.name}: {self.seen}"


class LegacyTrade(models.Model):
    """A trade that somebody kept in Notion before this program did; read, never written back."""

    page = models.CharField(max_length=36, unique=True, help_text="Notion's id of the page")
    title = models.CharField(max_length=300, blank=True)
    symbol = models.CharField(max_length=32, blank=True)
    side = models.CharField(max_length=16, blank=True)
    price = MoneyField(null=True, blank=True)
    quantity = MoneyField(null=True, blank=True)
    fee = MoneyField(null=True, blank=True)
    profit = MoneyField(null=True, blank=True)
    traded_at = models.DateTimeField(null=True, blank=True)
    properties = models.JSONField(default=dict, help_text="every property, as plain values")
    imported_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-traded_at", "-id"]

    def __str__(self) -> str:
        return self.title or self.page


class StoredOverview(models.Model):
    """What CoinGecko told last, word by word: read with every digit when it is shown."""

    source = models.CharField(max_length=20, primary_key=True)
    coins = models.TextField(help_text="answer of coins/markets")
    market = models.TextField(help_text="answer of global")
    fetched_at = models.DateTimeField(help_text="machine's clock")

    def __str__(self) -> str:
        return f"{self.source} {self.fetched_at:%Y-%m-%d %H:%M}"


class StoredAnswer(models.Model):
    """The answer to a control call with an Idempotency-Key; without a status it still runs."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="stored_answers"
    )
    key = models.CharField(max_length=255)
    call = models.CharField(max_length=200, help_text="method and path")
    body_hash = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    content = models.TextField(blank=True)
    started_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "key"], name="one_answer_per_user_and_key")
        ]
        indexes = [models.Index(fields=["started_at"], name="answers_by_age")]

    def __str__(self) -> str:
        return f"{self.call}: {self.status or 'runs'}"
