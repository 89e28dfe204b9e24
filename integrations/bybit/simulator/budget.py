"""Bybit's rate limits: calls a second of each endpoint, and requests of one address."""

from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

WINDOW = 1_000  # ms, rolling (Bybit v5, rate limits)
ADDRESS_WINDOW, ADDRESS_MOST = 5_000, 600  # requests by HTTP of one address (Bybit v5)
BAN = 600_000  # ms that an address which asks more often is turned away with HTTP 403


class Grant(NamedTuple):
    """How much of what was asked for may pass, and the headers that say so."""

    passed: int
    headers: Mapping[str, str]


@dataclass(slots=True)
class Budgets:
    """The pools of one account. Every endpoint has its own; a batch costs one for each order.

    Without `enforced` nothing is refused and the headers still count down, as a slow client sees
    them. Times are the machine's, ms.
    """

    enforced: bool = False
    _spent: dict[str, deque[int]] = field(default_factory=lambda: defaultdict(deque))
    _address: deque[int] = field(default_factory=deque)
    _banned_until: int = 0

    def take(self, pool: str, per_second: int, wanted: int, now: int) -> Grant:
        """Spend up to `wanted` of a pool: the first ones pass, the rest does not."""
        spent = self._spent[pool]
        while spent and spent[0] <= now - WINDOW:
            spent.popleft()
        left = max(0, per_second - len(spent))
        passed = min(wanted, left) if self.enforced else wanted
        spent.extend([now] * passed)
        reset = now if passed == wanted else spent[0] + WINDOW
        return Grant(
            passed,
            {
                "X-Bapi-Limit": str(per_second),
                "X-Bapi-Limit-Status": str(max(0, left - passed)),
                "X-Bapi-Limit-Reset-Timestamp": str(reset),
            },
        )

    def turns_away(self, now: int) -> bool:
        """Count a request of the address; True when it gets HTTP 403, now and for ten minutes."""
        if not self.enforced:
            return False
        if now < self._banned_until:
            return True
        while self._address and self._address[0] <= now - ADDRESS_WINDOW:
            self._address.popleft()
        self._address.append(now)
        if len(self._address) <= ADDRESS_MOST:
            return False
        self._banned_until = now + BAN
        return True
