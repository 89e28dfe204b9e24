"""Whether the exchange is as we think: its clock, our key, its open orders, its wallet.

The watchdog looks again and again; and no process places an order before it has seen once that
all is well and that the books agree.
"""

import logging
import threading
import time
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from weakref import WeakKeyDictionary

from django.db import transaction
from django.utils import timezone

from bots.books import fees, ledger, reconcile
from bots.grid import ids
from bots.grid.levels import levels
from bots.grid.rates import worst_rate
from bots.models import Bot, CapitalMove, Fill, GridConfig, Order
from bots.safety import guarding
from bots.safety.guarding import standing
from bots.terms import spec_now
from market import ingest
from market.exchange import Broken, Exchange, ExchangeError
from market.locks import Lock, hold
from market.types import OPEN, ZERO, plain
from market.types import Fill as DomainFill
from market.types import Order as DomainOrder
from risk import audit, guards, policy
from risk.models import Guard

log = logging.getLogger(__name__)

TERMS_EVERY_S = 900.0  # permissions of a key and filters of pairs seldom change
ACCESS_REST = timedelta(minutes=2)  # after a refusal of all we send, before buys are tried again
LOOK_AGAIN_S = 1.0  # between two looks of a process that may not trade yet
TOLD = 3  # trades by others, the newest
MUST_STAND = ("access", "API key", "clock")  # guards without whose leave no process begins


class Books:
    """The guards that ask the exchange."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._residuals: Mapping[str, Decimal] = {}
        self._orders: frozenset[str] = frozenset()
        self._terms_at: float | None = None
        self.agree = False  # at the last look

    def check(self) -> None:
        """Look once. Raises ExchangeError, DatabaseError."""
        self.agree = False
        try:
            self._look()
        except Broken as error:
            guarding.note(guards.access(str(error)))
            raise
        self._clear_access()

    def _look(self) -> None:
        self._check_clock()
        self._check_terms()
        if not Bot.objects.exclude(deployed_at=None).exists():
            return
        self._check_orders()
        if self._check_wallet():
            self.agree = not self._orders

    def _check_clock(self) -> None:
        thresholds = policy.current()
        began = time.time()
        theirs = self._exchange.server_time_ms()
        ours = (began + time.time()) / 2 * 1000
        guarding.note(
            guards.clock(
                Decimal(round(ours - theirs)),
                warn=Decimal(thresholds.clock_warn),
                stop=Decimal(thresholds.clock_stop),
                before=standing("clock", "all"),
            )
        )

    def _check_terms(self) -> None:
        """What the key may do, and which pairs are traded under which filters."""
        now = time.monotonic()
        if self._terms_at is not None and now - self._terms_at < TERMS_EVERY_S:
            return
        guarding.note(guards.api_key(self._exchange.key_terms(), timezone.now()))
        check_listings(self._exchange)
        self._terms_at = now

    def _clear_access(self) -> None:
        """What we sign is accepted again, and for a while no order was refused altogether."""
        guard = Guard.objects.filter(name="access", state=Guard.State.TRIPPED).first()
        if guard is not None and timezone.now() - guard.checked_at > ACCESS_REST:
            guarding.note(guards.access(""))

    def _check_orders(self) -> None:
        """Orders that one side alone thinks open, at two looks: messages take a moment."""
        known = set(Order.objects.filter(status__in=OPEN).values_list("client_id", flat=True))
        listed = self._exchange.open_orders()
        after = set(Order.objects.filter(status__in=OPEN).values_list("client_id", flat=True))
        tags = set(Bot.objects.values_list("tag", flat=True))
        ours = {order.client_id for order in listed if ids.is_ours(order.client_id, tags)}
        differ = frozenset((known & after) ^ ours) - (known ^ after)
        lasting = sorted(differ & self._orders)
        self._orders = differ
        guarding.note(guards.differences("reconcile", lasting, "orders"))
        foreign = [_told(order) for order in listed if order.client_id not in ours]
        guarding.note(guards.foreign(foreign))

    def _check_wallet(self) -> bool:
        """What the wallet holds beside our books; what lasts came or left from outside.

        True when both are equal.
        """
        moves = CapitalMove.objects.count()
        residuals = self._difference()
        if residuals is None:
            return False
        lasting = {c: d for c, d in residuals.items() if self._residuals.get(c) == d}
        self._residuals = residuals
        found = [f"{coin} {plain(amount)}" for coin, amount in sorted(lasting.items())]
        guarding.note(guards.differences("accounting", found, "coins"))
        if lasting:
            self._book(lasting, seen=moves)
        return not residuals

    def _book(self, amounts: Mapping[str, Decimal], *, seen: int) -> None:
        """Book what came or left otherwise, if all executions of ours are known."""
        found = reconcile.compare(self._exchange)
        if any(each.what.startswith("execution ") for each in found.differences):
            return
        trades = [_told(fill) for fill in found.foreign_executions[-TOLD:]]
        _book_outside_moves(amounts, "; ".join(trades), seen=seen)
        self._residuals = {}

    def _difference(self) -> dict[str, Decimal] | None:
        """Wallet less books, by coin; None when our books moved while we looked."""
        reconcile.sweep(self._exchange)
        fills = Fill.objects.count()
        books = ledger.balances()
        wallet = {balance.coin: balance.total for balance in self._exchange.balances()}
        if Fill.objects.count() != fills:
            return None
        coins = wallet.keys() | books.keys()
        found = {coin: wallet.get(coin, ZERO) - books.get(coin, ZERO) for coin in coins}
        return {coin: amount for coin, amount in found.items() if amount}


def check_listings(exchange: Exchange) -> None:
    """Take in the filters of all bots' pairs, and what is not traded. Raises ExchangeError."""
    symbols = sorted(set(Bot.objects.values_list("symbol", flat=True)))
    closed = ingest.refresh_instruments(exchange, symbols)
    for symbol in symbols:
        guarding.note(guards.listing(symbol, closed.get(symbol, "")))


def check_fees(exchange: Exchange) -> None:
    """Take in the account's fee rates; no grid buys while a round trip of it earns nothing.

    Raises ExchangeError, as in demo trading always.
    """
    fees.refresh(exchange)
    versions = GridConfig.objects.filter(pk__in=Bot.objects.values("config"))
    for version in versions.select_related("bot"):
        bot = version.bot
        maker = fees.kept(bot.symbol).maker
        ladder = levels(spec_now(version), ingest.instrument(exchange, bot.symbol))
        guarding.note(guards.fees(bot.subject, worst_rate(ladder, maker), maker))


class Entrance:
    """What each exchange has to show to this process before it gets an order of ours."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._passed: WeakKeyDictionary[Exchange, bool] = WeakKeyDictionary()
        self._books: WeakKeyDictionary[Exchange, tuple[Books, float]] = WeakKeyDictionary()

    def objection(self, exchange: Exchange) -> str:
        """Why nothing may be placed yet; "" for good once all was well."""
        if exchange in self._passed:
            return ""
        with self._lock:
            if exchange in self._passed:
                return ""
            trouble = self._trouble(exchange)
            if not trouble:
                self._passed[exchange] = True
            return trouble

    def forget(self, exchange: Exchange) -> None:
        """Begin anew with an exchange, as a process does that has just started."""
        self._passed.pop(exchange, None)
        self._books.pop(exchange, None)

    def _trouble(self, exchange: Exchange) -> str:
        books, seen = self._books.get(exchange, (Books(exchange), -LOOK_AGAIN_S))
        if time.monotonic() - seen >= LOOK_AGAIN_S:
            try:
                books.check()
            except ExchangeError as error:
                return f"the exchange is not seen yet: {error}"
            self._books[exchange] = books, time.monotonic()
        for guard in Guard.objects.filter(
            name__in=MUST_STAND, subject="all", state=Guard.State.TRIPPED
        ):
            return f"{guard.name}: {guard.did}"
        return "" if books.agree else "books and exchange do not agree yet"


def _told(what: DomainOrder | DomainFill) -> str:
    return f"{what.side} {plain(what.quantity)} {what.symbol} at {plain(what.price)}"


def _book_outside_moves(amounts: Mapping[str, Decimal], trades: str, *, seen: int) -> None:
    """Coins came or left by another way than our orders: into the books, and told.

    `seen` is how many moves there were at the look: whoever booked them meanwhile was faster.
    """
    with transaction.atomic():
        hold(Lock.MOVES)
        if CapitalMove.objects.count() != seen:
            return
        for coin, amount in amounts.items():
            _book_outside_move(coin, amount, trades)


def _book_outside_move(coin: str, amount: Decimal, trades: str) -> None:
    word = "deposit or purchase" if amount > 0 else "withdrawal or sale"
    said = f"; others traded {trades}" if trades else ""
    reason = f"seen on the account: {word} from outside{said}"[:200]
    CapitalMove.objects.create(coin=coin, amount=amount, reason=reason)
    audit.record("capital", coin, who="watchdog", after={"amount": amount}, reason=reason)
    log.critical("ALARM %s %s: %s", plain(amount), coin, reason)
