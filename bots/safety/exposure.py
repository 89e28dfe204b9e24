"""What the bots have at stake: the pre-trade gate judges by it, and the page of risk shows it.

At stake, at worst price, are coins held (at cost) and buys that rest, are in flight or of unknown
fate (at their limit). Money is quote.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple, Protocol

from django.db.models import F, Q, Sum
from django.utils import timezone

from bots.models import Bot, Cell, Order
from market.types import CLOSED, ZERO, OrderStatus, Side
from risk.models import Guard

_MINUTE = timedelta(minutes=1)


class Row(NamedTuple):
    """An order of any bot that is not settled yet."""

    bot: int
    symbol: str
    side: str
    status: str
    price: Decimal
    quantity: Decimal
    filled: Decimal
    created_at: datetime
    booked: Decimal

    @property
    def is_live(self) -> bool:
        return OrderStatus(self.status) not in CLOSED

    @property
    def committed(self) -> Decimal:
        """Quote that a buy has spent or may spend and that no cell has booked yet."""
        if self.side != Side.BUY:
            return ZERO
        whole = self.quantity if self.is_live else self.filled
        return max(whole - self.booked, ZERO) * self.price


class Rung(Protocol):
    """A cell, as a row or in the grid."""

    quantity: Decimal
    low: Decimal


@dataclass(frozen=True, slots=True)
class Stake:
    """What one bot has at stake, and the most that it may."""

    bot: Bot
    held: Decimal
    committed: Decimal
    cap: Decimal
    orders: int  # open, in flight or of unknown fate

    @property
    def used(self) -> Decimal:
        return self.held + self.committed


def unsettled() -> Iterator[Row]:
    """All orders that are not settled, whosever."""
    found = Order.objects.filter(settled=False).annotate(
        in_cells=Sum("fills__quantity", filter=Q(fills__booked=True), default=ZERO)
    )
    names = (
        "bot_id", "symbol", "side", "status", "price", "quantity", "filled", "created_at",
        "in_cells",
    )  # fmt: skip
    return (Row(*values) for values in found.values_list(*names))


def held_by_bot() -> Mapping[tuple[int, str], Decimal]:
    """The cost of the coins in cells of any version, by bot and pair."""
    costs = Cell.objects.filter(cost__gt=0).order_by()
    found = costs.values_list(F("config__bot"), F("config__bot__symbol")).annotate(Sum("cost"))
    return {(bot, symbol): cost for bot, symbol, cost in found}


def cap_of(capital: Decimal, ladder: Iterable[Rung]) -> Decimal:
    """A bot may spend its capital, or its whole ladder where that was sized on a lower price."""
    return max(capital, sum((rung.quantity * rung.low for rung in ladder), ZERO))


def sent_lately(most: int) -> int:
    """Orders of the last minute, counted no further than to the cap."""
    newest = Order.objects.order_by("-id").values_list("created_at", flat=True)[:most]
    since = timezone.now() - _MINUTE
    return sum(1 for at in newest if at > since)


def foreign_orders() -> int:
    """Orders of others on the account, when last seen: they count against its cap too."""
    seen = Guard.objects.filter(name="foreign orders").values_list("value", flat=True).first()
    return int(seen or 0)


def open_orders(but: Bot | None = None) -> int:
    """How many orders the account has open, in flight or of unknown fate, without one bot's."""
    ours = sum(1 for row in unsettled() if row.is_live and (but is None or row.bot != but.pk))
    return ours + foreign_orders()


def stakes() -> Sequence[Stake]:
    """Every bot's, in the dashboard's order."""
    rows, held = list(unsettled()), held_by_bot()
    bots = Bot.objects.exclude(config=None).select_related("config")
    return [
        Stake(
            bot=bot,
            held=held.get((bot.pk, bot.symbol), ZERO),
            committed=sum((row.committed for row in rows if row.bot == bot.pk), ZERO),
            cap=cap_of(bot.config.capital, Cell.objects.filter(config=bot.config_id)),
            orders=sum(1 for row in rows if row.bot == bot.pk and row.is_live),
        )
        for bot in bots
        if bot.config is not None
    ]
