"""Rows for tests: a bot with its grid, orders, fills and round trips, prices, and people."""

import secrets
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import factory
from django.contrib.auth.models import User
from django.utils import timezone
from factory.django import DjangoModelFactory, Password

from bots import roles, tokens
from bots.grid import ids
from bots.models import ApiToken, Bot, Cell, Fill, GridConfig, Order, RoundTrip
from bots.roles import Role
from market.models import Instrument, Price
from market.types import ONE, ZERO, OrderStatus, Side, TimeInForce

NOON = datetime(2026, 1, 12, 12, tzinfo=UTC)
PASSWORD = "correct horse battery"


class UserFactory(DjangoModelFactory[User]):
    """A person; `role=Role.TRADER` gives a role."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    username = factory.Sequence(lambda n: f"person{n}")
    password = Password(PASSWORD)

    @factory.post_generation
    def role(self: User, create: bool, role: Role | None, **extra: object) -> None:
        if role is not None:
            roles.give(self, role)


def new_token(user: User) -> str:
    """A key to the API, made without a row in the audit trail."""
    key = secrets.token_urlsafe(32)
    later = timezone.now() + timedelta(days=1)
    ApiToken.objects.create(user=user, digest=tokens.digest(key), expires_at=later)
    return key


class InstrumentFactory(DjangoModelFactory[Instrument]):
    """BTCUSDT's filters unless told otherwise."""

    class Meta:
        model = Instrument
        django_get_or_create = ("symbol",)

    symbol = "BTCUSDT"
    base = factory.LazyAttribute(lambda pair: pair.symbol.removesuffix("USDT"))
    quote = "USDT"
    tick = Decimal("0.01")
    lot = Decimal("0.000001")
    min_notional = Decimal(5)
    max_limit_quantity = Decimal(100)


class PriceFactory(DjangoModelFactory[Price]):
    """A price that has just come in."""

    class Meta:
        model = Price
        django_get_or_create = ("symbol",)

    symbol = "BTCUSDT"
    last = Decimal(97_000)
    bid = factory.LazyAttribute(lambda price: price.last)
    ask = factory.LazyAttribute(lambda price: price.last)
    time = NOON
    received_at = factory.LazyFunction(lambda: datetime.now(UTC))


class BotFactory(DjangoModelFactory[Bot]):
    """A running bot with a config of its own; `config__lower=...` shapes the grid."""

    class Meta:
        model = Bot
        skip_postgeneration_save = True

    slug = factory.Sequence(lambda n: f"bot-{n}")
    name = factory.LazyAttribute(lambda bot: bot.slug.upper())
    symbol = "BTCUSDT"
    tag = factory.Sequence(lambda n: f"t{n}")
    state = Bot.State.RUNNING

    @factory.post_generation
    def config(self: Bot, create: bool, given: GridConfig | None, **shape: object) -> None:
        self.config = given or GridConfigFactory(bot=self, **shape)
        self.save(update_fields=["config"])


class GridConfigFactory(DjangoModelFactory[GridConfig]):
    """A version of a bot's grid: BTC's of the mission."""

    class Meta:
        model = GridConfig

    bot = factory.SubFactory(BotFactory)
    version = 1
    lower = Decimal(95_500)
    upper = Decimal(99_000)
    grids = 12
    capital = Decimal(25_000)
    stop_loss = Decimal(94_800)


class CellFactory(DjangoModelFactory[Cell]):
    """An empty cell that wants a buy."""

    class Meta:
        model = Cell

    config = factory.SubFactory(GridConfigFactory)
    index = factory.Sequence(lambda n: n)
    low = Decimal(95_500)
    high = Decimal(96_000)
    quantity = Decimal("0.02")
    trip = 0
    side = Side.BUY
    attempt = 0
    entry = False
    crossed = False
    bought = held = cost = buy_fee = sold = proceeds = ZERO
    opened = 0


class OrderFactory(DjangoModelFactory[Order]):
    """A buy that rests."""

    class Meta:
        model = Order

    class Params:
        attempt = factory.Sequence(lambda n: n)

    bot = factory.SubFactory(BotFactory)
    config = factory.LazyAttribute(lambda order: order.bot.config)
    cell = 0
    symbol = factory.LazyAttribute(lambda order: order.bot.symbol)
    side = Side.BUY
    client_id = factory.LazyAttribute(
        lambda order: ids.client_id(
            ids.Slot(
                order.config.grid_name, order.cell, 0, ids.kind_of(Side(order.side)), order.attempt
            )
        )
    )
    order_id = factory.Sequence(lambda n: f"exchange-{n}")
    price = Decimal("95500.5")
    quantity = Decimal("0.02")
    time_in_force = TimeInForce.POST_ONLY
    status = OrderStatus.OPEN


class FillFactory(DjangoModelFactory[Fill]):
    """The whole of an order, executed; the ledger has to know its pair's coins."""

    class Meta:
        model = Fill

    @classmethod
    def _create(cls, model_class: type[Fill], *args: object, **kwargs: object) -> Fill:
        InstrumentFactory(symbol=kwargs["symbol"])
        found: Fill = super()._create(model_class, *args, **kwargs)
        return found

    order = factory.SubFactory(OrderFactory, status=OrderStatus.FILLED, settled=True)
    bot = factory.LazyAttribute(lambda fill: fill.order.bot)
    exec_id = factory.Sequence(lambda n: f"execution-{n}")
    symbol = factory.LazyAttribute(lambda fill: fill.order.symbol)
    side = factory.LazyAttribute(lambda fill: fill.order.side)
    price = factory.LazyAttribute(lambda fill: fill.order.price)
    quantity = factory.LazyAttribute(lambda fill: fill.order.quantity)
    fee = Decimal("0.00002")
    fee_coin = "BTC"
    is_maker = True
    time = NOON
    booked = True


class RoundTripFactory(DjangoModelFactory[RoundTrip]):
    """A passage that earned one quote."""

    class Meta:
        model = RoundTrip

    bot = factory.SubFactory(BotFactory)
    config = factory.LazyAttribute(lambda trip: trip.bot.config)
    cell = 0
    trip = factory.Sequence(lambda n: n)
    entry = False
    bought = sold = Decimal("0.02")
    cost = Decimal(1910)
    proceeds = Decimal(1911)
    grid_profit = ONE
    inventory_pnl = ZERO
    opened = closed = NOON
