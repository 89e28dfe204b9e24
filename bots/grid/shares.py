"""Capital shared between grids by what each is expected to earn: pure arithmetic in quote."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from market.types import ONE, ZERO

FLOOR = Decimal("0.25")  # of the sum: no grid is starved
STEP = Decimal("0.10")  # of the sum: the most that one grid's capital changes in a move
LEAST = Decimal("0.01")  # of the sum: less is not worth touching orders for
FEWEST = 2  # grids that can share
_NOISE = Decimal("1e-9")  # what a division leaves at the end is not a whole unit less
_WHOLE = Decimal(1)  # capital moves in whole units of quote


@dataclass(frozen=True, slots=True)
class Member:
    """A grid that shares capital. Money is quote."""

    name: str
    capital: Decimal
    spent: Decimal  # what its cells paid for the coins they hold: that does not move
    expected: Decimal  # net grid profit a day, as a share of its capital


def share(members: Sequence[Member]) -> Mapping[str, Decimal]:
    """The capital of each from now on; their sum is what it was.

    Beyond the floors the sum is shared in proportion to what is expected; where nothing is
    expected of any, all stays. Every move is cut in proportion until the greatest is no more than
    a step and nobody gives more than its free quote.
    """
    total = sum((member.capital for member in members), ZERO)
    stays = {member.name: member.capital for member in members}
    hopes = {member.name: max(member.expected, ZERO) for member in members}
    hope = sum(hopes.values(), ZERO)
    if len(members) < FEWEST or not hope:
        return stays
    floor = min(FLOOR, ONE / len(members)) * total
    spare = total - floor * len(members)
    moves = {
        member.name: floor + spare * hopes[member.name] / hope - member.capital
        for member in members
    }
    scale = min(ONE, *(_scale(member, moves[member.name], total) for member in members))
    return _moved(stays, {name: move * scale for name, move in moves.items()}, total)


def _scale(member: Member, move: Decimal, total: Decimal) -> Decimal:
    """How much of its move this member allows."""
    if not move:
        return ONE
    most = STEP * total
    if move < 0:
        most = min(most, max(member.capital - member.spent, ZERO))
    return min(ONE, most / abs(move))


def _moved(
    stays: Mapping[str, Decimal], moves: Mapping[str, Decimal], total: Decimal
) -> Mapping[str, Decimal]:
    """Whole units; what rounding leaves over is the greatest receiver's."""
    if max(map(abs, moves.values())) < LEAST * total:
        return stays
    exact = {name: move.quantize(_NOISE) for name, move in moves.items()}
    whole = {name: move.quantize(_WHOLE, ROUND_DOWN) for name, move in exact.items()}
    receiver = max(whole, key=lambda name: whole[name])
    whole[receiver] -= sum(whole.values(), ZERO)
    return {name: capital + whole[name] for name, capital in stays.items()}
