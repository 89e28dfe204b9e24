"""What is kept of the market: the exchange's filters, the newest price, and candles."""

from django.db import models
from timescale.db.models.fields import TimescaleDateTimeField

from market import types


class MoneyField(models.DecimalField):
    """A decimal wide enough for every coin: 20 digits before and 18 after the point."""

    def __init__(self, **options: object) -> None:
        options.setdefault("max_digits", 38)
        options.setdefault("decimal_places", 18)
        super().__init__(**options)  # type: ignore[arg-type]


class Instrument(models.Model):
    """The exchange's filters for a pair, refreshed from market/instruments-info."""

    symbol = models.CharField(max_length=32, primary_key=True)
    base = models.CharField(max_length=16)
    quote = models.CharField(max_length=16)
    tick = MoneyField()
    lot = MoneyField()
    min_notional = MoneyField()
    max_limit_quantity = MoneyField()
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return self.symbol

    def to_domain(self) -> types.Instrument:
        return types.Instrument(
            symbol=self.symbol,
            base=self.base,
            quote=self.quote,
            tick=self.tick,
            lot=self.lot,
            min_notional=self.min_notional,
            max_limit_quantity=self.max_limit_quantity,
        )


class Price(models.Model):
    """The newest price of a pair. `time` is the exchange's clock, `received_at` the machine's."""

    symbol = models.CharField(max_length=32, primary_key=True)
    last = MoneyField()
    bid = MoneyField()
    ask = MoneyField()
    time = models.DateTimeField()
    received_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.symbol} {types.plain(self.last)}"

    def to_domain(self) -> types.Tick:
        return types.Tick(
            symbol=self.symbol,
            last=self.last,
            bid=self.bid,
            ask=self.ask,
            time=types.milliseconds(self.time),
        )


class Candle(models.Model):
    """One bar of a pair; a hypertable where the server has TimescaleDB."""

    pk = models.CompositePrimaryKey("symbol", "interval", "time")
    symbol = models.CharField(max_length=32)
    interval = models.CharField(max_length=4)
    time = TimescaleDateTimeField(interval="7 days")
    open = MoneyField()
    high = MoneyField()
    low = MoneyField()
    close = MoneyField()
    volume = MoneyField()
    turnover = MoneyField()
    closed = models.BooleanField()

    def __str__(self) -> str:
        return f"{self.symbol} {self.interval} {self.time:%Y-%m-%d %H:%M}"


class Rollup(models.Model):
    """Bars of an hour or a day, computed from minutes and kept after the minutes are dropped."""

    pk = models.CompositePrimaryKey("symbol", "interval", "time")
    symbol = models.CharField(max_length=32)
    interval = models.CharField(max_length=4)
    time = TimescaleDateTimeField(interval="365 days")
    open = MoneyField()
    high = MoneyField()
    low = MoneyField()
    close = MoneyField()
    volume = MoneyField()
    turnover = MoneyField()
    minutes = models.PositiveSmallIntegerField(help_text="closed one-minute bars in it")

    def __str__(self) -> str:
        return f"{self.symbol} {self.interval} {self.time:%Y-%m-%d %H:%M}, {self.minutes} minutes"


class Gap(models.Model):
    """Bars that are missing as of the last check, from one opening to another, both included."""

    symbol = models.CharField(max_length=32)
    interval = models.CharField(max_length=4)
    start = models.DateTimeField(help_text="exchange clock")
    end = models.DateTimeField(help_text="exchange clock")
    bars = models.PositiveIntegerField()
    absent = models.BooleanField(help_text="the exchange was asked and has none")
    checked_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["symbol", "interval", "start"]
        constraints = [
            models.UniqueConstraint(
                fields=["symbol", "interval", "start"], name="one_gap_per_beginning"
            )
        ]

    def __str__(self) -> str:
        return f"{self.symbol} {self.interval}: {self.bars} from {self.start:%Y-%m-%d %H:%M}"


class RefusedBars(models.Model):
    """How many bars of a pair were refused for one reason, ever."""

    symbol = models.CharField(max_length=32)
    reason = models.CharField(max_length=60)
    bars = models.PositiveBigIntegerField(default=0)
    latest = models.DateTimeField(help_text="machine's clock")

    class Meta:
        ordering = ["symbol", "reason"]
        verbose_name_plural = "refused bars"
        constraints = [
            models.UniqueConstraint(fields=["symbol", "reason"], name="one_count_per_reason")
        ]

    def __str__(self) -> str:
        return f"{self.symbol}: {self.bars} {self.reason}"
