"""What bots' fills and round trips add up to: the one place where these sums are made."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Case, Count, F, OuterRef, Q, Subquery, Sum, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from bots.models import Bot, Cell, Fill, RoundTrip
from market.models import Instrument, MoneyField, Price
from market.types import ZERO

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Earned:
    """Of one bot, all versions of its grid together. Money is quote."""

    fills: int = 0  # orders filled, whole or in part
    fills_24h: int = 0  # of these, with a fill in the last 24 h of the exchange's clock
    fees: Decimal = ZERO  # coins valued at their fill
    round_trips: int = 0
    grid_profit: Decimal = ZERO
    inventory_pnl: Decimal = ZERO
    today: Decimal = ZERO  # realised by round trips closed since midnight UTC of that clock
    gross: Decimal = ZERO  # what the round trips would have earned by the grid without fees

    @property
    def realised(self) -> Decimal:
        return self.grid_profit + self.inventory_pnl


def of(
    bots: Iterable[Bot], until: datetime | None = None, now: datetime | None = None
) -> Mapping[int, Earned]:
    """By the bots' ids; nothing earned for those without fills.

    `until` is a time of the exchange's clock: as it was then, what came later left out.
    `now` is that clock where the caller knows it.
    """
    bots = list(bots)
    newest = Price.objects.order_by("-time").values_list("time", flat=True)
    now = until or now or newest.first() or timezone.now()
    fills, passages = Fill.objects.filter(bot__in=bots), RoundTrip.objects.filter(bot__in=bots)
    if until is not None:
        fills, passages = fills.filter(time__lt=until), passages.filter(closed__lt=until)
    pair = Instrument.objects.filter(symbol=OuterRef("symbol"))
    fee_in_quote = Case(
        When(fee_coin=Subquery(pair.values("quote")), then=F("fee")),
        When(fee_coin=Subquery(pair.values("base")), then=F("fee") * F("price")),
        default=Coalesce(F("fee_worth"), ZERO, output_field=MoneyField()),
        output_field=MoneyField(),
    )
    traded = (
        fills.order_by()
        .values("bot")
        .annotate(
            fills=Count("order", distinct=True),
            fills_24h=Count("order", distinct=True, filter=Q(time__gt=now - DAY)),
            fees=Sum(fee_in_quote),
        )
    )
    cell = Cell.objects.filter(config=OuterRef("config"), index=OuterRef("cell"))
    step = Subquery(
        cell.annotate(step=F("high") - F("low")).values("step"), output_field=MoneyField()
    )
    trips = (
        passages.order_by()
        .values("bot")
        .annotate(
            # First: a sum that comes after another one would add that one up.
            today=Coalesce(
                Sum(F("grid_profit") + F("inventory_pnl"), filter=Q(closed__gte=_midnight(now))),
                ZERO,
                output_field=MoneyField(),
            ),
            round_trips=Count("id"),
            grid_profit=Sum("grid_profit"),
            inventory_pnl=Sum("inventory_pnl"),
            gross=Coalesce(Sum(F("bought") * step, output_field=MoneyField()), ZERO),
        )
    )
    found: dict[int, dict[str, Any]] = defaultdict(dict)
    for row in (*traded, *trips):
        found[row.pop("bot")].update(row)
    return defaultdict(Earned, {bot: Earned(**facts) for bot, facts in found.items()})


def _midnight(now: datetime) -> datetime:
    """The beginning of its day; the exchange's days are UTC."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0)
