"""What facts of a day add up to, kept so that no page has to add up every fact there ever was.

The database says what a day adds up to (migration 0017, functions `bots_*_of(day)`), marks the day
of every fact that comes in, and has views `bots_*_by_day`, which take a marked day from the facts
and any other from here: they are right at any moment. What keeps days is `bots/books/days.py`.
Days are of the exchange's clock, UTC.
"""

from django.db import models

from bots.models.grids import Bot, GridConfig
from market.models import MoneyField


class StaleDay(models.Model):
    """A fact of this day came in since it was added up; one row for each such fact."""

    day = models.DateField(db_index=True)

    def __str__(self) -> str:
        return f"{self.day}"


class DayOfFills(models.Model):
    """Of one bot."""

    day = models.DateField()
    bot = models.ForeignKey(Bot, on_delete=models.PROTECT, related_name="+")
    orders = models.PositiveIntegerField(help_text="whose first fill came in on this day")
    fees = MoneyField(help_text="in quote, coins valued at their fill")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["bot", "day"], name="one_day_of_fills")]

    def __str__(self) -> str:
        return f"{self.bot} {self.day}"


class DayOfTrips(models.Model):
    """Of one cell: the round trips that it closed. Money is quote."""

    day = models.DateField()
    bot = models.ForeignKey(Bot, on_delete=models.PROTECT, related_name="+", db_index=False)
    config = models.ForeignKey(GridConfig, on_delete=models.PROTECT, related_name="+")
    cell = models.PositiveSmallIntegerField()
    round_trips = models.PositiveIntegerField()
    bought = MoneyField(help_text="base")
    grid_profit = MoneyField()
    inventory_pnl = MoneyField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["bot", "day", "config", "cell"], name="one_day_of_trips"
            )
        ]

    def __str__(self) -> str:
        return f"{self.config} cell {self.cell} {self.day}"


class DayOfBooks(models.Model):
    """Of one account of ours in one coin: free, or a bot's."""

    day = models.DateField()
    account = models.CharField(max_length=8)
    bot = models.ForeignKey(Bot, null=True, on_delete=models.PROTECT, related_name="+")
    coin = models.CharField(max_length=16)
    traded = models.BooleanField(help_text="by fills; otherwise capital, or from outside")
    amount = MoneyField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["day", "account", "bot", "coin", "traded"], name="one_day_of_books"
            )
        ]

    def __str__(self) -> str:
        return f"{self.account} {self.coin} {self.day}"
