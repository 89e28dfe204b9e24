"""An edit's succession: worked examples, and nothing gained or lost whatever is edited."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.engine import OwnOrder, adoptable, decide
from bots.grid import ids
from bots.grid.accounting import cash, standing
from bots.grid.carry import AMOUNTS, succeed
from bots.grid.cells import Grid, build
from bots.grid.levels import GridSpec, InvalidGrid, Sizing, Spacing
from bots.grid.wants import want
from market.types import ZERO, OrderStatus, Side
from risk.rules import FREE, halted, withheld
from tests.grid.book import Book
from tests.grid.examples import BTC, PUBLISHED, D, published, tick
from tests.thorough import examples


def bought() -> Grid:
    """The published grid at 54,000 after its two entries: 0.08787086... in cells 3 and 4."""
    grid, book = published(), Book(BTC, D(54000), D(100000))
    first = decide(grid, (), (), tick(54000), FREE)
    book.carry_out(first)
    return decide(grid, book.fills, book.unsettled(), tick(54000), FREE).grid


def total(grid: Grid) -> dict:
    return {name: sum((getattr(c, name) for c in grid.cells), ZERO) for name in AMOUNTS}


def test_the_same_spec_keeps_every_cell() -> None:
    old = bought()
    assert succeed(old, PUBLISHED, "g2", PUBLISHED, D(53000)) == replace(old, name="g2")


def test_more_capital_changes_the_buys_and_leaves_the_sells() -> None:
    """Twice the capital buys 0.17591764 at each level; what is held goes on being sold."""
    old = bought()
    new = succeed(old, PUBLISHED, "g2", replace(PUBLISHED, capital=D(47220)), D(54000))
    wishes = [want(new, cell, tick(54000), FREE) for cell in new.cells]
    assert [(w.side, w.price, w.quantity) for w in wishes] == [
        (Side.BUY, 45000, D("0.17591764")),
        (Side.BUY, 49000, D("0.17591764")),
        (Side.BUY, 53000, D("0.17591764")),
        (Side.SELL, 61000, D("0.08787086")),
        (Side.SELL, 65000, D("0.08787086")),
    ]
    assert [c.cost for c in new.cells] == [c.cost for c in old.cells]


def test_a_finer_ladder_takes_the_coins_nearest_first_at_their_average_cost() -> None:
    """Ten cells of 2,000: 0.0425... each; the coins of two old cells fill four of the six."""
    old = bought()
    finer = replace(PUBLISHED, grids=10)
    new = succeed(old, PUBLISHED, "g2", finer, D(54000))
    quantity = new.cells[0].quantity
    holding = [cell for cell in new.cells if cell.held]
    assert [cell.low for cell in holding] == [55000, 57000, 59000, 61000, 63000][: len(holding)]
    assert all(cell.held == quantity for cell in holding[:-1])
    assert total(new) == total(old)
    average = total(old)["cost"] / total(old)["held"]
    assert all(abs(c.cost - c.held * average) < D("1e-12") for c in holding)


def test_a_range_below_the_price_offers_everything_at_its_top() -> None:
    old = bought()
    lower = replace(PUBLISHED, lower=D(40000), upper=D(50000))
    new = succeed(old, PUBLISHED, "g2", lower, D(54000))
    top = new.cells[-1]
    assert (top.side, top.held) == (Side.SELL, total(old)["held"])
    assert total(new) == total(old)


def test_coins_moved_to_another_level_earn_by_the_grid_from_that_level_on() -> None:
    """Bought at 54,000, sold from 55,000 to 57,000: the 1,000 before are inventory PnL."""
    old = bought()
    new = succeed(old, PUBLISHED, "g2", replace(PUBLISHED, grids=10), D(54000))
    cell = new.cells[5]
    assert (cell.low, cell.entry, cell.side) == (55000, True, Side.SELL)


def test_an_edit_keeps_the_orders_that_the_new_version_wants_too() -> None:
    """A higher top adds two cells; equal base makes buys smaller, so only sells stay."""
    old = bought()
    book = Book(BTC, D(54000), D(100000))
    resting = decide(old, (), (), tick(54000), FREE)
    book.carry_out(resting)
    live = book.unsettled()
    same = succeed(old, PUBLISHED, "g2", PUBLISHED, D(54000))
    assert len(adoptable(live, same, tick(54000), FREE)) == 5
    more = succeed(old, PUBLISHED, "g2", replace(PUBLISHED, capital=D(30000)), D(54000))
    kept = adoptable(live, more, tick(54000), FREE)
    assert {book.orders[name].side for name in kept} == {Side.SELL}
    assert {ids.slot(wish.client_id).grid for wish in kept.values()} == {"g2"}
    touched = [replace(own, order=replace(own.order, filled=D("0.01"))) for own in live]
    assert not adoptable(touched, same, tick(54000), FREE)


def test_a_version_that_cannot_be_built_is_refused() -> None:
    with pytest.raises(InvalidGrid):
        succeed(bought(), PUBLISHED, "g2", replace(PUBLISHED, capital=D(10)), D(54000))


SPECS = st.builds(
    lambda lower, width, grids, capital, spacing, sizing: GridSpec(
        D(lower), D(lower + width), grids, D(capital), spacing, sizing
    ),
    st.sampled_from([90000, 93000, 95500, 97000]), st.sampled_from([3500, 5000, 7000]),
    st.integers(2, 14), st.integers(2000, 60000), st.sampled_from(Spacing),
    st.sampled_from(Sizing),
)  # fmt: skip
ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("move"), st.integers(-1500, 1500)),
        st.tuples(st.just("part"), st.integers(1, 99)),
        st.tuples(st.just("edit"), SPECS),
        st.tuples(st.just("limits"), st.sampled_from([FREE, withheld("p"), halted("k")])),
        st.tuples(st.just("look"), st.none()),
    ),
    min_size=1,
    max_size=40,
)


class Life:
    """A grid through its versions, on one book."""

    def __init__(self, spec: GridSpec, price: int) -> None:
        self.spec, self.version, self.limits = spec, 1, FREE
        self.book = Book(BTC, D(price), D(10) ** 7)
        self.opening = self.book.quote
        self.grid = build("g1", spec, BTC, D(price))
        self.acts_as: dict[str, str] = {}
        self.trips: list = []
        self.seen = 0

    def own(self) -> list[OwnOrder]:
        return [
            replace(own, acts_as=self.acts_as.get(own.order.client_id, ""))
            for own in self.book.unsettled()
        ]

    def conclude(self):
        fills, self.seen = self.book.fills[self.seen :], len(self.book.fills)
        fills = [replace(f, client_id=self.acts_as.get(f.client_id, f.client_id)) for f in fills]
        price = tick(self.book.price)
        decision = decide(self.grid, fills, self.own(), price, self.limits)
        self.grid = decision.grid
        self.trips += decision.round_trips
        self.book.settled.update(decision.settled)
        return decision

    def look(self) -> None:
        self.book.carry_out(self.conclude())

    def edit(self, spec: GridSpec) -> None:
        """As the handover does it: withdraw what is not kept, then change over."""
        name, price = f"g{self.version + 1}", tick(self.book.price)
        for _ in range(3):
            self.conclude()
            heir = succeed(self.grid, self.spec, name, spec, price.last)
            kept = adoptable(self.own(), heir, price, self.limits)
            rest = [own for own in self.own() if own.order.client_id not in kept]
            for own in rest:
                if not own.order.status.is_closed:
                    self.book._end(own.order.client_id, OrderStatus.CANCELLED, "edit")
        assert not rest
        self.acts_as.update({name: wish.client_id for name, wish in kept.items()})
        self.grid, self.spec, self.version = heir, spec, self.version + 1

    def hold(self) -> None:
        fills = self.book.fills[: self.seen]
        quote = base = ZERO
        for f in fills:
            buy = f.side is Side.BUY
            base += f.quantity - f.fee if buy else -f.quantity
            quote += -f.notional if buy else f.notional - f.fee
        now = standing(self.grid.cells, self.book.price)
        assert now.base == base
        assert cash(self.grid, self.trips) == quote
        assert sum((t.profit for t in self.trips), ZERO) + now.floating == (
            quote + base * self.book.price
        ), "total PnL = equity less deposits, whatever was edited"
        live = [ids.slot(own.name).cell for own in self.own() if not own.order.status.is_closed]
        assert len(live) == len(set(live)), "at most one live order a cell"


@examples(200)
@given(acts=ACTS, spec=SPECS, start=st.integers(93000, 101000))
def test_identities_hold_through_edits(acts, spec, start) -> None:
    life = Life(spec, start)
    for kind, value in acts:
        _act(life, kind, value)
    for _ in range(15):
        life.look()
    life.hold()
    if life.limits is FREE:
        cells = {ids.slot(own.name).cell for own in life.own()}
        assert cells == set(range(life.spec.grids)), "a settled grid rests an order a cell"


def _act(life: Life, kind: str, value: object) -> None:
    if kind == "move":
        life.book.move(max(D(80000), life.book.price + value))
    elif kind == "part" and (orders := life.book.open()):
        order = orders[value % len(orders)]
        if share := BTC.quantity((order.quantity - order.filled) * value / 100):
            life.book.execute(order.client_id, share)
    elif kind == "edit":
        before, trips = total(life.conclude().grid), len(life.trips)
        life.edit(value)
        if len(life.trips) == trips:
            _conserved(before, total(life.grid))
    elif kind == "limits":
        life.limits = value
    elif kind == "look":
        life.look()
        life.hold()


def _conserved(before: dict, after: dict) -> None:
    for name in ("held", "cost", "proceeds", "sold", "buy_fee"):
        assert before[name] == after[name], name
