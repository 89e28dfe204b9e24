"""What a bot's plan would have earned: its versions replayed one after the other, undisturbed.

The yardstick of profit capture (contract section 7): the live engine's rules on the recorded
minutes with no latency, no refusals and no pauses. Replayed once more with what held the bot back
for a reason, it tells what that reason cost.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import pairwise

from bots.backtest.replay import Account
from bots.grid.accounting import RoundTrip
from bots.grid.carry import succeed
from bots.grid.cells import Grid, build
from bots.grid.levels import GridSpec, InvalidGrid
from bots.grid.outcome import Plan
from bots.grid.trailing import Trail, Trailing
from market.matching import path
from market.types import ZERO, Candle, Instrument
from risk.rules import FREE, Limits


@dataclass(frozen=True, slots=True)
class Stage:
    """A version of the grid and when it took over, ms of the exchange's clock."""

    version: int
    spec: GridSpec
    began: int
    trailing: Trailing | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """A stretch of time, ms of the exchange's clock, under limits that a reason set."""

    since: int
    until: int
    limits: Limits


@dataclass(slots=True)
class Ideal:
    """A plan in replay, as far as bars were given; give it later ones to go on."""

    instrument: Instrument
    maker: Decimal
    taker: Decimal
    trips: list[tuple[int, RoundTrip]] = field(default_factory=list)  # with their version
    reached: int = 0  # opening of the last bar
    _stage: Stage | None = None
    _account: Account | None = None
    _last: Decimal = ZERO

    @property
    def grid_profit(self) -> Decimal:
        return sum((trip.grid_profit for _, trip in self.trips), ZERO)

    def go_on(
        self, bars: Iterable[Candle], stages: Sequence[Stage], holds: Sequence[Hold] = ()
    ) -> None:
        """Replay bars, oldest first; stages and holds count from the first bar in them on.

        A version that cannot be built at its first bar is passed over.
        """
        for bar in bars:
            stage = _at(stages, bar.time)
            if stage is None:
                continue
            limits = next((h.limits for h in holds if h.since <= bar.time < h.until), FREE)
            self._arrange(stage, limits, bar)
            if self._account is not None:
                self._walk(self._account, bar, stage.version)
            self._last, self.reached = bar.close, bar.time

    def _arrange(self, stage: Stage, limits: Limits, bar: Candle) -> None:
        """Have the bar begin with the version and the limits of its time."""
        account = self._account
        changes = stage != self._stage
        if account is not None and not changes and account.limits == limits:
            return
        try:
            grid = self._heir(stage, bar.open) if changes or account is None else account.grid
        except InvalidGrid:
            return
        if account is None:
            plan = Plan(stage.spec, self.instrument, self.maker, self.taker)
            account = self._account = Account(plan, grid, quote=stage.spec.capital)
        if changes and stage.trailing is not None:
            account.trail = Trail(stage.spec, replace(stage.trailing, fee=self.maker))
        elif changes:
            account.trail = None
        self._stage = stage
        account.rearrange(grid, limits, bar.open, bar.time)
        self._keep(account, stage.version)

    def _heir(self, stage: Stage, price: Decimal) -> Grid:
        name = f"v{stage.version}"
        if self._account is None or self._stage is None:
            return build(name, stage.spec, self.instrument, price)
        trail = self._account.trail
        was = trail.spec if trail is not None else self._stage.spec
        return succeed(self._account.grid, was, name, stage.spec, price)

    def _walk(self, account: Account, bar: Candle, version: int) -> None:
        if account.passes(bar):
            return
        start = self._last or bar.open
        for one, two in pairwise((start, *path(bar, account.plan.path))):
            account.walk(one, two, bar.time)
        self._keep(account, version)

    def _keep(self, account: Account, version: int) -> None:
        """Take the trips over; the fills have told all they can."""
        self.trips += [(version, trip) for trip in account.trips]
        account.trips.clear()
        account.fills.clear()


def _at(stages: Sequence[Stage], time: int) -> Stage | None:
    begun = [stage for stage in stages if stage.began <= time]
    return begun[-1] if begun else None
