"""Trailing up on Bybit's published example: 45,000-65,000 in five cells of 4,000 each."""

from dataclasses import replace

import pytest

from bots.grid.cells import Position, build
from bots.grid.levels import GridSpec, InvalidGrid, Spacing, levels
from bots.grid.trailing import HOUR_MS, Shift, Trail, Trailing, check, lay, rise
from market.types import OrderStatus, Side
from risk.rules import FREE, halted, withheld
from tests.grid.examples import BTC, PUBLISHED, D, published, tick
from tests.grid.test_engine import Run, run

BOUGHT = D("0.08795882")


class Follower(Run):
    """A run whose grid trails."""

    def look(self, limits=FREE) -> None:
        super().look(limits)
        if self.decision.shift is not None:
            self.trail = self.trail.after(self.decision.shift)

    def buys(self) -> list:
        return self.resting(Side.BUY)


def follower(price: int = 54000, **rule: object) -> Follower:
    started = run(published(), price)
    found = Follower(started.grid, started.book)
    found.trail = Trail(PUBLISHED, Trailing(**rule))
    found.settle()
    return found


def test_a_shift_on_paper() -> None:
    """At 69,000 the cell 45,000-49,000 goes up to 65,000-69,000.

    Its buy would have spent 0.08795882 x 45,000 = 3,958.1469; at 65,000 that buys 0.06089456
    (0.060894567...). The others stay as they are, and nothing is bought at the market.
    """
    grid = follower()
    grid.book.move(D(68999))
    grid.settle()
    assert [price for price, _ in grid.buys()] == [45000, 49000, 53000, 57000, 61000]
    before = len(grid.book.fills), {order.client_id for order in grid.book.open()}
    grid.book.move(D(69000))
    grid.settle()
    assert grid.buys() == [
        *((D(price), BOUGHT) for price in (49000, 53000, 57000, 61000)),
        (D(65000), D("0.06089456")),
    ]
    after = {order.client_id for order in grid.book.open()}
    assert (len(grid.book.fills), len(before[1] - after), len(after - before[1])) == (
        before[0],
        1,
        1,
    )
    assert (grid.grid.lower, grid.grid.upper) == (49000, 69000)
    grid.book.move(D(64000))
    grid.settle()
    assert (D(69000), D("0.06083366")) in grid.resting(Side.SELL)  # 0.06089456 x 0.999
    grid.book.move(D(69500))
    grid.settle()
    trip = grid.trips[-1]
    assert (trip.cost, trip.inventory_pnl) == (D("3958.1464"), 0)
    assert trip.proceeds == D("4193.32501746")  # 0.06083366 x 69,000 x 0.999


def test_it_takes_one_step_after_the_other_and_four_in_an_hour() -> None:
    grid = follower()
    grid.book.move(D(100000))
    grid.settle()
    assert (grid.grid.lower, grid.grid.upper) == (61000, 81000)
    assert "4 steps were taken within an hour" in grid.decision.held_down
    later = [D(price) for price in (61000, 65000, 69000, 73000, 77000)]
    assert [price for price, _ in grid.buys()] == later
    shift = rise(grid.grid, grid.trail, tick(100000, time=HOUR_MS))
    assert isinstance(shift, Shift)
    assert (shift.low, shift.high) == (81000, 85000)


def test_it_stops_at_its_cap_and_says_so() -> None:
    grid = follower(cap=D(73000))
    grid.book.move(D(90000))
    grid.settle()
    assert (grid.grid.upper, grid.decision.held_down) == (
        73000, "the next level 77000 is above the cap 73000",
    )  # fmt: skip


def test_it_never_goes_down() -> None:
    grid = follower()
    grid.book.move(D(70000))
    grid.settle()
    assert grid.grid.lower == 49000
    grid.book.move(D(30000))
    grid.settle()
    assert (grid.grid.lower, grid.grid.upper) == (49000, 69000)
    assert grid.grid.position(D(30000)) is Position.BELOW


@pytest.mark.parametrize("limits", [withheld("paused"), halted("kill")])
def test_a_grid_that_may_not_buy_does_not_trail(limits) -> None:
    grid = follower()
    grid.book.move(D(75000))
    grid.settle(limits)
    assert (grid.grid.upper, grid.decision.held_down) == (65000, limits.no_buys)
    grid.settle()
    assert grid.grid.upper == 73000


def test_a_cell_that_holds_coins_is_not_moved() -> None:
    grid = follower()
    first = next(order for order in grid.book.open() if order.price == 45000)
    grid.book.execute(first.client_id, D("0.03"))
    grid.book.move(D(70000))
    grid.settle()
    assert (grid.grid.lower, grid.decision.held_down) == (
        45000, "the lowest cell, at 45000, holds coins",
    )  # fmt: skip


def test_an_order_of_unknown_fate_holds_the_step_up() -> None:
    grid = follower()
    grid.book.move(D(68000))
    grid.settle()
    first = next(order for order in grid.book.open() if order.price == 45000)
    grid.book.orders[first.client_id] = replace(first, status=OrderStatus.UNKNOWN)
    grid.book.price = D(70000)
    grid.look()
    assert grid.decision.held_down == "the lowest cell's order is on its way"


def test_the_new_buy_waits_until_the_old_one_is_dead() -> None:
    """The quote is free only then; and a fill that comes meanwhile is booked to the last digit."""
    grid = follower()
    grid.book.move(D(68000))
    grid.settle()
    grid.book.price = D(70000)
    old = next(order for order in grid.book.open() if order.price == 45000)
    from bots.engine import decide

    found = decide(
        grid.grid, (), grid.book.unsettled(), tick(70000), FREE, trail=grid.trail
    )  # fmt: skip
    assert [order.client_id for order in found.cancel] == [old.client_id]
    assert found.place == ()
    assert found.shift is not None
    grid.grid, grid.trail = found.grid, grid.trail.after(found.shift)
    grid.book.execute(old.client_id, D("0.01"))  # it was met before the cancel came
    grid.settle()
    cell = grid.grid.cells[found.shift.cell]
    assert (cell.low, cell.bought, cell.cost) == (65000, D("0.01"), 450)
    assert (D(65000), D("0.05089456")) in grid.buys()


def test_quote_that_buys_too_little_is_not_moved() -> None:
    poor = replace(PUBLISHED, capital=D(32))
    grid = build("g1", poor, BTC, D(70000))
    pair = replace(BTC, lot=D("0.00001"))
    trail = Trail(poor, Trailing())
    found = rise(replace(grid, instrument=pair), trail, tick(69000))
    assert isinstance(found, str)
    assert "too small an order" in found


def test_a_step_that_does_not_pay_its_fees_is_not_taken() -> None:
    """Equal differences become ever smaller shares: 150 on 95,000 pays, 150 on 110,000 does not."""
    spec = GridSpec(D(75000), D(75750), 5, D(5000))
    grid = build("g1", spec, BTC, D(75750))
    far = replace(spec, shift=2)
    assert isinstance(rise(grid, Trail(spec, Trailing(fee=D("0.0009"))), tick(76000)), Shift)
    high = replace(grid, cells=build("g1", far, BTC, D(76050)).cells)
    found = rise(high, Trail(far, Trailing(fee=D("0.001"))), tick(77000))
    assert found == "a round trip from 76050 to 76200 would not pay its fees"


@pytest.mark.parametrize("spacing", Spacing)
def test_the_ladder_goes_on_by_its_own_formula(spacing: Spacing) -> None:
    """Steps do not drift: after any number of them the levels are P_k to P_{N + k}, on the tick."""
    spec = GridSpec(D(95500), D(99000), 12, D(25000), spacing)
    grid, trail = build("g1", spec, BTC, D(99000)), Trail(spec, Trailing(hourly=1000))
    for _ in range(30):
        shift = rise(grid, trail, tick(10**6))
        assert isinstance(shift, Shift)
        grid, trail = lay(grid, shift), trail.after(shift)
        found = (*sorted(cell.low for cell in grid.cells), grid.upper)
        assert found == levels(trail.spec, BTC)
    assert sum((c.quantity * c.low for c in grid.cells), D(0)) <= spec.capital


@pytest.mark.parametrize(
    ("spec", "rule", "field"),
    [
        (replace(PUBLISHED, grids=4), Trailing(), "trailing_up"),
        (PUBLISHED, Trailing(cap=D(65000)), "trailing_cap"),
        (PUBLISHED, Trailing(hourly=0), "trailing_hourly"),
    ],
)
def test_what_cannot_trail_is_refused_at_its_field(spec, rule, field) -> None:
    with pytest.raises(InvalidGrid) as refused:
        check(spec, rule)
    assert refused.value.field == field
