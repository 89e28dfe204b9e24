"""Which prices are believed: no outlier of one message, no message older than the newest."""

from decimal import Decimal

from market.types import Tick
from risk.guards import is_far

CONFIRM_WITHIN_MS = 60_000  # on the exchange's clock


class Belief:
    """Judges the prices of any number of pairs, in the order in which they come in.

    The last trade and the middle of the book have to be near each other. A price that is further
    than `outlier` (a share) from the one before it is believed when a second message says the same.
    """

    def __init__(self, outlier: Decimal) -> None:
        self.outlier = outlier
        self._last: dict[str, Tick] = {}
        self._doubted: dict[str, Tick] = {}

    def believes(self, tick: Tick) -> bool:
        """Take the next price in, and say whether it may be acted upon."""
        before = self._last.get(tick.symbol)
        if not is_sound(tick, self.outlier) or (before is not None and tick.time < before.time):
            return False
        if before is not None and is_far(tick.last, before.last, self.outlier):
            doubted = self._doubted.get(tick.symbol)
            self._doubted[tick.symbol] = tick
            if doubted is None or not self._says_the_same(doubted, tick):
                return False
        self._doubted.pop(tick.symbol, None)
        self._last[tick.symbol] = tick
        return True

    def _says_the_same(self, doubted: Tick, tick: Tick) -> bool:
        near = not is_far(tick.last, doubted.last, self.outlier)
        return near and 0 < tick.time - doubted.time <= CONFIRM_WITHIN_MS  # not the same message


def is_sound(tick: Tick, outlier: Decimal) -> bool:
    """Whether a price can be one: finite, above zero, and its two sources near each other."""
    prices = (tick.last, tick.bid, tick.ask)
    if not all(price.is_finite() and price > 0 for price in prices) or tick.bid > tick.ask:
        return False
    return not is_far(tick.last, (tick.bid + tick.ask) / 2, outlier)
