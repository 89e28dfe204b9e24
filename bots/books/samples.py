"""What is measured as time goes by: the account's worth, and how quick counter orders were."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from bots.books import highs, identity, ledger
from bots.models import Bot, Order
from market.merge import market_clock
from market.models import Price
from market.types import moment
from risk.halts import ALL
from risk.models import EquityPoint, LatencySample

OVERLAP = timedelta(minutes=10)  # an answer may be written down after later ones
MOST = 5_000  # orders looked at in one go, the newest: no index on answers is needed
MILLISECOND = timedelta(milliseconds=1)


def record_equity() -> bool:
    """Keep the account's worth at this minute of the exchange's clock, and each grid's.

    False when the account's cannot be known.
    """
    now, equity = market_clock(), ledger.equity()
    if now is None or equity is None:
        return False
    minute = moment(now).replace(second=0, microsecond=0)
    points = [EquityPoint(subject=ALL, time=minute, equity=equity, given=ledger.given())]
    EquityPoint.objects.bulk_create([*points, *_of_grids(minute)], ignore_conflicts=True)
    highs.keep([None, *Bot.objects.exclude(deployed_at=None)])
    return True


def _of_grids(minute: datetime) -> Iterator[EquityPoint]:
    """What each grid has, its capital included, at the last price, by the ledger."""
    prices = {price.symbol: price.last for price in Price.objects.all()}
    for bot in Bot.objects.exclude(deployed_at=None):
        has = identity.purse(bot)
        if bot.symbol in prices and has.capital:
            worth = has.quote + has.base * prices[bot.symbol]
            yield EquityPoint(subject=bot.subject, time=minute, equity=worth, given=has.capital)


def record_latency() -> int:
    """Keep a sample of each acknowledged counter order; returns how many were looked at."""
    answered = Order.objects.exclude(caused_at=None).exclude(acknowledged_at=None)
    newest = LatencySample.objects.order_by("-time").values_list("time", flat=True).first()
    samples = [
        sample
        for sample in map(_sample, answered.select_related("bot").order_by("-id")[:MOST])
        if newest is None or sample.time > newest - OVERLAP
    ]
    LatencySample.objects.bulk_create(samples, ignore_conflicts=True, batch_size=1_000)
    return len(samples)


def _sample(order: Order) -> LatencySample:
    answered, caused, sent = order.acknowledged_at, order.caused_at, order.sent_at
    if answered is None or caused is None:
        raise ValueError(f"{order} has no latency: it was not caused or not acknowledged")
    return LatencySample(
        client_id=order.client_id,
        time=answered,
        subject=order.bot.subject,
        decision_ms=(answered - caused) / MILLISECOND,
        wire_ms=(answered - sent) / MILLISECOND if sent else None,
    )
