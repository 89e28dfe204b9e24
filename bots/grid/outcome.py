"""A grid to be replayed on recorded prices, and what came of it."""

from dataclasses import dataclass
from decimal import Decimal

from bots.grid.accounting import RoundTrip, standing
from bots.grid.cells import Grid
from bots.grid.levels import GridSpec
from bots.grid.trailing import Shift, Trailing
from market.matching import FillRule, PathKind
from market.types import ONE, ZERO, Fill, Instrument

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Plan:
    """A grid and the market rules it is replayed under. Fees are shares of what is traded."""

    spec: GridSpec
    instrument: Instrument
    maker: Decimal = Decimal("0.001")
    taker: Decimal = Decimal("0.001")
    path: PathKind = "nearest"
    rule: FillRule = "through"
    trailing: Trailing | None = None  # how it follows a rising price


@dataclass(frozen=True, slots=True)
class Span:
    """The bars that were replayed. Times are the exchange's clock, ms."""

    candles: int
    outside: int  # bars that closed below the lowest or above the highest level
    start: int  # opening of the first bar
    end: int  # close of the last bar
    interval: int  # least distance of two bars; a lone bar counts as a minute
    first: Decimal  # the first open, where the grid started
    last: Decimal  # the last close

    @property
    def days(self) -> Decimal:
        return Decimal(self.end - self.start) / DAY_MS


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a plan. Base is coins, other money is quote; fees are inside all profits."""

    plan: Plan
    span: Span
    grid: Grid  # as it stood at the end
    fills: tuple[Fill, ...]
    round_trips: tuple[RoundTrip, ...]
    quote: Decimal
    least_quote: Decimal  # below zero where a real account would have run out of money
    fees_quote: Decimal  # fees in base valued at their fill's price
    shifts: tuple[Shift, ...]  # steps that it trailed up
    max_drawdown: Decimal  # greatest fall from a high of equity, as a share, over bar closes

    @property
    def levels(self) -> tuple[Decimal, ...]:
        """The ladder's N + 1 prices, lowest first."""
        return (*sorted(cell.low for cell in self.grid.cells), self.grid.upper)

    @property
    def base(self) -> Decimal:
        """Coins held, dust included."""
        return sum((cell.held for cell in self.grid.cells), ZERO)

    @property
    def equity(self) -> Decimal:
        """Money and coins at the last close, before exit fees."""
        return self.quote + self.base * self.span.last

    @property
    def total_pnl(self) -> Decimal:
        return self.equity - self.plan.spec.capital

    @property
    def grid_profit(self) -> Decimal:
        return sum((trip.grid_profit for trip in self.round_trips), ZERO)

    @property
    def inventory_pnl(self) -> Decimal:
        """Realised: what buying at the start instead of at the levels made or lost."""
        return sum((trip.inventory_pnl for trip in self.round_trips), ZERO)

    @property
    def floating(self) -> Decimal:
        """What the coins still held are worth at the last close, less what they cost."""
        return standing(self.grid.cells, self.span.last).floating

    def buy_and_hold(self) -> Decimal:
        """Equity of the same capital put into coins at the first open, by a taker."""
        return self.plan.spec.capital * (ONE - self.plan.taker) * self.span.last / self.span.first

    def net_per_cell(self) -> tuple[Decimal, Decimal]:
        """The least and the greatest net profit of a round trip, as shares of its cost."""
        kept = (ONE - self.plan.maker) ** 2
        shares = [kept * cell.high / cell.low - ONE for cell in self.grid.cells]
        return min(shares), max(shares)

    def a_year(self, earned: Decimal) -> Decimal | None:
        """`earned` as a simple yearly rate of the capital; None before a day has passed."""
        if self.span.end - self.span.start < DAY_MS:
            return None
        return earned / self.plan.spec.capital * 365 / self.span.days
