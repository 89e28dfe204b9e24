"""A whole life of a grid, step by step at random, with what must hold checked after every step.

Prices jump, orders fill in part, news is lost or comes late and twice, the house restarts, people
pause, halt, leave and edit, the filter flips, the ladder trails up; fees come off in base, in
quote or in a third coin, and may be rebates. `make nightly` goes on to a million steps.
"""

from collections import Counter
from dataclasses import dataclass, replace
from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bots.engine import OwnOrder, adoptable, decide
from bots.grid import ids
from bots.grid.accounting import cash, standing
from bots.grid.carry import succeed
from bots.grid.cells import Grid, build
from bots.grid.levels import GridSpec, InvalidGrid, Sizing, Spacing
from bots.grid.trailing import FEWEST_GRIDS, Trail, Trailing, lay
from market.types import ONE, ZERO, Fill, OrderStatus, Side
from risk.rules import FREE, halted, leaving, withheld
from tests.grid.book import Book
from tests.grid.examples import BTC, D, tick
from tests.thorough import examples

STEPS: Counter[str] = Counter()  # of this process, by kind
CAME: Counter[str] = Counter()  # of it: fills, round trips, steps up
LIMITS = [FREE, FREE, withheld("paused"), withheld("BTC gate"), halted("kill"), leaving("stop")]
HOUR = 3_600_000

specs = st.builds(
    lambda lower, width, grids, capital, spacing, sizing: GridSpec(
        D(lower), D(lower + width), grids, D(capital), spacing, sizing
    ),
    st.sampled_from([90_000, 93_000, 95_500, 97_000]), st.sampled_from([3_500, 5_000, 7_000]),
    st.integers(2, 10), st.integers(2_000, 60_000), st.sampled_from(Spacing),
    st.sampled_from(Sizing),
)  # fmt: skip


@dataclass
class Market(Book):
    """The book, with the fees of any account: a share, and the coin that pays it."""

    coin: str = ""  # "" is as Bybit takes them: base of buys, quote of sells

    def execute(self, client_id: str, quantity: Decimal, price: Decimal | None = None) -> None:
        if not self.coin:
            super().execute(client_id, quantity, price)
            return
        share, self.fee = self.fee, ZERO
        super().execute(client_id, quantity, price)
        self.fee, last = share, self.fills[-1]
        fee = last.notional * share if self.coin == "USDT" else quantity * share
        if self.coin == "USDT":
            self.quote -= fee
        self.fills[-1] = replace(last, fee=fee, fee_coin=self.coin)


class Life(RuleBasedStateMachine):
    """A grid and its market. A step is one rule."""

    @initialize(
        spec=specs,
        start=st.integers(92_000, 103_000),
        fee=st.sampled_from(["0.001", "0", "-0.0001", "0.0036", "0.01"]),
        coin=st.sampled_from(["", "", "USDT", "MNT"]),
        trailing=st.booleans(),
    )
    def begin(self, spec, start, fee, coin, trailing) -> None:
        self.book = Market(BTC, D(start), D(10) ** 7, fee=D(fee), coin=coin)
        self.opening = self.book.quote
        self.spec, self.version, self.limits, self.time = spec, 1, FREE, 0
        self.trailing = trailing and spec.grids >= FEWEST_GRIDS
        self.grid: Grid = build("g1", spec, BTC, D(start))
        self.trail = Trail(spec, Trailing(hourly=3)) if self.trailing else None
        self.began: Grid = self.grid  # of this version, with what it took over
        self.since: list[tuple[str, object]] = []  # fills booked and shifts taken since
        self.trips: list = []
        self.trips_before = 0
        self.acts_as: dict[str, str] = {}
        self.known: set[str] = set()  # executions that have been heard of
        self.booked: list[Fill] = []
        self.decision = None

    # The world

    @rule(by=st.integers(-2_500, 2_500))
    def move(self, by: int) -> None:
        STEPS["move"] += 1
        self.book.move(min(max(D(70_000), self.book.price + by), D(200_000)))

    @rule(which=st.integers(0, 99), share=st.integers(1, 99))
    def fill_in_part(self, which: int, share: int) -> None:
        STEPS["partial fill"] += 1
        orders = self.book.open()
        if orders:
            order = orders[which % len(orders)]
            if part := BTC.quantity((order.quantity - order.filled) * share / 100):
                self.book.execute(order.client_id, part)

    @rule(which=st.integers(0, 99))
    def cancel_from_outside(self, which: int) -> None:
        STEPS["cancelled by the exchange"] += 1
        if orders := self.book.open():
            self.book._end(orders[which % len(orders)].client_id, OrderStatus.CANCELLED, "Admin")

    @rule(minutes=st.integers(1, 90))
    def wait(self, minutes: int) -> None:
        STEPS["time"] += 1
        self.time += minutes * HOUR // 60

    # The house

    @rule(heard=st.integers(0, 100))
    def look(self, heard: int) -> None:
        """A tick that has heard of a part of the executions; the rest is late, or lost."""
        STEPS["tick with lost news" if heard < 100 else "tick"] += 1
        news = [fill for fill in self.book.fills if fill.exec_id not in self.known]
        self._tick(news[: len(news) * heard // 100])

    @rule(limits=st.sampled_from(LIMITS))
    def command(self, limits) -> None:
        STEPS["pause, halt, gate, exit or leave"] += 1
        self.limits = limits

    @rule()
    def restart(self) -> None:
        """All but facts is forgotten: cells come from what the version began with, and fills."""
        STEPS["restart"] += 1
        again, trips = self._replayed()
        facts = (
            "low", "high", "quantity", "trip", "bought", "held", "cost", "buy_fee", "sold",
            "proceeds", "exited", "opened",
        )  # fmt: skip
        for ours, theirs in zip(self.grid.cells, again.cells, strict=True):
            assert [getattr(ours, f) for f in facts] == [getattr(theirs, f) for f in facts]
        assert trips == self.trips[self.trips_before :]

    @precondition(lambda self: not self.limits.sell_out)
    @rule(spec=specs, same=st.booleans())
    def edit(self, spec: GridSpec, same: bool) -> None:
        STEPS["edit"] += 1
        now = self.trail.spec if self.trail else self.spec
        to_be = replace(now, capital=spec.capital) if same else spec
        name, price = f"g{self.version + 1}", tick(self.book.price)
        for _ in range(3):
            self._conclude(self._unheard())
            try:
                heir = succeed(self.grid, now, name, to_be, price.last)
            except InvalidGrid:
                return
            kept = adoptable(self._own(), heir, price, self.limits)
            rest = [own for own in self._own() if own.order.client_id not in kept]
            for own in rest:
                self.book._end(own.order.client_id, OrderStatus.CANCELLED, "edit")
        before = standing(self.grid.cells, price.last)
        assert standing(heir.cells, price.last) == before, "an edit realises nothing"
        self.acts_as.update({client_id: wish.client_id for client_id, wish in kept.items()})
        self.grid = self.began = heir
        self.spec, self.version = to_be, self.version + 1
        self.since, self.trips_before = [], len(self.trips)
        self.trail = None
        if self.trailing and to_be.grids >= FEWEST_GRIDS:
            self.trail = Trail(to_be, Trailing(hourly=3))

    @rule()
    def settle(self) -> None:
        """Left alone it comes to rest, with an order or a named reason for each cell."""
        STEPS["settle"] += 1
        for _ in range(30):
            self._tick(self._unheard())
            if self.decision.is_quiet and not self._unheard() and not self.decision.shift:
                break
        else:
            raise AssertionError("the grid does not come to rest")
        ordered = {ids.slot(own.name).cell for own in self._own()}
        named = {idle.cell for idle in self.decision.idle if idle.reason}
        assert ordered | named == set(range(len(self.grid.cells)))
        if self.limits is FREE:
            assert len(ordered) == len(self.grid.cells), "N orders"

    # What must hold

    @invariant()
    def nothing_is_gained_or_lost(self) -> None:
        if not hasattr(self, "book"):
            return
        base = quote = ZERO
        for fill in self.booked:
            sign = ONE if fill.side is Side.BUY else -ONE
            base += sign * fill.quantity - (fill.fee if fill.fee_coin == "BTC" else ZERO)
            quote -= sign * fill.notional + (fill.fee if fill.fee_coin == "USDT" else ZERO)
        now = standing(self.grid.cells, self.book.price)
        assert now.base == base, "coins of the cells are the coins of the fills"
        assert cash(self.grid, self.trips) == quote, "money likewise"
        total = sum((trip.profit for trip in self.trips), ZERO) + now.floating
        assert total == quote + base * self.book.price, "total PnL has no residual"
        if len(self.booked) == len(self.book.fills):
            assert (self.book.base, self.book.quote - self.opening) == (base, quote)

    @invariant()
    def one_live_order_a_cell(self) -> None:
        if not hasattr(self, "book"):
            return
        live = [ids.slot(own.name).cell for own in self._own() if not own.order.status.is_closed]
        assert len(live) == len(set(live))

    @invariant()
    def no_cell_is_above_its_cap(self) -> None:
        """What rests and what is bought in a trip are never more than the cell's quantity."""
        if not hasattr(self, "book"):
            return
        for own in self._own():
            order, slot = own.order, ids.slot(own.name)
            if order.side is Side.BUY and not order.status.is_closed:
                cell = self.grid.cells[slot.cell]
                late = sum(
                    (f.quantity for f in self._unheard() if f.client_id == order.client_id), ZERO
                )
                if slot.trip == cell.trip and slot.grid == self.grid.name:
                    assert order.quantity - order.filled + late + cell.bought <= max(
                        cell.quantity, cell.bought
                    )

    def _unheard(self) -> list[Fill]:
        return [fill for fill in self.book.fills if fill.exec_id not in self.known]

    def _own(self) -> list[OwnOrder]:
        booked: Counter[str] = Counter()
        for fill in self.booked:
            booked[fill.client_id] += fill.quantity
        return [
            OwnOrder(order, booked[name] or ZERO, acts_as=self.acts_as.get(name, ""))
            for name, order in self.book.orders.items()
            if name not in self.book.settled
        ]

    def _tick(self, news: list[Fill]) -> None:
        self._conclude(news)
        self.book.carry_out(self.decision)

    def _conclude(self, news: list[Fill]) -> None:
        self.known |= {fill.exec_id for fill in news}
        self.booked += news
        named = [replace(f, client_id=self.acts_as.get(f.client_id, f.client_id)) for f in news]
        price = tick(self.book.price, time=self.time)
        self.decision = decide(self.grid, named, self._own(), price, self.limits, trail=self.trail)
        self.grid = self.decision.grid
        self.trips += self.decision.round_trips
        CAME["fills"] += len(named)
        CAME["round trips"] += len(self.decision.round_trips)
        self.book.settled.update(self.decision.settled)
        self.since.append(("fills", named))
        if shift := self.decision.shift:
            CAME["steps up"] += 1
            self.trail = self.trail.after(shift)
            self.since.append(("shift", shift))

    def _replayed(self) -> tuple[Grid, list]:
        grid, trips = self.began, []
        for kind, what in self.since:
            if kind == "shift":
                grid = lay(grid, what)
                continue
            again = decide(grid, what, (), tick(self.book.price), halted("replay"))
            grid, trips = again.grid, [*trips, *again.round_trips]
        return grid, trips


Life.TestCase.settings = settings(examples(60), stateful_step_count=40)
TestLife = Life.TestCase
