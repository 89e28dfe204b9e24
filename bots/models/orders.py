"""What grids did: orders, fills, and the round trips they made."""

from django.db import models
from django.db.models import Q

from bots.models.grids import Bot, GridConfig
from market import types
from market.models import MoneyField

_SIDES = [(side.value, side.value) for side in types.Side]


class Order(models.Model):
    """An order of ours, committed before it is sent; the exchange's answers are written on it."""

    client_id = models.CharField(max_length=36, unique=True)
    order_id = models.CharField(max_length=40, blank=True, db_index=True)
    acts_as = models.CharField(
        max_length=36, blank=True, help_text="the id it has in the version that took it over"
    )
    bot = models.ForeignKey(Bot, on_delete=models.PROTECT, related_name="orders")
    config = models.ForeignKey(GridConfig, on_delete=models.PROTECT, related_name="orders")
    cell = models.PositiveSmallIntegerField()
    symbol = models.CharField(max_length=32)
    side = models.CharField(max_length=4, choices=_SIDES)
    price = MoneyField()
    quantity = MoneyField()
    time_in_force = models.CharField(max_length=8)
    status = models.CharField(
        max_length=16, choices=[(s.value, s.value) for s in types.OrderStatus]
    )
    filled = MoneyField(default=types.ZERO, help_text="as the exchange says")
    reason = models.CharField(max_length=300, blank=True)
    settled = models.BooleanField(default=False, help_text="over, and taken off its cell")
    created_at = models.DateTimeField(auto_now_add=True)
    caused_at = models.DateTimeField(null=True, blank=True, help_text="when its cause came in")
    sent_at = models.DateTimeField(null=True, blank=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    look_after = models.DateTimeField(
        null=True, blank=True, help_text="not looked up, or its cell not retried, before"
    )
    not_found = models.PositiveSmallIntegerField(
        default=0, help_text="rounds of look-ups, after its deadline, that found nothing"
    )
    updated = models.BigIntegerField(default=0, help_text="exchange clock, ms")

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["bot"], condition=Q(settled=False), name="unsettled_orders")
        ]

    def __str__(self) -> str:
        return self.client_id

    @property
    def slot_name(self) -> str:
        """The client id that says which cell, trip and side of its config it belongs to."""
        return self.acts_as or self.client_id

    def to_domain(self) -> types.Order:
        return types.Order(
            client_id=self.client_id,
            order_id=self.order_id,
            symbol=self.symbol,
            side=types.Side(self.side),
            price=self.price,
            quantity=self.quantity,
            filled=self.filled,
            status=types.OrderStatus(self.status),
            time_in_force=types.TimeInForce(self.time_in_force),
            reason=self.reason,
            updated=self.updated,
        )


class Fill(models.Model):
    """An execution of one of our orders: a fact, written once, never changed but for `booked`."""

    exec_id = models.CharField(max_length=64, unique=True)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="fills")
    bot = models.ForeignKey(Bot, on_delete=models.PROTECT, related_name="fills")
    symbol = models.CharField(max_length=32)
    side = models.CharField(max_length=4, choices=_SIDES)
    price = MoneyField()
    quantity = MoneyField()
    fee = MoneyField()
    fee_coin = models.CharField(max_length=16)
    fee_worth = MoneyField(
        null=True, blank=True,
        help_text="of a fee in a third coin: in quote, at the fill's time; empty while not known",
    )  # fmt: skip
    is_maker = models.BooleanField()
    time = models.DateTimeField(help_text="exchange clock")
    received_at = models.DateTimeField(auto_now_add=True)
    booked = models.BooleanField(default=False, help_text="in the cells")

    class Meta:
        ordering = ["-time", "-id"]
        indexes = [
            models.Index(fields=["bot"], condition=Q(booked=False), name="unbooked_fills"),
            models.Index(fields=["bot", "-time"], name="fills_by_time"),
            models.Index(fields=["-time", "-id"], name="latest_fills"),
        ]

    def __str__(self) -> str:
        return self.exec_id

    def to_domain(self) -> types.Fill:
        """The execution as its grid books it: named by the slot that its order has there."""
        return types.Fill(
            exec_id=self.exec_id,
            order_id=self.order.order_id,
            client_id=self.order.slot_name,
            symbol=self.symbol,
            side=types.Side(self.side),
            price=self.price,
            quantity=self.quantity,
            fee=self.fee,
            fee_coin=self.fee_coin,
            is_maker=self.is_maker,
            time=types.milliseconds(self.time),
            fee_worth=self.fee_worth or types.ZERO,
        )


class RoundTrip(models.Model):
    """One bought-and-sold passage of a cell; money is quote, net of fees."""

    bot = models.ForeignKey(Bot, on_delete=models.PROTECT, related_name="round_trips")
    config = models.ForeignKey(GridConfig, on_delete=models.PROTECT, related_name="round_trips")
    cell = models.PositiveSmallIntegerField()
    trip = models.PositiveIntegerField()
    entry = models.BooleanField()
    bought = MoneyField()
    sold = MoneyField()
    cost = MoneyField()
    proceeds = MoneyField()
    grid_profit = MoneyField()
    inventory_pnl = MoneyField()
    opened = models.DateTimeField()
    closed = models.DateTimeField()

    class Meta:
        ordering = ["-closed", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["config", "cell", "trip"], name="one_round_trip_per_passage"
            )
        ]
        indexes = [
            models.Index(fields=["bot", "-closed"], name="round_trips_by_time"),
            models.Index(fields=["closed"], name="round_trips_closed"),
        ]

    def __str__(self) -> str:
        return f"{self.config} cell {self.cell} trip {self.trip}"
