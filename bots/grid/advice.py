"""What to warn a grid's owner of, and the cheaper grid where fees eat the profit."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal

from bots.grid.cells import Cell, Grid, build
from bots.grid.levels import GridSpec, levels
from bots.grid.rates import SHARE, Fees, net_rate, worst_fee_share
from bots.grid.trailing import FEWEST_GRIDS, Trail, Trailing, climb
from market.types import ONE, ZERO, Instrument, Tick, plain

FEWEST = 2  # grids that a person may ask for
THIN_NET = Decimal("0.0015")  # a net profit per round trip below this is worth a warning
FEES_DOMINATE = Decimal("0.5")  # of the gross profit
FEES_TOLERABLE = Decimal("0.34")
_TENTH = Decimal("0.1")


@dataclass(frozen=True, slots=True)
class Cheaper:
    """The same range and capital in fewer grids, of which fees take less."""

    grids: int
    kept: Decimal  # share of the gross profit that fees leave
    net_rates: tuple[Decimal, Decimal]  # the least and the greatest of a round trip


def profit(cell: Cell, fees: Fees) -> tuple[Decimal, Decimal]:
    """What a round trip of a cell earns before and after fees, in quote."""
    gross = (cell.high - cell.low) * cell.quantity
    held = cell.quantity * (ONE - fees.maker)
    return gross, held * cell.high * (ONE - fees.maker) - cell.quantity * cell.low


def fee_share(grid: Grid, fees: Fees) -> Decimal:
    """What fees take of the gross profit of one round trip of every cell."""
    both = [profit(cell, fees) for cell in grid.cells]
    gross, net = (sum(part, ZERO) for part in zip(*both, strict=True))
    return (ONE - net / gross).quantize(SHARE, ROUND_HALF_EVEN)


def cheaper(
    spec: GridSpec, instrument: Instrument, price: Decimal, fees: Fees, trailing: Trailing | None
) -> Cheaper | None:
    """The most grids of which fees take a tolerable share of every round trip's gross."""
    least = FEWEST_GRIDS if trailing else FEWEST
    for grids in range(spec.grids - 1, least - 1, -1):
        other = replace(spec, grids=grids)
        if worst_fee_share(levels(other, instrument), fees.maker) <= FEES_TOLERABLE:
            grid = build("cheaper", other, instrument, price)
            rates = [net_rate(cell.low, cell.high, fees.maker) for cell in grid.cells]
            return Cheaper(grids, ONE - fee_share(grid, fees), (min(rates), max(rates)))
    return None


def thin_profit(grid: Grid, fees: Fees, better: Cheaper | None) -> Iterator[str]:
    """Warnings about what a round trip earns."""
    least = min(net_rate(cell.low, cell.high, fees.maker) for cell in grid.cells)
    if least < THIN_NET:
        yield f"The least round trip earns {plain(least * 100)} % net, which one slip can eat."
    taken = fee_share(grid, fees)
    if taken > FEES_DOMINATE:
        advice = f"; {better.grids} grids would keep {percent(better.kept)} of it" if better else ""
        yield f"Fees take {percent(taken)} of the gross profit{advice}."


def outside(
    grid: Grid, spec: GridSpec, price: Decimal, fees: Fees, trailing: Trailing | None
) -> Iterator[str]:
    """Warnings about a start with the price outside the range."""
    if price < grid.lower:
        yield (
            f"The price {plain(price)} is below the range: all {len(grid.cells)} cells are bought "
            f"at the market at the start, and nothing sells below {plain(_first_sale(grid.cells))}."
        )
    elif price > grid.upper:
        words = f"The price {plain(price)} is above the range: "
        if trailing is None:
            yield f"{words}nothing trades before it returns."
        else:
            yield f"{words}{_climb(grid, spec, replace(trailing, fee=fees.maker), price)}."


def _first_sale(cells: Sequence[Cell]) -> Decimal:
    return min(cell.high for cell in cells)


def _climb(grid: Grid, spec: GridSpec, rule: Trailing, price: Decimal) -> str:
    """How far the grid trails up to a price above it."""
    trail = Trail(spec, rule)
    tick = Tick(grid.instrument.symbol, price, price, price, 0)
    then, steps, held_down = climb(grid, trail, tick)
    if not steps and not held_down:
        first = plain(trail.next_level(grid.instrument))
        return f"nothing trades before it returns, or reaches {first} where the grid trails up"
    if not steps:
        return f"nothing trades before it returns, and the grid does not trail up, as {held_down}"
    top = max(then.cells, key=lambda cell: cell.low)
    after = f"; further it does not go, as {held_down}" if held_down else ""
    return (
        f"the grid trails up {steps} {'step' if steps == 1 else 'steps'}, {rule.hourly} an hour at "
        f"the most, to {plain(then.lower)} – {plain(then.upper)}{after}. Nothing trades before the "
        f"price falls back to {plain(top.low)}"
    )


def percent(share: Decimal) -> str:
    """A share in percent, to a tenth."""
    return f"{plain((share * 100).quantize(_TENTH, ROUND_HALF_EVEN))} %"
