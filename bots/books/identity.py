"""The identity of profit: what the ledger says a grid made is what its parts add up to.

Total PnL = grid profit + inventory PnL + floating PnL (contract section 5). The left side comes
from the ledger, that is from the fills alone, the right one from cells and round trips. It holds
coin by coin, so no price has to be known: the base that cells hold is the ledger's, and the quote
beyond the capital is what round trips earned and open cells have spent.
"""

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal

from django.db import connection
from django.db.models import F, Sum

from bots.models import Bot, Cell
from market.models import Instrument, MoneyField
from market.types import ZERO, plain

_PURSE = """
SELECT coin, traded, sum(amount) FROM bots_books_by_day
WHERE bot_id = %s AND account = 'bot' GROUP BY coin, traded
"""
_EARNED = "SELECT sum(grid_profit + inventory_pnl) FROM bots_trips_by_day WHERE bot_id = %s"
TOLERANCE = Decimal("1e-8")  # of a coin; sums of kept digits are exact


@dataclass(frozen=True, slots=True)
class Purse:
    """A grid in the ledger. Quote is what it has, its capital included; base likewise."""

    capital: Decimal
    base: Decimal
    quote: Decimal

    def pnl(self, price: Decimal) -> Decimal:
        """Total PnL at a price, before exit fees, in quote."""
        return self.quote + self.base * price - self.capital


@dataclass(frozen=True, slots=True)
class Residual:
    """What the ledger has beyond the parts; zero, but for fills that are being booked."""

    base: Decimal
    quote: Decimal

    @property
    def is_zero(self) -> bool:
        return abs(self.base) <= TOLERANCE and abs(self.quote) <= TOLERANCE

    def __str__(self) -> str:
        return f"{plain(self.base)} base, {plain(self.quote)} quote"


def purse(bot: Bot) -> Purse:
    """What a bot was given and has, by the ledger."""
    pair = Instrument.objects.filter(symbol=bot.symbol).first()
    if pair is None:
        return Purse(ZERO, ZERO, ZERO)
    coins: dict[str, Decimal] = defaultdict(lambda: ZERO)
    capital = ZERO
    with connection.cursor() as cursor:
        cursor.execute(_PURSE, [bot.pk])
        for coin, traded, amount in cursor.fetchall():
            coins[coin] += amount
            capital += ZERO if traded else amount
    return Purse(capital, coins[pair.base], coins[pair.quote])


def residual(bot: Bot) -> Residual:
    """The ledger less the parts."""
    has = purse(bot)
    cells = Cell.objects.filter(config__bot=bot).aggregate(
        held=Sum("held"), open=Sum(F("proceeds") - F("cost"), output_field=MoneyField())
    )
    with connection.cursor() as cursor:
        cursor.execute(_EARNED, [bot.pk])
        (earned,) = cursor.fetchone()
    made = (earned or ZERO) + (cells["open"] or ZERO)
    return Residual(has.base - (cells["held"] or ZERO), has.quote - has.capital - made)
