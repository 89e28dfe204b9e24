"""The truth card: what a grid would hold, earn and lose, worked out before any money moves."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, Decimal

from bots.grid import advice
from bots.grid.advice import Cheaper
from bots.grid.cells import AFTER_FEES, Cell, Grid, build
from bots.grid.levels import GridSpec, InvalidGrid, Sizing, levels
from bots.grid.rates import Fees, net_rate, worst_rate
from bots.grid.trailing import Trailing
from market.types import ONE, ZERO, Instrument, plain, step_round

DAYS_A_YEAR, DAYS_A_MONTH = 365, 30
FILLS_SHOWN = (8, 15)  # a day, the band that the targets name
APR_TARGETS = (Decimal("0.8"), Decimal("1.2"))
MONTH_TARGETS = (Decimal("0.03"), Decimal("0.05"))


@dataclass(frozen=True, slots=True)
class CellTruth:
    """What one round trip of a cell earns. Rates are shares, money is quote."""

    cell: Cell
    gross: Decimal
    net: Decimal
    net_rate: Decimal


@dataclass(frozen=True, slots=True)
class Holding:
    """What the grid is worth when the price stands at a level, all cells in step with it."""

    price: Decimal
    base: Decimal
    quote: Decimal
    worth: Decimal


@dataclass(frozen=True, slots=True)
class TruthCard:
    """Everything that can be known before the first order. Money is quote, rates are shares."""

    grid: Grid
    cells: Sequence[CellTruth]
    fee_share: Decimal  # of the gross profit of one round trip of every cell
    minimum_investment: Decimal
    capital_used: Decimal
    holdings: Sequence[Holding]
    loss_at_stop: Decimal | None  # when everything was bought on the way down to the stop
    daily_profit: dict[int, Decimal]  # by fills a day
    fills_needed: dict[str, Decimal]  # a day, by target
    cheaper: Cheaper | None  # where fees take more than is tolerable
    warnings: Sequence[str]

    @property
    def net_rates(self) -> tuple[Decimal, Decimal]:
        """The least and the greatest net profit of a round trip."""
        rates = [cell.net_rate for cell in self.cells]
        return min(rates), max(rates)


def card(
    spec: GridSpec,
    instrument: Instrument,
    price: Decimal,
    fees: Fees,
    *,
    name: str = "preview",
    stop_loss: Decimal | None = None,
    trailing: Trailing | None = None,
) -> TruthCard:
    """The truth about a grid that would start at `price`; `trailing` is how it would trail up.

    Raises InvalidGrid, naming the field and what is accepted, for a grid that cannot be built or
    that loses on every round trip.
    """
    check_profit(spec, instrument, fees)
    if stop_loss is not None and not 0 < stop_loss < spec.lower:
        raise InvalidGrid("stop_loss", f"it must lie between 0 and {plain(spec.lower)}")
    least = minimum_investment(spec, instrument, price)
    if spec.capital < least:
        raise InvalidGrid(
            "capital",
            f"{plain(spec.capital)} {instrument.quote} is too little for {spec.grids} grids of "
            f"{instrument.symbol}; {plain(least)} or more is accepted",
        )
    grid = build(name, spec, instrument, price)
    cells = [_cell(cell, fees) for cell in grid.cells]
    mean = sum((cell.net for cell in cells), ZERO) / len(cells)
    fee_share = advice.fee_share(grid, fees)
    better = (
        advice.cheaper(spec, instrument, price, fees, trailing)
        if fee_share > advice.FEES_TOLERABLE
        else None
    )
    return TruthCard(
        grid=grid,
        cells=cells,
        fee_share=fee_share,
        minimum_investment=least,
        capital_used=_capital_used(grid, price),
        holdings=list(_holdings(grid, spec.capital, price, fees)),
        loss_at_stop=_loss_at(stop_loss, grid, price, fees) if stop_loss is not None else None,
        daily_profit={fills: mean * fills / 2 for fills in FILLS_SHOWN},
        fills_needed=_fills_needed(spec.capital, mean),
        cheaper=better,
        warnings=[
            *advice.thin_profit(grid, fees, better),
            *advice.outside(grid, spec, price, fees, trailing),
        ],
    )


def check_profit(spec: GridSpec, instrument: Instrument, fees: Fees) -> None:
    """Raises InvalidGrid when a round trip of any cell does not pay its own fees."""
    worst = worst_rate(levels(spec, instrument), fees.maker)
    if worst > 0:
        return
    fitting = _most_grids(spec, instrument, fees)
    accepted = f"at most {fitting} grids are accepted" if fitting else "widen the range"
    raise InvalidGrid(
        "grids", f"a round trip would lose {plain(-worst * 100)} % after fees; {accepted}"
    )


def minimum_investment(spec: GridSpec, instrument: Instrument, price: Decimal) -> Decimal:
    """The least capital of which every order, and every sale after fees, is large enough."""
    costs = [min(low, price) for low in levels(spec, instrument)[:-1]]
    usable = ONE - spec.reserve
    quantities = [_least_quantity(instrument, cost) for cost in costs]
    if spec.sizing is Sizing.BASE:
        need = max(quantities) * sum(costs, ZERO)
    else:
        need = max(q * cost for q, cost in zip(quantities, costs, strict=True)) * len(costs)
    return step_round(need / usable, Decimal("0.01"), ROUND_CEILING)


def _least_quantity(instrument: Instrument, cost: Decimal) -> Decimal:
    quantity = step_round(
        instrument.min_notional / cost / AFTER_FEES, instrument.lot, ROUND_CEILING
    )
    while not instrument.tradable(cost, instrument.quantity(quantity * AFTER_FEES)):
        quantity += instrument.lot
    return quantity


def _cell(cell: Cell, fees: Fees) -> CellTruth:
    gross, net = advice.profit(cell, fees)
    return CellTruth(cell, gross, net, net_rate(cell.low, cell.high, fees.maker))


def _capital_used(grid: Grid, price: Decimal) -> Decimal:
    return sum((cell.quantity * min(cell.low, price) for cell in grid.cells), ZERO)


def _holdings(grid: Grid, capital: Decimal, price: Decimal, fees: Fees) -> Iterator[Holding]:
    """At each level, with the cells above it holding; round trips on the way are not counted."""
    ladder = [grid.cells[0].low, *(cell.high for cell in grid.cells)]
    for level in ladder:
        holding = [cell for cell in grid.cells if cell.low >= level]
        base = sum((cell.quantity * (ONE - fees.maker) for cell in holding), ZERO)
        spent = sum((cell.quantity * _cost(cell, price) for cell in holding), ZERO)
        yield Holding(level, base, capital - spent, capital - spent + base * level)


def _cost(cell: Cell, price: Decimal) -> Decimal:
    """What a coin of this cell costs: the market's price for an entry, else the cell's low."""
    return price if cell.entry else cell.low


def _loss_at(stop: Decimal, grid: Grid, price: Decimal, fees: Fees) -> Decimal:
    """Every cell bought on the way down, all of it sold at the stop; negative is a loss."""
    base = sum((cell.quantity * (ONE - fees.maker) for cell in grid.cells), ZERO)
    spent = sum((cell.quantity * _cost(cell, price) for cell in grid.cells), ZERO)
    return base * stop * (ONE - fees.taker) - spent


def _fills_needed(capital: Decimal, mean: Decimal) -> dict[str, Decimal]:
    """Fills a day that each target would take: two make a round trip."""
    by_apr = {f"apr {rate}": capital * rate / DAYS_A_YEAR for rate in APR_TARGETS}
    by_month = {f"month {rate}": capital * rate / DAYS_A_MONTH for rate in MONTH_TARGETS}
    tenth = Decimal("0.1")
    return {name: (daily / mean * 2).quantize(tenth) for name, daily in (by_apr | by_month).items()}


def _most_grids(spec: GridSpec, instrument: Instrument, fees: Fees) -> int:
    """The most grids of this range whose every round trip earns something; 0 when none does."""
    for grids in range(spec.grids - 1, 0, -1):
        if worst_rate(levels(replace(spec, grids=grids), instrument), fees.maker) > 0:
            return grids
    return 0
