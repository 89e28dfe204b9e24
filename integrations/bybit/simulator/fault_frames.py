"""Faults of frames: lost, doubled, late, out of order, odd, and prices that cannot be."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from integrations.bybit.simulator.faults import Faults, changed
from integrations.bybit.simulator.later import Later
from integrations.bybit.simulator.wire import Json
from market.types import ONE, MalformedNumber, decimal, plain

HELD_MS = 1_000  # a frame that waits for another to overtake it waits no longer
PRICES = frozenset({"lastPrice", "p"})
Send = Callable[[Json], None]


@dataclass(slots=True)
class Air:
    """Between what is published and who listens."""

    faults: Faults
    later: Later
    _held: list[Callable[[], None]] = field(default_factory=list)

    def carry(self, topic: str, frame: Json, send: Send) -> None:
        """Send a frame, unless something comes between."""
        faults = self.faults
        if faults.drawn("drop_message", topic):
            return
        if odd := faults.drawn("odd_message", topic):
            frame = {**frame, "data": _odd(frame["data"], str(odd["field"]), odd["value"])}
        if outlier := faults.drawn("outlier", topic):
            frame = {**frame, "data": _scaled(frame["data"], ONE + decimal(outlier["share"]))}
        if delay := faults.drawn("delay_message", topic):
            self.later.put(int(delay["ms"]), lambda: send(frame))
            return
        if faults.drawn("swap_message", topic):
            self._held.append(lambda: send(frame))
            self.later.put(HELD_MS, self._let_go)
            return
        copies = faults.drawn("copy_message", topic)
        for _ in range(int(copies["times"]) if copies else 1):
            send(frame)
        self._let_go()

    def _let_go(self) -> None:
        held, self._held = self._held, []
        for send in held:
            send()


def _odd(data: object, name: str, value: object) -> object:
    """A field changed in every row of a list, or in the one row there is."""
    if isinstance(data, list):
        return [changed(row, name, value) for row in data]
    return changed(data, name, value)


def _scaled(data: Any, factor: Decimal) -> Any:  # noqa: ANN401 - any JSON
    """Prices of a ticker, trades or a book, multiplied."""
    if isinstance(data, list):
        return [_scaled(row, factor) for row in data]
    if not isinstance(data, dict):
        return data
    told = {name: _times(value, factor) for name, value in data.items() if name in PRICES}
    books = {
        side: [[_times(price, factor), size] for price, size in data[side]]
        for side in ("b", "a")
        if isinstance(data.get(side), list)
    }
    return {**data, **told, **books}


def _times(price: object, factor: Decimal) -> object:
    try:
        return plain(decimal(str(price)) * factor)
    except MalformedNumber:
        return price
