"""Which resting orders a moving price meets: the fill rules shared by backtest and simulator."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Literal, Protocol, TypeVar

from market.types import Candle, Side

PathKind = Literal["nearest", "color"]
FillRule = Literal["through", "touch"]


class Resting(Protocol):
    """Anything that rests on a book: all that matching needs to know of an order."""

    @property
    def side(self) -> Side: ...

    @property
    def price(self) -> Decimal: ...


R = TypeVar("R", bound=Resting)


def path(candle: Candle, kind: PathKind = "nearest") -> tuple[Decimal, Decimal, Decimal, Decimal]:
    """The four prices a bar visits, in order; between them price moves in straight segments.

    `nearest`: open, the extreme nearer to the open, the other one, close; when both are equally
    near, the low comes first if the bar rose. `color`: the low comes first if the bar rose, else
    the high. A bar whose close equals its open counts as risen.
    """
    rose = candle.close >= candle.open
    below, above = candle.open - candle.low, candle.high - candle.open
    low_first = rose if kind == "color" or below == above else below < above
    extremes = (candle.low, candle.high) if low_first else (candle.high, candle.low)
    return (candle.open, *extremes, candle.close)


def met(orders: Iterable[R], start: Decimal, end: Decimal, rule: FillRule = "through") -> list[R]:
    """The orders that fill while price moves straight from `start` to `end`, in path order.

    A buy fills at its own price when price goes below it (`through`) or reaches it (`touch`), a
    sell likewise above. Orders at one price keep the order in which they were given (time
    priority). Orders already behind `start` are not expected: they would have been met before.
    """
    hit: list[R] = []
    for order in orders:
        if order.side is Side.BUY:
            gone = end - order.price if start >= end else None
        else:
            gone = order.price - end if start <= end else None
        if gone is not None and (gone < 0 or (gone == 0 and rule == "touch")):
            hit.append(order)
    if start <= end:
        return sorted(hit, key=lambda order: order.price)
    return sorted(hit, key=lambda order: -order.price)
