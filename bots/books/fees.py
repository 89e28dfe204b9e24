"""What the account pays on each pair, as the exchange says, kept and asked for again daily."""

import logging
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal

from django.utils import timezone

from bots.grid.truth import Fees
from bots.models import FeeRate
from market.exchange import Exchange, ExchangeError

log = logging.getLogger(__name__)

USUAL = Fees(Decimal("0.001"), Decimal("0.001"))  # Bybit spot without a VIP level
FRESH = timedelta(days=1)


def refresh(exchange: Exchange, symbols: Iterable[str]) -> None:
    """Ask for the rates of these pairs. Raises ExchangeError, as in demo trading always."""
    for symbol in symbols:
        rates = exchange.fee_rates(symbol)
        told = {"maker": rates.maker, "taker": rates.taker, "asked_at": timezone.now()}
        FeeRate.objects.update_or_create(symbol=symbol, defaults=told)


def rates(exchange: Exchange, symbol: str) -> Fees:
    """The rates of a pair, asked for when they are not of today; the usual where none are told."""
    known = FeeRate.objects.filter(symbol=symbol)
    if not known.filter(asked_at__gt=timezone.now() - FRESH).exists():
        try:
            refresh(exchange, [symbol])
        except ExchangeError as error:
            log.warning("the fee rates of %s are not told: %s", symbol, error)
    row = known.first()
    return USUAL if row is None else Fees(row.maker, row.taker)
