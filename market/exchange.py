"""The exchange port: the few things a grid asks of an exchange, and how each may fail."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from market.types import Balance, Candle, Fill, Instrument, Order, OrderRequest, Tick


class ExchangeError(Exception):
    """Something asked of the exchange did not happen, or may not have. Subclasses say which."""


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


class NoSuchOrder(Refused):
    """The order to cancel is not on the book (any more): look up what became of it."""


class Unresolved(ExchangeError):
    """Not proven: it may or may not have happened. Look it up, never resend blindly."""


class RateLimited(Unresolved):
    """Too many requests; look again at `until_ms` (the machine's clock, ms since 1970)."""

    def __init__(self, message: str, until_ms: int) -> None:
        super().__init__(message)
        self.until_ms = until_ms


class Broken(ExchangeError):
    """Nothing can work before a person acts: keys, permissions, clock, or a ban."""


class Exchange(Protocol):
    """One account on one spot exchange. Every method may raise ExchangeError."""

    def instruments(self, symbols: Sequence[str]) -> Sequence[Instrument]:
        """The filters of these pairs. Raises Refused for a pair the exchange does not trade."""

    def tick(self, symbol: str) -> Tick:
        """Last trade, best bid and best ask."""

    def candles(self, symbol: str, interval: str, start: int, end: int) -> Sequence[Candle]:
        """Bars that open in [start, end] (exchange clock, ms), oldest first."""

    def place(self, order: OrderRequest) -> str:
        """Send an order and return the exchange's order id: accepted for processing, no more.

        Raises AlreadyExists, Refused, Unresolved, Broken.
        """

    def cancel(self, symbol: str, client_id: str) -> None:
        """Ask for a cancel. Raises NoSuchOrder, Refused, Unresolved, Broken."""

    def order(self, symbol: str, client_id: str) -> Order | None:
        """Look one order up wherever the exchange may keep it; None when it is nowhere."""

    def open_orders(self, symbol: str | None = None) -> Sequence[Order]:
        """Everything resting on the account, foreign orders (of any client id) included."""

    def fills_since(self, since: int, symbol: str | None = None) -> Iterable[Fill]:
        """Executions at or after `since` (exchange clock, ms), oldest first."""

    def fills_of(self, symbol: str, client_id: str) -> Sequence[Fill]:
        """Executions of one order, oldest first."""

    def balances(self) -> Sequence[Balance]:
        """All coins of the account that are not zero."""
