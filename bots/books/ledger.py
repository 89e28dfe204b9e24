"""The account's books: what was there, what our fills changed, and whether the exchange agrees."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import connection, transaction

from bots.books import worth
from bots.models import BookLine, Bot, CapitalMove
from market.exchange import Exchange
from market.locks import Lock, hold
from market.types import ZERO
from risk import audit, halts


def open_books(exchange: Exchange) -> None:
    """Write down what the account holds before our first order. Raises ExchangeError."""
    if CapitalMove.objects.filter(opening=True).exists():
        return
    balances = exchange.balances()
    with transaction.atomic():
        hold(Lock.BOOKS)
        if CapitalMove.objects.filter(opening=True).exists():
            return
        CapitalMove.objects.bulk_create(
            CapitalMove(
                coin=balance.coin, amount=balance.total, reason="opening balance", opening=True
            )
            for balance in balances
        )
        found = {balance.coin: balance.total for balance in balances}
        audit.record("capital", halts.ALL, who="engine", after=found,
                     reason="opening balance")  # fmt: skip


def balances() -> Mapping[str, Decimal]:
    """What each coin should stand at: what came in, and what our fills made of it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT coin, sum(amount) FROM bots_books_by_day GROUP BY coin")
        return defaultdict(lambda: ZERO, dict(cursor.fetchall()))


def equity() -> Decimal | None:
    """The account's worth in quote at the last prices; None while a price is not known."""
    held = balances()
    return worth.of_all(held) if held else None


@dataclass(frozen=True, slots=True)
class Flow:
    """Quote that came in at a time of the exchange's clock; below zero it left."""

    at: datetime
    amount: Decimal


def flows(bot: Bot | None = None) -> list[Flow]:
    """What came into the account from outside, coins valued when they came; or into a grid, as its
    capital. The oldest first."""
    if bot is not None:
        lines = BookLine.objects.filter(
            bot=bot, account=BookLine.Account.BOT, booking__config__isnull=False
        ).order_by("booking__at")
        return [Flow(*row) for row in lines.values_list("booking__at", "amount")]
    lines = BookLine.objects.filter(
        account=BookLine.Account.FREE, booking__move__isnull=False
    ).order_by("booking__at")
    found = lines.values_list("booking__at", "coin", "amount")
    return [Flow(at, (worth.at(coin, at) or ZERO) * amount) for at, coin, amount in found]


def given() -> Decimal:
    """All that came in, less what left."""
    return sum((flow.amount for flow in flows()), ZERO)
