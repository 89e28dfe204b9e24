"""The ledger: double entries of every coin that moved, posted by the database, never changed.

Triggers (migration 0012) post a fill, a capital move and a grid's capital in the transaction that
writes them down; whatever way a row comes in, its booking comes with it. Nothing here is written
by Python but corrections (bots/books/rebuild.py).
"""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from bots.models.account import CapitalMove
from bots.models.grids import Bot, GridConfig
from bots.models.orders import Fill
from market import types
from market.models import MoneyField


class Booking(models.Model):
    """One event of the ledger; the amounts of its lines add up to zero in every coin."""

    class Kind(models.TextChoices):
        OPENING = "opening", "Opening balance"
        OUTSIDE = "outside", "From or to the outside"
        CAPITAL = "capital", "Capital of a grid"
        FILL = "fill", "Fill"
        CORRECTION = "correction", "Correction"

    kind = models.CharField(max_length=12, choices=Kind)
    at = models.DateTimeField(help_text="exchange clock")
    written_at = models.DateTimeField(db_default=Now(), help_text="machine's clock")
    fill = models.ForeignKey(
        Fill, null=True, blank=True, on_delete=models.PROTECT, related_name="bookings"
    )
    move = models.ForeignKey(
        CapitalMove, null=True, blank=True, on_delete=models.PROTECT, related_name="bookings"
    )
    config = models.ForeignKey(
        GridConfig, null=True, blank=True, on_delete=models.PROTECT, related_name="bookings"
    )

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["at"], name="bookings_by_time")]
        constraints = [
            models.CheckConstraint(
                condition=Q(fill__isnull=False, move=None, config=None)
                | Q(fill=None, move__isnull=False, config=None)
                | Q(fill=None, move=None, config__isnull=False),
                name="one_cause_per_booking",
            ),
            *(
                models.UniqueConstraint(
                    fields=[cause],
                    condition=~Q(kind="correction"),
                    name=f"one_booking_per_{cause}",
                )
                for cause in ("fill", "move", "config")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.fill or self.move or self.config}"


class BookLine(models.Model):
    """An amount that an account received (above zero) or gave (below)."""

    class Account(models.TextChoices):
        FREE = "free", "Free"  # ours, given to no grid
        BOT = "bot", "Grid"  # ours, a grid's capital and what it made of it
        MARKET = "market", "Market"  # what a grid traded with
        FEES = "fees", "Fees"  # what a grid paid for trading
        OUTSIDE = "outside", "Outside"  # whence coins came into the account

    OURS = (Account.FREE, Account.BOT)

    booking = models.ForeignKey(Booking, on_delete=models.PROTECT, related_name="lines")
    account = models.CharField(max_length=8, choices=Account)
    bot = models.ForeignKey(
        Bot, null=True, blank=True, on_delete=models.PROTECT, related_name="book_lines",
        help_text="whose account, or who traded",
    )  # fmt: skip
    coin = models.CharField(max_length=16)
    amount = MoneyField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=~Q(amount=0), name="a_line_moves_something"),
            models.CheckConstraint(
                condition=Q(bot=None, account__in=("free", "outside"))
                | Q(bot__isnull=False, account__in=("bot", "market", "fees")),
                name="an_account_has_its_owner",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account} {types.plain(self.amount)} {self.coin}"
