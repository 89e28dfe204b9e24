"""Bars on their way to the table: the exchange's own, and between them those made of trades."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal

from market.intervals import opening
from market.types import Candle

Key = tuple[str, str, int]


def key_of(candle: Candle) -> Key:
    """What there is one row of."""
    return candle.symbol, candle.interval, candle.time


def supersedes(new: Candle, known: Candle) -> bool:
    """Whether a bar takes the place of another of the same opening, as the table decides too.

    A confirmed bar yields to none that is not; of two open ones the one of more volume is later.
    """
    return new.closed or (not known.closed and new.volume >= known.volume)


class Forming:
    """The newest state of each bar that is still to be written.

    While the exchange's bars are late, those made of trades stand in for them, open ones always:
    only the exchange confirms a bar.
    """

    def __init__(self) -> None:
        self._waiting: dict[Key, Candle] = {}
        self._tallies: dict[str, Candle] = {}

    def heard(self, candles: Iterable[Candle]) -> None:
        """Bars of the exchange's own."""
        for candle in candles:
            self._put(candle)

    def traded(self, symbol: str, price: Decimal, quantity: Decimal, time: int) -> None:
        """A public trade; `time` is the exchange's clock, ms. One of a past minute says nothing."""
        minute, worth = opening("1", time), price * quantity
        known = self._tallies.get(symbol)
        if known is None or minute > known.time:
            bar = Candle(
                symbol, "1", minute, price, price, price, price, quantity, worth, closed=False
            )
        elif minute < known.time:
            return
        else:
            bar = replace(
                known,
                high=max(known.high, price),
                low=min(known.low, price),
                close=price,
                volume=known.volume + quantity,
                turnover=known.turnover + worth,
            )
        self._tallies[symbol] = bar
        self._put(bar)

    def due(self, *, open_too: bool) -> Sequence[Candle]:
        """What is to be written now: closed bars at once, open ones when their time has come."""
        return [bar for bar in self._waiting.values() if bar.closed or open_too]

    def written(self, candles: Iterable[Candle]) -> None:
        """They are in the table."""
        for candle in candles:
            self._waiting.pop(key_of(candle), None)

    def _put(self, candle: Candle) -> None:
        key = key_of(candle)
        known = self._waiting.get(key)
        if known is None or supersedes(candle, known):
            self._waiting[key] = candle
