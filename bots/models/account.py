"""The account itself: coins that came or went otherwise, and keys to the API."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from market import types
from market.models import MoneyField


class CapitalMove(models.Model):
    """Coins that came into or left the account other than by our fills; append-only."""

    coin = models.CharField(max_length=16)
    amount = MoneyField(help_text="negative when it left")
    reason = models.CharField(max_length=200)
    opening = models.BooleanField(default=False, help_text="was there before the first order")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["coin"], condition=Q(opening=True), name="one_opening_per_coin"
            )
        ]

    def __str__(self) -> str:
        return f"{types.plain(self.amount)} {self.coin}"


class FeeRate(models.Model):
    """What this account pays on a pair, as shares of the traded value; below zero is a rebate."""

    symbol = models.CharField(max_length=32, primary_key=True)
    maker = MoneyField()
    taker = MoneyField()
    asked_at = models.DateTimeField(help_text="machine's clock")

    def __str__(self) -> str:
        return f"{self.symbol} {types.plain(self.maker)} {types.plain(self.taker)}"


class ApiToken(models.Model):
    """A key to the API. Only its SHA-256 is kept: the key itself is shown once, when it is made."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens"
    )
    digest = models.CharField(max_length=64, unique=True, editable=False)
    name = models.CharField(max_length=60, blank=True, help_text="what it is for")
    scope = models.CharField(
        max_length=12,
        blank=True,
        help_text="a role: it opens no more than that; empty: whatever its account may do",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"token of {self.user} from {self.created_at:%Y-%m-%d}"

    @property
    def subject(self) -> str:
        """Its name in the audit trail."""
        return f"token:{self.pk}"
