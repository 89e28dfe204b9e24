"""What a fill costs, and in which coin."""

from dataclasses import dataclass
from decimal import Decimal

from market.types import ZERO, Instrument, Side

STEP = Decimal("1e-8")  # of fees in a third coin


@dataclass(frozen=True, slots=True)
class Rates:
    """Fee shares of the traded value; a negative maker rate is a rebate.

    Fees may be paid in a third coin that is worth so much quote (Bybit's MNT).
    """

    maker: Decimal
    taker: Decimal
    coin: str = ""
    worth: Decimal = ZERO

    def fee(
        self, rate: Decimal, side: Side, pair: Instrument, qty: Decimal, value: Decimal
    ) -> tuple[Decimal, str]:
        """A fee and its coin: of what is received, or of what is given for a rebate (Bybit v5)."""
        if self.coin:
            return (rate * value / self.worth).quantize(STEP), self.coin
        if (side is Side.BUY) == (rate >= 0):
            return rate * qty, pair.base
        return rate * value, pair.quote
