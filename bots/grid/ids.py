"""Client order ids: a pure function of grid, cell, trip, kind and attempt, and back again."""

import re
from collections.abc import Collection
from typing import NamedTuple

from market.types import Side

MAX_LENGTH = 36  # Bybit v5, orderLinkId
EXIT = "X"  # a sale that leaves the market, not one of the ladder
_SIDES = {"B": Side.BUY, "S": Side.SELL, EXIT: Side.SELL}
_PATTERN = re.compile(
    r"(?P<grid>[a-z0-9]+)-(?P<cell>\d+)-(?P<trip>\d+)-(?P<kind>[BSX])-(?P<attempt>\d+)", re.ASCII
)

_MADE_BY_US = re.compile(r"g[a-z0-9]{7}v\d+", re.ASCII)


class Slot(NamedTuple):
    """What an order is for."""

    grid: str
    cell: int
    trip: int
    kind: str  # B, S, or X: buy, sell, exit
    attempt: int

    @property
    def side(self) -> Side:
        return _SIDES[self.kind]

    @property
    def is_exit(self) -> bool:
        return self.kind == EXIT


def client_id(slot: Slot) -> str:
    """The id of the order for this slot, the same however often it is asked."""
    text = f"{slot.grid}-{slot.cell}-{slot.trip}-{slot.kind}-{slot.attempt}"
    if len(text) > MAX_LENGTH:
        raise ValueError(f"client id {text} is longer than {MAX_LENGTH} characters")
    return text


def slot(client_id: str) -> Slot | None:
    """What an order with this id is for; None when the id is not of our making."""
    match = _PATTERN.fullmatch(client_id)
    if match is None:
        return None
    cell, trip, attempt = (int(match[name]) for name in ("cell", "trip", "attempt"))
    return Slot(match["grid"], cell, trip, match["kind"], attempt)


def is_ours(client_id: str, tags: Collection[str] = ()) -> bool:
    """Whether an id is of our making, by its form or by the tag of one of our bots.

    What is not is foreign and never touched; an orphan of ours is ours.
    """
    found = slot(client_id)
    if found is None:
        return False
    return bool(_MADE_BY_US.fullmatch(found.grid)) or found.grid.rpartition("v")[0] in tags


def kind_of(side: Side) -> str:
    """The kind of a ladder order on this side."""
    return "B" if side is Side.BUY else "S"
