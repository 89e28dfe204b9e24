"""Public frames read into prices: trades, top of book, last price, and the ticks made of them."""

from dataclasses import dataclass, replace
from decimal import Decimal

from integrations.bybit.fields import (
    MalformedMessage,
    Row,
    one_of,
    positive,
    record,
    records,
    rows,
    stamp,
    text,
    to_number,
    to_positive,
)
from integrations.bybit.wire import SIDES
from market.types import Side, Tick


@dataclass(frozen=True, slots=True)
class Trade:
    """A public trade. `side` is the taker's; `time` is the exchange's clock, ms."""

    trade_id: str
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    time: int


@dataclass(frozen=True, slots=True)
class Best:
    """Top of a book; a side is None while it is empty. `time` is the exchange's clock, ms."""

    symbol: str
    bid: Decimal | None
    ask: Decimal | None
    time: int


@dataclass(frozen=True, slots=True)
class Last:
    """The last price by the ticker topic. `time` is the exchange's clock, ms."""

    symbol: str
    price: Decimal
    time: int


class Quotes:
    """The latest tick of each pair, put together from the topics which each know a part of it.

    On spot the book has no last price and the ticker neither bid nor ask (Bybit v5).
    """

    def __init__(self) -> None:
        self._books: dict[str, Best] = {}
        self._lasts: dict[str, Last] = {}

    def ticks(self, frame: Row) -> list[Tick]:
        """The ticks of a frame in their order: one of each trade in it, where `see` has the last.

        Raises MalformedMessage.
        """
        before = dict(self._lasts)
        newest = self.see(frame)
        if newest is None or not text(frame, "topic").startswith("publicTrade."):
            return [newest] if newest else []
        known = self._time(before.get(newest.symbol))
        return [
            replace(newest, last=trade.price)
            for trade in sorted(trades(frame), key=lambda trade: trade.time)
            if trade.time >= known
        ] or [newest]

    def see(self, frame: Row) -> Tick | None:
        """The tick after this frame; None while a part is missing or for any other topic.

        Raises MalformedMessage. Frames older than what is known are passed over.
        """
        kind, _, _ = text(frame, "topic").partition(".")
        if kind == "orderbook":
            top = best(frame)
            if top.time >= self._time(self._books.get(top.symbol)):
                self._books[top.symbol] = top
            return self._tick(top.symbol)
        if kind in ("tickers", "publicTrade"):
            known = last(frame) if kind == "tickers" else last_traded(frame)
            if known is None:
                return None
            if known.time >= self._time(self._lasts.get(known.symbol)):
                self._lasts[known.symbol] = known
            return self._tick(known.symbol)
        return None

    @staticmethod
    def _time(known: Best | Last | None) -> int:
        return known.time if known else 0

    def _tick(self, symbol: str) -> Tick | None:
        top, known = self._books.get(symbol), self._lasts.get(symbol)
        if top is None or known is None or top.bid is None or top.ask is None:
            return None
        return Tick(symbol, known.price, top.bid, top.ask, max(top.time, known.time))


def trades(frame: Row) -> list[Trade]:
    """Trades of a publicTrade topic, as they came."""
    return [
        Trade(
            trade_id=text(row, "i"),
            symbol=text(row, "s"),
            side=one_of(row, "S", SIDES),
            price=positive(row, "p"),
            quantity=positive(row, "v"),
            time=stamp(row, "T"),
        )
        for row in records(frame, "data")
    ]


def best(frame: Row) -> Best:
    """A frame of an orderbook.1 topic, which is always a snapshot."""
    return book(record(frame, "data"), stamp(frame, "ts"))


def book(row: Row, time: int) -> Best:
    """The top of a book; the result of market/orderbook has the same shape and holds its `ts`."""
    return Best(text(row, "s"), _top(row, "b"), _top(row, "a"), time)


def _top(data: Row, side: str) -> Decimal | None:
    """Price of the first level; None where the side is empty."""
    levels = rows(data, side)
    if not levels:
        return None
    match levels[0]:
        case [price, size]:
            return to_positive(price, "price") if to_number(size, "size") > 0 else None
        case level:
            raise MalformedMessage(f"a level should be a price and a size, not {level!r:.80}")


def last(frame: Row) -> Last:
    """A frame of a spot tickers topic, which has neither bid nor ask."""
    data = record(frame, "data")
    return Last(text(data, "symbol"), positive(data, "lastPrice"), stamp(frame, "ts"))


def last_traded(frame: Row) -> Last | None:
    """The price of the latest trade of a publicTrade frame."""
    latest = max(trades(frame), key=lambda trade: trade.time, default=None)
    return Last(latest.symbol, latest.price, latest.time) if latest else None
