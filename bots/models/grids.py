"""Bots, the versions of their grids, and the cells those are made of."""

from decimal import Decimal

from django.db import models
from django.db.models import Q

from bots.grid.cells import Position
from bots.grid.levels import Sizing, Spacing
from bots.grid.trailing import HOURLY
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
    range_state = models.CharField(
        max_length=8, choices=[(p.value, p.name) for p in Position], blank=True
    )
    range_since = models.DateTimeField(null=True, blank=True, help_text="exchange clock")
    held_down = models.CharField(
        max_length=200, blank=True, help_text="why it does not trail up although the price is above"
    )
    highest = MoneyField(
        null=True, blank=True, help_text="price since it was deployed, for its trailing stop"
    )
    gate_open_until = models.DateTimeField(
        null=True, blank=True, help_text="machine's clock: somebody lets it buy in spite of a gate"
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
        help_text="how its stop-loss, take-profit and trailing stop leave the market",
    )
    trailing_stop = models.DecimalField(
        max_digits=5,
        decimal_places=4,
        null=True,
        blank=True,
        help_text="share of the highest price since the start; a fall by it ends the bot",
    )
    trailing_up = models.BooleanField(
        default=False, help_text="follows a rising price, one cell at a time, never down"
    )
    trailing_cap = MoneyField(null=True, blank=True, help_text="no level goes above it")
    trailing_hourly = models.PositiveSmallIntegerField(
        default=HOURLY, help_text="steps up in any hour, at the most"
    )
    trailed = models.PositiveIntegerField(
        default=0,
        null=True,
        editable=False,
        help_text="steps up from its range when this version began; null while an edit waits to "
        "begin where the version before it stands",
    )
    btc_filter = models.BooleanField(default=False, help_text="buys only while BTC is stable")
    reference = models.CharField(
        max_length=32, blank=True, help_text="buys only while this pair is stable, e.g. ETHUSDT"
    )
    began_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="exchange clock: its cells are from then"
    )
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
                condition=Q(trailing_cap=None) | Q(trailing_cap__gt=models.F("upper")),
                name="trailing_cap_above_the_range",
            ),
            models.CheckConstraint(
                condition=Q(trailing_stop=None) | Q(trailing_stop__gt=0, trailing_stop__lt=1),
                name="trailing_stop_is_a_share",
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


class Shift(models.Model):
    """A cell that went from the foot of a trailing ladder to its top; as bots.grid.trailing.Shift.

    A fact, written once: with the fills it rebuilds the cells.
    """

    config = models.ForeignKey(GridConfig, on_delete=models.PROTECT, related_name="shifts")
    cell = models.PositiveSmallIntegerField()
    trip = models.PositiveIntegerField(help_text="the first one at the new place")
    was_low = MoneyField()
    was_high = MoneyField()
    was_quantity = MoneyField()
    low = MoneyField()
    high = MoneyField()
    quantity = MoneyField()
    price = MoneyField(help_text="that called for it")
    time = models.BigIntegerField(help_text="exchange clock, ms")

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["config", "cell", "trip"], name="one_shift_per_trip")
        ]

    def __str__(self) -> str:
        return f"{self.config} cell {self.cell} to {types.plain(self.low)}"


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
