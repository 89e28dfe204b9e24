"""The exchange port: the few things a grid asks of an exchange, and how each may fail."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple, Protocol

from market.types import Balance, Candle, Fill, Instrument, Order, OrderRequest, Tick


class ExchangeError(Exception):
    """Something asked of the exchange did not happen, or may not have. Subclasses say which.

    `code` is the exchange's own, None where it gave none (no answer, an unreadable one).
    """

    code: int | None = None


class Refused(ExchangeError):
    """A definite no: the request had no effect. `code` is the exchange's, `reason` its words."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"refused by the exchange ({code}): {reason}")
        self.code = code
        self.reason = reason


class AlreadyExists(Refused):
    """The client id is taken: an earlier attempt of ours landed. Look it up and adopt it."""


class WouldTake(Refused):
    """A post-only order that would have taken: the market has passed its price."""


class Misfit(Refused):
    """The pair's filters do not take it: those that we know may be old, so ask for them again."""


class NotTrading(Refused):
    """The pair does not trade now, or not for this key."""


class NoSuchOrder(Refused):
    """The order to cancel is not on the book (any more): look up what became of it."""


class Unresolved(ExchangeError):
    """Not proven: it may or may not have happened. Look it up, never resend blindly."""


class RateLimited(Unresolved):
    """Too many requests; look again at `until_ms` (the machine's clock, ms since 1970)."""

    def __init__(self, message: str, until_ms: int) -> None:
        super().__init__(message)
        self.until_ms = until_ms


class NotSent(RateLimited):
    """Kept back before anything was sent: certainly nothing happened. Ask again at `until_ms`."""


class Broken(ExchangeError):
    """Nothing can work before a person acts: keys, permissions, clock, or a ban."""


#: What came of one order of several: the exchange's order id, or why there is none.
Placed = str | ExchangeError
#: What came of one cancel of several: None when the exchange took it.
Cancelled = ExchangeError | None


@dataclass(frozen=True, slots=True)
class Patience:
    """How long we wait for an exchange, and how long before we try again; the machine's clock."""

    turn: timedelta = timedelta(seconds=2)  # for a turn under the rate limits; then it is NotSent
    recv_window: timedelta = timedelta(seconds=5)  # an older signature is refused by the exchange
    grace: timedelta = timedelta(seconds=2)  # for matching, and between two negative look-ups
    first_look: timedelta = timedelta(seconds=1)  # before an order without an answer is looked up
    refusal_rest: timedelta = timedelta(seconds=30)  # before a refused order is tried again
    broken_rest: timedelta = timedelta(seconds=60)  # the same, where a person has to act

    @property
    def proof(self) -> timedelta:
        """From when on, after the commit that it may go, an order found nowhere never was taken.

        It was signed within its turn, and the exchange refuses what arrives later than recv_window
        after that.
        """
        return self.turn + self.recv_window + self.grace

    def times(self, factor: float) -> "Patience":
        """All of it longer or shorter, for a market that runs faster than the wall clock.

        A turn stays long enough for the commit that begins it.
        """
        scaled = Patience(*(getattr(self, field.name) * factor for field in fields(self)))
        return replace(scaled, turn=max(scaled.turn, SHORTEST_TURN))


SHORTEST_TURN = timedelta(milliseconds=250)
USUAL = Patience()


class FeeRates(NamedTuple):
    """Shares of the traded value, e.g. 0.001; a negative maker rate is a rebate."""

    maker: Decimal
    taker: Decimal


@dataclass(frozen=True, slots=True)
class KeyTerms:
    """What our key may do on the exchange, and until when."""

    read_only: bool = False
    may_trade_spot: bool = True
    may_withdraw: bool = False
    bound_to_addresses: bool = True
    expires: datetime | None = None
    is_known: bool = True  # False where the exchange has no way to ask


@dataclass(frozen=True, slots=True)
class Trigger:
    """An order that waits for a price before it rests: a stop, a take-profit, an OCO."""

    kind: str  # the exchange's word
    symbol: str
    order_id: str
    client_id: str


class Exchange(Protocol):
    """One account on one spot exchange. Every method may raise ExchangeError."""

    def instruments(self, symbols: Sequence[str]) -> Sequence[Instrument]:
        """The filters of these pairs. Raises NotTrading for a pair the exchange does not trade."""

    def tick(self, symbol: str) -> Tick:
        """Last trade, best bid and best ask."""

    def candles(self, symbol: str, interval: str, start: int, end: int) -> Sequence[Candle]:
        """Bars that open in [start, end] (exchange clock, ms), oldest first."""

    @property
    def batch(self) -> int:
        """How many orders or cancels go into one request; 1 where there are no batches."""

    def place(self, order: OrderRequest) -> str:
        """Send an order and return the exchange's order id: accepted for processing, no more.

        Raises AlreadyExists, WouldTake, Misfit, NotTrading, Refused, NotSent, Unresolved, Broken.
        """

    def place_many(
        self, orders: Sequence[OrderRequest], by: float | None = None
    ) -> Sequence[Placed]:
        """Send several orders; what came of each, in their order. Raises no ExchangeError.

        What cannot be on the wire before `by` (time.monotonic) comes back as NotSent.
        """

    def cancel(self, symbol: str, client_id: str) -> None:
        """Ask for a cancel. Raises NoSuchOrder, Refused, NotSent, Unresolved, Broken."""

    def cancel_many(self, orders: Sequence[tuple[str, str]]) -> Sequence[Cancelled]:
        """Ask for cancels by symbol and client id; what came of each. Raises no ExchangeError."""

    def order(self, symbol: str, client_id: str) -> Order | None:
        """Look one order up wherever the exchange may keep it; None when it is nowhere."""

    def open_orders(self, symbol: str | None = None) -> Sequence[Order]:
        """Everything resting on the account, foreign orders (of any client id) included."""

    def triggers(self) -> Sequence[Trigger]:
        """Everything that waits for a price on the account, foreign included."""

    def cancel_trigger(self, trigger: Trigger) -> None:
        """Ask for the cancel of one of those. Raises as `cancel` does."""

    def fills_since(self, since: int, symbol: str | None = None) -> Iterable[Fill]:
        """Executions at or after `since` (exchange clock, ms), oldest first."""

    def fills_of(self, symbol: str, client_id: str) -> Sequence[Fill]:
        """Executions of one order, oldest first."""

    def balances(self) -> Sequence[Balance]:
        """All coins of the account that are not zero."""

    def fee_rates(self, symbol: str) -> FeeRates:
        """What this account pays on a pair. Raises also where the exchange does not tell."""

    def key_terms(self) -> KeyTerms:
        """What our key may do."""

    def server_time_ms(self) -> int:
        """The exchange's wall clock, ms; signatures are checked against it, not facts."""
