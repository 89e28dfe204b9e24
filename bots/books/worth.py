"""What coins are worth in quote: now, and at the time of a fill."""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from market import series
from market.models import Instrument, Price
from market.types import ONE, ZERO, Fill, milliseconds, moment

SAME_MOMENT = timedelta(minutes=1)  # exchange clock

log = logging.getLogger(__name__)


def of_coins() -> Mapping[str, Decimal]:
    """What one of each coin is worth at the last prices; those without one are left out.

    Quote coins are taken to be worth one another.
    """
    prices = {price.symbol: price.last for price in Price.objects.all()}
    worth = {}
    for pair in Instrument.objects.all():
        worth[pair.quote] = ONE
        if pair.symbol in prices:
            worth[pair.base] = prices[pair.symbol]
    return worth


def of_all(amounts: Mapping[str, Decimal]) -> Decimal | None:
    """The sum of these coins at the last prices; None while one of them has no price."""
    worth = of_coins()
    if any(coin not in worth for coin, amount in amounts.items() if amount):
        return None
    return sum((amount * worth[coin] for coin, amount in amounts.items() if amount), ZERO)


def at(coin: str, time: datetime) -> Decimal | None:
    """What one was worth at a time of the exchange's clock: the newest price that was known then.

    Without a record from before, the oldest price that is known; None without any.
    """
    if Instrument.objects.filter(quote=coin).exists():
        return ONE
    for pair in Instrument.objects.filter(base=coin).order_by("symbol"):
        price = Price.objects.filter(symbol=pair.symbol).first()
        if price is not None and abs(price.time - time) <= SAME_MOMENT:
            return price.last
        bars = series.read(pair.symbol, "1", milliseconds(time), 1)
        if bars:
            return bars[0].close
        if price is not None:
            return price.last
    return None


def of_fee(fill: Fill) -> Decimal | None:
    """A third coin's fee in quote at the fill's time; None for a fee in one of the pair's coins.

    None, and logged, too where the coin has no price: such a fee counts as nothing.
    """
    pair = Instrument.objects.filter(symbol=fill.symbol).first()
    if pair is None or fill.fee_coin in (pair.base, pair.quote):
        return None
    one = at(fill.fee_coin, moment(fill.time))
    if one is None:
        log.warning("the fee of %s in %s has no price", fill.exec_id, fill.fee_coin)
        return None
    return fill.fee * one
