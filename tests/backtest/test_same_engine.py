"""The replay's short cuts change nothing: `decide` asked about all cells, on every segment."""

from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given

from bots.backtest.replay import NAME, replay
from bots.engine import OwnOrder, decide
from bots.grid.cells import Grid, build
from bots.grid.levels import InvalidGrid
from bots.grid.outcome import Plan
from bots.grid.trailing import Trail, Trailing
from market.matching import met, path
from market.types import ZERO, Fill, Order, OrderRequest, OrderStatus, Side, Tick, TimeInForce
from risk.rules import FREE
from tests.backtest.cases import CASES, plan_of
from tests.backtest.test_oracle import candles_of, markets, plans
from tests.thorough import examples


@dataclass
class Whole:
    """Live's way without the wire: every look decides the whole grid from orders and fills."""

    plan: Plan
    grid: Grid
    orders: dict[str, Order] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    trips: list = field(default_factory=list)
    booked: int = 0
    trail: Trail | None = None
    shifts: list = field(default_factory=list)

    def look(self, price: Decimal, time: int) -> None:
        """Decide and carry out until nothing is left to do."""
        quiet = False
        while not quiet:
            news, self.booked = self.fills[self.booked :], len(self.fills)
            own = [OwnOrder(order, order.filled) for order in self.orders.values()]
            tick = Tick(self.plan.instrument.symbol, price, price, price, time)
            decision = decide(self.grid, news, own, tick, FREE, trail=self.trail)
            assert not decision.idle
            if decision.shift is not None:
                self.trail = self.trail.after(decision.shift)
                self.shifts.append(decision.shift)
            assert len(decision.cancel) <= (decision.shift is not None)
            for order in decision.cancel:
                self.orders[order.client_id] = replace(order, status=OrderStatus.CANCELLED)
            self.grid = decision.grid
            self.trips += decision.round_trips
            for name in decision.settled:
                del self.orders[name]
            for request in decision.place:
                self.place(request, price, time)
            quiet = decision.is_quiet

    def place(self, request: OrderRequest, price: Decimal, time: int) -> None:
        self.orders[request.client_id] = order = Order(
            request.client_id, "", request.symbol, request.side, request.price,
            request.quantity, ZERO, OrderStatus.OPEN, request.time_in_force,
        )  # fmt: skip
        if request.time_in_force is TimeInForce.IOC:
            self.fill(order, price, time, self.plan.taker)

    def fill(self, order: Order, price: Decimal, time: int, rate: Decimal) -> None:
        buys = order.side is Side.BUY
        coins = self.plan.instrument.base, self.plan.instrument.quote
        self.fills.append(
            Fill(
                exec_id=f"{len(self.fills):09}",
                order_id="",
                client_id=order.client_id,
                symbol=order.symbol,
                side=order.side,
                price=price,
                quantity=order.quantity,
                fee=order.quantity * (1 if buys else price) * rate,
                fee_coin=coins[0] if buys else coins[1],
                is_maker=order.time_in_force is not TimeInForce.IOC,
                time=time,
            )
        )
        self.orders[order.client_id] = replace(
            order, filled=order.quantity, status=OrderStatus.FILLED
        )

    def run(self, candles):
        last = candles[0].open
        self.look(last, candles[0].time)
        for candle in candles:
            for start, end in pairwise((last, *path(candle, self.plan.path))):
                hit = met(list(self.orders.values()), start, end, self.plan.rule)
                for order in hit:
                    self.fill(order, order.price, candle.time, self.plan.maker)
                if hit or self.trail is not None:
                    self.look(end, candle.time)
            last = candle.close


def bare(fill: Fill) -> Fill:
    """A fill without the names that each run gives its own way."""
    return replace(fill, exec_id="", order_id="")


def same(plan: Plan, candles) -> int:
    outcome = replay(plan, candles)
    whole = Whole(plan, build(NAME, plan.spec, plan.instrument, candles[0].open))
    if plan.trailing is not None:
        whole.trail = Trail(plan.spec, replace(plan.trailing, fee=plan.maker))
    whole.run(candles)
    assert tuple(whole.shifts) == outcome.shifts
    assert [bare(fill) for fill in whole.fills] == [bare(fill) for fill in outcome.fills]
    assert whole.grid == outcome.grid
    assert tuple(whole.trips) == outcome.round_trips
    return len(whole.fills)


@pytest.mark.parametrize("rule", ["through", "touch"])
@pytest.mark.parametrize("case", [CASES[1], CASES[2], CASES[6]], ids=lambda case: case.file)
def test_real_candles(case, rule):
    plan = plan_of(case, *("arithmetic", "base", "nearest", rule))
    assert same(plan, candles_of(case)) >= case.least_fills


@examples(150)
@given(plans(), markets())
def test_random_candles(plan, candles):
    try:
        same(plan, candles)
    except InvalidGrid:
        return


@pytest.mark.parametrize(
    ("case", "upper"), [(CASES[5], "0.9"), (CASES[7], "0.0000021")], ids=lambda it: str(it)[:20]
)
def test_real_candles_that_a_grid_follows_up(case, upper):
    case = replace(case, upper=Decimal(upper))
    plan = replace(plan_of(case, "geometric", "quote", "nearest", "through"), trailing=Trailing())
    same(plan, candles_of(case))
    assert len(replay(plan, candles_of(case)).shifts) > 5


@examples(150)
@given(plans(), markets())
def test_random_candles_that_a_grid_follows_up(plan, candles):
    try:
        same(replace(plan, trailing=Trailing(hourly=3)), candles)
    except InvalidGrid:
        return
