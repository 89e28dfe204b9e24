"""Our books against the exchange's: catching up by REST, and the comparison that proves it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Max, Min
from django.utils import timezone

from bots.books import facts, ledger
from bots.grid import ids
from bots.models import Bot, Fill, Order
from market import types
from market.exchange import Exchange
from market.types import OPEN, ZERO, milliseconds

OVERLAP = timedelta(hours=2)  # of the exchange's clock, before the newest fill that we have


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that we and the exchange see differently."""

    what: str
    ours: str
    theirs: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """The three equalities: open orders, executions, wallet."""

    open_orders: int
    executions: int
    coins: Mapping[str, Decimal]
    foreign_orders: int
    foreign_executions: Sequence[types.Fill]  # oldest first
    differences: Sequence[Difference]

    @property
    def agrees(self) -> bool:
        return not self.differences


def sweep(exchange: Exchange) -> set[int]:
    """Catch up by REST with whatever messages were lost; answers the bots that have news.

    Executions since the newest we have, less an overlap; open orders; and of every order we think
    rests but the exchange does not list, a look-up by the bot's next tick. Raises ExchangeError.
    """
    since = _since(Fill.objects.aggregate(at=Max("time"))["at"], OVERLAP)
    if since is None:
        return set()
    news = {facts.record_fill(fill) for fill in _not_kept(list(exchange.fills_since(since)))}
    thought_open = dict(_thought_open())
    listed = exchange.open_orders()
    news |= {facts.record_order(order) for order in _not_as_kept(listed)}
    gone = thought_open.keys() - {order.client_id for order in listed}
    news |= {thought_open[client_id] for client_id in gone}
    Order.objects.filter(client_id__in=gone).update(look_after=timezone.now())
    bots = {bot for bot in news if bot is not None}
    facts.tell(bots)
    return bots


def _not_kept(fills: Sequence[types.Fill]) -> Iterable[types.Fill]:
    """Those that we do not have: the overlap brings most of them again and again."""
    found = Fill.objects.filter(exec_id__in=[fill.exec_id for fill in fills])
    kept = set(found.values_list("exec_id", flat=True))
    return (fill for fill in fills if fill.exec_id not in kept)


def _not_as_kept(listed: Sequence[types.Order]) -> Iterable[types.Order]:
    """Those of which the exchange says something else than our rows do."""
    names = [order.client_id for order in listed]
    rows = Order.objects.filter(client_id__in=names, settled=False)
    kept = {
        client_id: told
        for client_id, *told in rows.values_list("client_id", "order_id", "status", "filled")
    }
    return (
        order
        for order in listed
        if kept.get(order.client_id) != [order.order_id, order.status, order.filled]
    )


def compare(exchange: Exchange) -> Comparison:
    """Read both sides and compare them, as they are: nothing is changed. Raises ExchangeError."""
    theirs_open = exchange.open_orders()
    first = Order.objects.aggregate(at=Min("bot__deployed_at"))["at"]
    since = _since(first, timedelta(days=1))
    their_fills = list(exchange.fills_since(since)) if since is not None else []
    wallet = {balance.coin: balance.total for balance in exchange.balances()}
    tags = set(Bot.objects.values_list("tag", flat=True))
    our_open = {client_id for client_id, _ in _thought_open()}
    our_fills = set(Fill.objects.values_list("exec_id", flat=True))
    listed = {order.client_id for order in theirs_open if ids.is_ours(order.client_id, tags)}
    executed = {fill.exec_id for fill in their_fills if ids.is_ours(fill.client_id, tags)}
    foreign = [fill for fill in their_fills if fill.exec_id not in executed]
    books = ledger.balances()
    differences = [
        *_missing("open order", our_open, listed),
        *_missing("execution", our_fills, executed),
        *(
            Difference(f"balance of {coin}", format(books.get(coin, ZERO), "f"), format(held, "f"))
            for coin in sorted(wallet.keys() | books.keys())
            if books.get(coin, ZERO) != (held := wallet.get(coin, ZERO))
        ),
    ]
    return Comparison(
        open_orders=len(listed),
        executions=len(executed),
        coins=wallet,
        foreign_orders=len(theirs_open) - len(listed),
        foreign_executions=foreign,
        differences=differences,
    )


def _missing(what: str, ours: set[str], theirs: set[str]) -> Iterable[Difference]:
    for name in sorted(ours - theirs):
        yield Difference(f"{what} {name}", "known", "unknown")
    for name in sorted(theirs - ours):
        yield Difference(f"{what} {name}", "unknown", "known")


def _thought_open() -> Iterable[tuple[str, int]]:
    resting = Order.objects.filter(status__in=OPEN)
    return resting.values_list("client_id", "bot_id")


def _since(at: datetime | None, overlap: timedelta) -> int | None:
    """Start of a window on the exchange's clock, ms; None when nothing was ever sent."""
    if at is None:
        at = Bot.objects.aggregate(at=Min("deployed_at"))["at"]
    return milliseconds(at - overlap) if at is not None else None
