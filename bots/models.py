"""Grids as rows: bots, their versioned configs, cells, orders, fills and round trips."""

from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models import Q

from bots.grid.levels import Sizing, Spacing
from market import types
from market.models import MoneyField


class Bot(models.Model):
    """A grid bot: its identity, its state, and who is working on it."""

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"  # configured, not started
        DEPLOYING = "deploying", "Deploying"  # waiting for a price to build its cells on
        RUNNING = "running", "Running"
        PAUSED = "paused", "Paused"  # the user's: no buys, sells rest
        STOPPING = "stopping", "Stopping"  # leaving the market as `exit` says
        STOPPED = "stopped", "Stopped"

    class Exit(models.TextChoices):
        KEEP = "keep", "Keep what it holds"
        SELL = "sell", "Sell at the market"
        LADDER = "ladder", "Sell by its ladder"

    slug = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=40)
    symbol = models.CharField(max_length=32)
    tag = models.CharField(
        max_length=12, unique=True, editable=False, help_text="begins the client ids of its orders"
    )
    state = models.CharField(max_length=12, choices=State, default=State.DRAFT)
    reason = models.CharField(max_length=300, blank=True, help_text="why it is in this state")
    exit = models.CharField(
        max_length=8, choices=Exit, blank=True, help_text="how it leaves the market"
    )
    state_since = models.DateTimeField(null=True, blank=True)
    position = models.PositiveSmallIntegerField(default=0, help_text="order on the dashboard")
    config = models.ForeignKey(
        "GridConfig", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    next_config = models.ForeignKey(
        "GridConfig",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="an edit on its way: the version that takes over once old orders are gone",
    )
    shares_capital = models.BooleanField(
        default=False, help_text="its capital moves between it and the other bots that share"
    )
    deployed_at = models.DateTimeField(null=True, blank=True, help_text="exchange clock")
    # One writer a bot: whoever holds the lease raised the epoch, and every write carries it.
    epoch = models.BigIntegerField(default=0, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    # Raised by everything that a tick should look at; a tick that saw an older one looks again.
    news = models.BigIntegerField(default=0, editable=False)
    looked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["position", "slug"]

    def __str__(self) -> str:
        return self.name

    @property
    def subject(self) -> str:
        """This bot in risk's words."""
        return f"bot:{self.pk}"


class GridConfig(models.Model):
    """One version of a bot's grid; a change makes a new version, statistics keep theirs."""

    bot = models.ForeignKey(Bot, on_delete=models.PROTECT, related_name="configs")
    version = models.PositiveIntegerField()
    lower = MoneyField()
    upper = MoneyField()
    grids = models.PositiveSmallIntegerField(help_text="N grids are N cells and N + 1 levels")
    capital = MoneyField(help_text="quote")
    spacing = models.CharField(
        max_length=12, choices=[(s.value, s.value) for s in Spacing], default=Spacing.ARITHMETIC
    )
    sizing = models.CharField(
        max_length=8, choices=[(s.value, s.value) for s in Sizing], default=Sizing.BASE
    )
    reserve = models.DecimalField(
        max_digits=5,
        decimal_places=4,
        default=Decimal("0.05"),
        help_text="share of the capital never put into orders",
    )
    stop_loss = MoneyField(null=True, blank=True)
    take_profit = MoneyField(null=True, blank=True)
    trigger_price = MoneyField(
        null=True, blank=True, help_text="the first version is built when the price reaches this"
    )
    trigger_rises = models.BooleanField(
        null=True, editable=False, help_text="the price was below the trigger at the first look"
    )
    on_exit = models.CharField(
        max_length=8,
        choices=Bot.Exit,
        default=Bot.Exit.SELL,
        help_text="how the take-profit leaves the market",
    )
    btc_filter = models.BooleanField(default=False, help_text="buys only while BTC is stable")
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=150, blank=True)

    class Meta:
        ordering = ["bot", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["bot", "version"], name="one_config_per_version"),
            models.CheckConstraint(
                condition=Q(lower__gt=0, upper__gt=models.F("lower")), name="range_is_a_range"
            ),
            models.CheckConstraint(condition=Q(grids__gte=1), name="at_least_one_grid"),
            models.CheckConstraint(condition=Q(capital__gt=0), name="capital_above_zero"),
            models.CheckConstraint(
                condition=Q(take_profit=None) | Q(take_profit__gt=models.F("upper")),
                name="take_profit_above_the_range",
            ),
            models.CheckConstraint(
                condition=Q(reserve__gte=0, reserve__lt=1), name="reserve_is_a_share"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.bot.name} v{self.version}"

    @property
    def grid_name(self) -> str:
        """What the client ids of this version's orders begin with."""
        return f"{self.bot.tag}v{self.version}"


class Cell(models.Model):
    """A cell of the grid that a config built; columns as in bots.grid.cells.Cell."""

    config = models.ForeignKey(GridConfig, on_delete=models.PROTECT, related_name="cells")
    index = models.PositiveSmallIntegerField()
    low = MoneyField()
    high = MoneyField()
    quantity = MoneyField()
    trip = models.PositiveIntegerField()
    side = models.CharField(max_length=4)
    attempt = models.PositiveIntegerField()
    entry = models.BooleanField()
    crossed = models.BooleanField()
    bought = MoneyField()
    held = MoneyField()
    cost = MoneyField()
    buy_fee = MoneyField()
    sold = MoneyField()
    proceeds = MoneyField()
    exited = models.BooleanField(default=False)
    opened = models.BigIntegerField()
    reason = models.CharField(max_length=200, blank=True, help_text="why it has no order")

    class Meta:
        ordering = ["config", "index"]
        constraints = [
            models.UniqueConstraint(fields=["config", "index"], name="one_cell_per_index")
        ]

    def __str__(self) -> str:
        return f"{self.config} cell {self.index}"


class Opening(models.Model):
    """What a cell took over when its version succeeded another: no fill of its own tells that."""

    FACTS = (
        "index", "low", "high", "quantity", "trip", "side", "entry", "bought", "held", "cost",
        "buy_fee", "sold", "proceeds", "exited", "opened",
    )  # fmt: skip

    config = models.ForeignKey(GridConfig, on_delete=models.PROTECT, related_name="openings")
    index = models.PositiveSmallIntegerField()
    low = MoneyField()
    high = MoneyField()
    quantity = MoneyField()
    trip = models.PositiveIntegerField()
    side = models.CharField(max_length=4)
    entry = models.BooleanField()
    bought = MoneyField()
    held = MoneyField()
    cost = MoneyField()
    buy_fee = MoneyField()
    sold = MoneyField()
    proceeds = MoneyField()
    exited = models.BooleanField()
    opened = models.BigIntegerField()
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["config", "index"]
        constraints = [
            models.UniqueConstraint(fields=["config", "index"], name="one_opening_per_cell")
        ]

    def __str__(self) -> str:
        return f"opening of {self.config} cell {self.index}"


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
    side = models.CharField(max_length=4)
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
    side = models.CharField(max_length=4)
    price = MoneyField()
    quantity = MoneyField()
    fee = MoneyField()
    fee_coin = models.CharField(max_length=16)
    is_maker = models.BooleanField()
    time = models.DateTimeField(help_text="exchange clock")
    received_at = models.DateTimeField(auto_now_add=True)
    booked = models.BooleanField(default=False, help_text="in the cells")

    class Meta:
        ordering = ["-time", "-id"]
        indexes = [
            models.Index(fields=["bot"], condition=Q(booked=False), name="unbooked_fills"),
            models.Index(fields=["bot", "-time"], name="fills_by_time"),
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
        indexes = [models.Index(fields=["bot", "-closed"], name="round_trips_by_time")]

    def __str__(self) -> str:
        return f"{self.config} cell {self.cell} trip {self.trip}"


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


class ApiToken(models.Model):
    """A key to the API. Only its SHA-256 is kept: the key itself is shown once, when it is made."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens"
    )
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"token of {self.user} from {self.created_at:%Y-%m-%d}"
