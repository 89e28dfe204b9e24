"""Client order ids: a pure function of grid, cell, trip, side and attempt, and back again."""

import re
from typing import NamedTuple

from market.types import Side

MAX_LENGTH = 36  # Bybit v5, orderLinkId
_LETTER = {Side.BUY: "B", Side.SELL: "S"}
_PATTERN = re.compile(
    r"(?P<grid>[a-z0-9]+)-(?P<cell>\d+)-(?P<trip>\d+)-(?P<side>[BS])-(?P<attempt>\d+)", re.ASCII
)


class Slot(NamedTuple):
    """What an order is for."""

    grid: str
    cell: int
    trip: int
    side: Side
    attempt: int


def client_id(slot: Slot) -> str:
    """The id of the order for this slot, the same however often it is asked."""
    text = f"{slot.grid}-{slot.cell}-{slot.trip}-{_LETTER[slot.side]}-{slot.attempt}"
    if len(text) > MAX_LENGTH:
        raise ValueError(f"client id {text} is longer than {MAX_LENGTH} characters")
    return text


def slot(client_id: str) -> Slot | None:
    """What an order with this id is for; None when the id is not of our making."""
    match = _PATTERN.fullmatch(client_id)
    if match is None:
        return None
    side = Side.BUY if match["side"] == "B" else Side.SELL
    return Slot(match["grid"], int(match["cell"]), int(match["trip"]), side, int(match["attempt"]))
