"""How much strangers offer: an endless book, or levels that are eaten and grow again."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from integrations.bybit.simulator.facts import Order
from integrations.bybit.simulator.pairs import Pair
from market.types import ONE, ZERO, Side

REFILL = 10_000  # market ms after which an eaten level is whole again


@dataclass(frozen=True, slots=True)
class Liquidity:
    """How the book and the stream of trades treat orders. The default is a whole fill at once."""

    level_value: Decimal = ZERO  # quote to be had at each price; zero is an endless book
    parts: int = 1  # executions of a resting order, one for each tick that price goes beyond it


class Depth:
    """The strangers' side of one pair's book."""

    def __init__(self, pair: Pair, level_value: Decimal) -> None:
        self._pair = pair
        self._value = level_value
        self._eaten: dict[int, tuple[int, Decimal]] = {}  # ticks -> when, how much was missing

    @property
    def is_endless(self) -> bool:
        return not self._value

    @property
    def is_growing(self) -> bool:
        """Whether something eaten was not whole again when last asked."""
        return bool(self._eaten)

    def size(self, ticks: int, now: int) -> Decimal:
        """Base offered at a price, in lots."""
        rules = self._pair.instrument
        if self.is_endless:
            return rules.max_limit_quantity
        full = max(rules.lot, rules.quantity(self._value / self._pair.price(ticks)))
        return max(ZERO, rules.quantity(full - self._missing(ticks, now)))

    def eat(self, ticks: int, quantity: Decimal, now: int) -> None:
        if not self.is_endless:
            self._eaten[ticks] = (now, self._missing(ticks, now) + quantity)

    def grow(self, now: int) -> None:
        """Forget the levels that are whole again."""
        for ticks in [ticks for ticks, (then, _) in self._eaten.items() if then + REFILL <= now]:
            del self._eaten[ticks]

    def _missing(self, ticks: int, now: int) -> Decimal:
        then, quantity = self._eaten.get(ticks, (now, ZERO))
        return quantity * max(ZERO, ONE - Decimal(now - then) / REFILL)


@dataclass(frozen=True, slots=True)
class Part:
    """A share of a resting order, and the price beyond which it fills."""

    order: Order
    side: Side
    price: Decimal
    quantity: Decimal


def parts_of(order: Order, pair: Pair, parts: int) -> Iterator[Part]:
    """What is left of a resting order, cut into shares that fill a tick deeper each.

    A share is a whole number of lots, so that small orders have fewer; the last takes the rest.
    Which share comes next follows from what is filled: price that returns fills none twice.
    """
    share = pair.instrument.quantity(order.goal / parts) or order.goal
    left, number = order.leaves, int(order.cum_qty // share)
    sign = -1 if order.side is Side.BUY else 1
    while left > 0:
        last = number >= parts - 1 or left < share
        quantity = left if last else share
        yield Part(
            order,
            order.side,
            order.price + sign * number * pair.instrument.tick,
            quantity,
        )
        left, number = left - quantity, number + 1
