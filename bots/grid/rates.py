"""Fee rates, and what a round trip earns after them."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise

from market.types import ONE

SHARE = Decimal("0.000001")  # shares are told to a millionth


@dataclass(frozen=True, slots=True)
class Fees:
    """Shares of the traded value, as the exchange takes them from this account."""

    maker: Decimal
    taker: Decimal


def net_rate(low: Decimal, high: Decimal, fee: Decimal) -> Decimal:
    """Net profit of a round trip: (1 - f_buy) (1 - f_sell) P_{i+1} / P_i - 1."""
    return ((ONE - fee) ** 2 * high / low - ONE).quantize(SHARE, ROUND_HALF_EVEN)


def worst_rate(ladder: Sequence[Decimal], fee: Decimal) -> Decimal:
    """The least net profit of a round trip on a ladder of levels, lowest first."""
    return min(net_rate(low, high, fee) for low, high in pairwise(ladder))


def worst_fee_share(ladder: Sequence[Decimal], fee: Decimal) -> Decimal:
    """The most that fees take of a round trip's gross profit."""
    return max(
        ONE - net_rate(low, high, fee) / (high / low - ONE) for low, high in pairwise(ladder)
    )
