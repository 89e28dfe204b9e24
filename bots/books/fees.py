"""What the account pays on each pair, as the exchange says, kept and asked for again daily."""

import logging
import time
from datetime import timedelta
from decimal import Decimal

from django.utils import timezone

from bots.grid.rates import Fees
from bots.models import Bot, FeeRate
from market.exchange import Exchange, ExchangeError

log = logging.getLogger(__name__)

USUAL = Fees(Decimal("0.001"), Decimal("0.001"))  # Bybit spot without a VIP level
FRESH = timedelta(days=1)
NOT_TOLD_S = 300.0
_ask_again: dict[str, float] = {}  # by pair: when it makes sense to ask once more (monotonic)


def refresh(exchange: Exchange) -> None:
    """Ask for the rates of all bots' pairs. Raises ExchangeError, as in demo trading always."""
    for symbol in sorted(set(Bot.objects.values_list("symbol", flat=True))):
        _ask(exchange, symbol)


def _ask(exchange: Exchange, symbol: str) -> None:
    told = exchange.fee_rates(symbol)
    facts = {"maker": told.maker, "taker": told.taker, "asked_at": timezone.now()}
    FeeRate.objects.update_or_create(symbol=symbol, defaults=facts)


def rates(exchange: Exchange, symbol: str) -> Fees:
    """The rates of a pair, asked for when they are not of today; the usual where none are told.

    Who was not told (demo trading never tells) does not ask again at each change of a form.
    """
    known = FeeRate.objects.filter(symbol=symbol)
    is_old = not known.filter(asked_at__gt=timezone.now() - FRESH).exists()
    if is_old and time.monotonic() >= _ask_again.get(symbol, 0.0):
        try:
            _ask(exchange, symbol)
        except ExchangeError as error:
            _ask_again[symbol] = time.monotonic() + NOT_TOLD_S
            log.warning("the fee rates of %s are not told: %s", symbol, error)
    return kept(symbol)


def forget() -> None:
    """Ask again at the next occasion, whoever did not tell lately."""
    _ask_again.clear()


def kept(symbol: str) -> Fees:
    """The rates of a pair as last told, without asking; the usual where none ever were."""
    row = FeeRate.objects.filter(symbol=symbol).first()
    return USUAL if row is None else Fees(row.maker, row.taker)
