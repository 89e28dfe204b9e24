"""The account's books: what was there, what our fills changed, and whether the exchange agrees."""

from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal

from django.db import connection, transaction
from django.db.models import Case, F, Sum, Value, When

from bots.models import CapitalMove, Fill
from market.exchange import Exchange
from market.locks import Lock
from market.models import Instrument, MoneyField, Price
from market.types import ONE, ZERO, Side
from risk import audit, halts


def open_books(exchange: Exchange) -> None:
    """Write down what the account holds before our first order. Raises ExchangeError."""
    if CapitalMove.objects.filter(opening=True).exists():
        return
    balances = exchange.balances()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [Lock.BOOKS])
        if CapitalMove.objects.filter(opening=True).exists():
            return
        CapitalMove.objects.bulk_create(
            CapitalMove(
                coin=balance.coin, amount=balance.total, reason="opening balance", opening=True
            )
            for balance in balances
        )
        found = {balance.coin: balance.total for balance in balances}
        audit.record("capital", halts.ALL, who="engine", origin="wallet", after=found,
                     reason="opening balance")  # fmt: skip


def balances() -> Mapping[str, Decimal]:
    """What each coin should stand at: capital moved in, and our fills net of their fees."""
    coins: dict[str, Decimal] = defaultdict(lambda: ZERO)
    moves = CapitalMove.objects.values_list("coin").annotate(Sum("amount")).order_by("coin")
    for coin, amount in moves:
        coins[coin] += amount
    pairs = {row.symbol: row for row in Instrument.objects.all()}
    traded = Fill.objects.values_list("symbol").annotate(
        base=_signed(F("quantity"), buy=1), quote=_signed(F("price") * F("quantity"), buy=-1)
    )
    for symbol, base, quote in traded.order_by("symbol"):
        coins[pairs[symbol].base] += base
        coins[pairs[symbol].quote] += quote
    fees = Fill.objects.values_list("fee_coin").annotate(Sum("fee")).order_by("fee_coin")
    for coin, fee in fees:
        coins[coin] -= fee
    return coins


def _signed(amount: F, *, buy: int) -> Sum:
    """Sum of an amount over fills, with the sign that buys give it."""
    return Sum(
        Case(
            When(side=Side.BUY, then=amount * Value(buy)),
            default=amount * Value(-buy),
            output_field=MoneyField(),
        )
    )


def worth_of_coins() -> Mapping[str, Decimal]:
    """What one of each coin is worth in quote, at the last prices; those without one are left out.

    Quote coins are taken to be worth one another.
    """
    prices = {price.symbol: price.last for price in Price.objects.all()}
    worth = {}
    for pair in Instrument.objects.all():
        worth[pair.quote] = ONE
        if pair.symbol in prices:
            worth[pair.base] = prices[pair.symbol]
    return worth


def equity() -> Decimal | None:
    """The account's worth in quote at the last prices; None while a price is not known."""
    worth, held = worth_of_coins(), balances()
    if not held or any(coin not in worth for coin, amount in held.items() if amount):
        return None
    return sum((amount * worth[coin] for coin, amount in held.items() if amount), ZERO)
