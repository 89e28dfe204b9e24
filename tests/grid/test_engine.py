"""decide, by worked examples a trader can check on paper, and by properties over random markets."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.engine import OwnOrder, decide
from bots.grid import ids
from bots.grid.accounting import cash, standing
from bots.grid.cells import Grid, build
from bots.grid.levels import GridSpec, InvalidGrid, Sizing, Spacing
from market.types import ZERO, Fill, Order, OrderStatus, Side, TimeInForce
from risk.rules import FREE, Limits, halted, leaving, withheld
from tests.grid.book import Book
from tests.grid.examples import BTC, FEE, PUBLISHED, D, published, tick
from tests.thorough import examples


class Run:
    """A grid, the book it trades on, and everything that came of it."""

    def __init__(self, grid: Grid, book: Book) -> None:
        self.start = self.grid = grid
        self.book = book
        self.opening = book.quote
        self.trips: list = []
        self.seen = 0
        self.decision = None
        self.trail = None

    def look(self, limits: Limits = FREE) -> None:
        """One tick: decide and carry out."""
        fills, self.seen = self.book.fills[self.seen :], len(self.book.fills)
        price = tick(self.book.price, self.grid.instrument)
        orders = self.book.unsettled()
        self.decision = decide(self.grid, fills, orders, price, limits, trail=self.trail)
        self.grid = self.decision.grid
        self.trips += self.decision.round_trips
        self.book.carry_out(self.decision)

    def settle(self, limits: Limits = FREE) -> None:
        """Tick until nothing is left to do."""
        for _ in range(12):
            self.look(limits)
            if self.decision.is_quiet and self.seen == len(self.book.fills):
                return
        raise AssertionError("the grid does not come to rest")

    def resting(self, side: Side) -> list[tuple[Decimal, Decimal]]:
        orders = sorted(self.book.open(), key=lambda order: order.price)
        return [(order.price, order.quantity) for order in orders if order.side is side]


def run(grid: Grid, price: Decimal | int, quote: Decimal | int = 100000) -> Run:
    return Run(grid, Book(grid.instrument, D(price), D(quote)))


def test_the_published_example_to_all_eight_digits() -> None:
    started = run(published(), 54000)
    started.settle()
    bought, sold = D("0.08795882"), D("0.08787086")
    assert started.resting(Side.BUY) == [(D(p), bought) for p in (45000, 49000, 53000)]
    assert started.resting(Side.SELL) == [(D(61000), sold), (D(65000), sold)]
    assert {fill.price for fill in started.book.fills} == {D(54000)}


def test_a_full_cycle_with_fees() -> None:
    """Buy 0.08795882 at 53,000, fee 0.1 % in base; sell 0.08787086 at 57,000, fee in quote."""
    cycle = run(published(), 54000)
    cycle.settle()
    cycle.book.move(D(52000))
    cycle.settle()
    assert (D(57000), D("0.08787086")) in cycle.resting(Side.SELL)
    cycle.book.move(D(58000))
    cycle.settle()
    (trip,) = cycle.trips
    assert trip.cost == D("4661.81746")  # 0.08795882 x 53,000
    assert trip.proceeds == D("5003.63038098")  # 0.08787086 x 57,000 x 0.999
    assert trip.grid_profit == D("341.81292098")
    assert trip.inventory_pnl == 0
    assert cycle.grid.cells[2].held == D("0.00000000118")  # dust: 0.08795882 x 0.999 less the sale
    assert cycle.grid.cells[2].cost == 0
    assert (D(53000), D("0.08795882")) in cycle.resting(Side.BUY)


def test_an_entry_is_split_into_grid_and_inventory_part() -> None:
    """Bought at 54,000 though its level is 57,000: the 3,000 a coin are inventory PnL."""
    entry = run(published(), 54000)
    entry.settle()
    entry.book.move(D(61500))
    entry.settle()
    (trip,) = entry.trips
    assert trip.cost == D("4749.77628")  # 0.08795882 x 54,000
    assert trip.proceeds == D("5354.76233754")  # 0.08787086 x 61,000 x 0.999
    assert trip.inventory_pnl == D("263.87646")  # 0.08795882 x 3,000
    assert trip.profit == D("604.98605754")
    assert trip.grid_profit == D("341.10959754")


def test_a_grid_above_the_market_starts_holding_everything() -> None:
    above = run(published(), 40000)
    above.settle()
    assert above.resting(Side.BUY) == []
    assert [price for price, _ in above.resting(Side.SELL)] == [49000, 53000, 57000, 61000, 65000]


def test_a_grid_below_the_market_starts_empty() -> None:
    below = run(published(), 70000)
    below.settle()
    assert [price for price, _ in below.resting(Side.BUY)] == [45000, 49000, 53000, 57000, 61000]
    assert below.resting(Side.SELL) == []


def test_a_partial_fill_keeps_its_order_and_a_cancelled_rest_is_bought_again() -> None:
    partial = run(published(), 54000)
    partial.settle()
    first = next(order for order in partial.book.open() if order.price == 53000)
    partial.book.execute(first.client_id, D("0.03"))
    partial.settle()
    assert partial.book.orders[first.client_id].status is OrderStatus.PARTIAL
    partial.book._end(first.client_id, OrderStatus.CANCELLED, "CancelByAdmin")
    partial.settle()
    assert (D(53000), D("0.05795882")) in partial.resting(Side.BUY)


def test_a_pause_takes_buys_away_and_sells_what_is_half_bought() -> None:
    paused = run(published(), 54000)
    paused.settle()
    first = next(order for order in paused.book.open() if order.price == 53000)
    paused.book.execute(first.client_id, D("0.03"))
    paused.settle(withheld("paused"))
    assert paused.resting(Side.BUY) == []
    assert (D(57000), D("0.02997")) in paused.resting(Side.SELL)
    assert [idle.reason for idle in paused.decision.idle] == ["paused"] * 2
    paused.settle()
    assert [price for price, _ in paused.resting(Side.BUY)] == [45000, 49000]


def test_a_halt_takes_everything_away_and_lifting_it_brings_all_back() -> None:
    halting = run(published(), 54000)
    halting.settle()
    before = halting.resting(Side.BUY), halting.resting(Side.SELL)
    halting.settle(halted("kill switch"))
    assert halting.book.open() == []
    halting.settle()
    assert (halting.resting(Side.BUY), halting.resting(Side.SELL)) == before


def test_leaving_the_market_sells_everything_and_books_it_as_inventory() -> None:
    """Two cells hold 0.08787086 each, bought at 54,000; both are sold at 50,000."""
    out = run(published(), 54000)
    out.settle()
    out.book.move(D(53500))
    out.book.price = D(50000)  # a fall that our buys did not see
    out.settle(leaving("stop-loss"))
    assert out.book.open() == []
    sales = [fill for fill in out.book.fills if fill.side is Side.SELL]
    assert [(fill.price, fill.quantity) for fill in sales] == [(50000, D("0.08787086"))] * 2
    assert {trip.grid_profit for trip in out.trips} == {0}
    assert out.trips[0].inventory_pnl == D("-360.62682300")  # 4,389.149457 - 4,749.77628
    assert all(cell.held < BTC.lot for cell in out.grid.cells)


def test_a_half_bought_cell_leaves_with_what_it_has() -> None:
    out = run(published(), 54000)
    out.settle()
    first = next(order for order in out.book.open() if order.price == 53000)
    out.book.execute(first.client_id, D("0.03"))
    out.settle(leaving("kill"))
    assert out.book.open() == []
    assert out.book.base < 5 * BTC.lot


def test_an_exit_that_meets_no_buyer_is_tried_again_under_a_new_id() -> None:
    out = run(published(), 54000)
    out.settle()
    out.book.carry_out(decide(out.grid, (), out.book.unsettled(), tick(54000), halted("stop")))
    out.look(leaving("stop"))
    price = tick(54000)
    grid, settled = out.grid, out.book.unsettled()
    wish = decide(grid, (), settled, price, leaving("stop"))
    exits = [ids.slot(order.client_id) for order in wish.place]
    assert all(slot.is_exit for slot in exits)


def test_a_level_passed_while_away_is_taken_at_the_better_price() -> None:
    away = run(published(), 54000)
    away.settle(withheld("paused"))
    away.book.move(D(48000))
    away.settle()
    caught_up = [fill for fill in away.book.fills if fill.side is Side.BUY][-2:]
    assert [fill.price for fill in caught_up] == [48000, 48000]  # levels 49,000 and 53,000


def test_an_order_of_unknown_fate_keeps_its_cell() -> None:
    grid = published()
    first = decide(grid, (), (), tick(54000), FREE)
    unknown = [
        OwnOrder(
            Order(
                r.client_id, "", r.symbol, r.side, r.price, r.quantity, ZERO, OrderStatus.UNKNOWN
            ),
            booked=ZERO,
        )
        for r in first.place
    ]
    again = decide(grid, (), unknown, tick(54000), halted("kill switch"))
    assert again.is_quiet


def test_a_closed_order_keeps_its_cell_until_its_fills_are_here() -> None:
    grid = published()
    request = decide(grid, (), (), tick(54000), FREE).place[0]
    closed = Order(
        request.client_id, "x", request.symbol, request.side, request.price,
        request.quantity, request.quantity, OrderStatus.FILLED,
    )  # fmt: skip
    waiting = decide(grid, (), [OwnOrder(closed, booked=ZERO)], tick(54000), FREE)
    assert request.client_id not in {order.client_id for order in waiting.place}
    assert not waiting.settled


def test_a_parked_refusal_names_its_reason() -> None:
    grid = published()
    request = decide(grid, (), (), tick(54000), FREE).place[0]
    refused = Order(
        request.client_id, "", request.symbol, request.side, request.price,
        request.quantity, ZERO, OrderStatus.REJECTED,
    )  # fmt: skip
    parked = decide(grid, (), [OwnOrder(refused, ZERO, "insufficient balance")], tick(54000), FREE)
    assert parked.idle[0].reason == "insufficient balance"


def test_a_foreign_fill_is_not_booked() -> None:
    fill = Fill("e", "x", "manual-1", "BTCUSDT", Side.BUY, D(1), D(1), ZERO, "BTC", True, 1)
    with pytest.raises(ValueError, match="manual-1"):
        decide(published(), [fill], (), tick(54000), FREE)


def test_capital_too_small_for_the_exchange_is_refused_with_the_figures() -> None:
    with pytest.raises(InvalidGrid, match="5 USDT or more") as refusal:
        build("g1", replace(PUBLISHED, capital=D(20)), BTC, D(54000))
    assert refusal.value.field == "capital"


@given(
    grid=st.from_regex(r"g[a-z0-9]{1,9}", fullmatch=True),
    cell=st.integers(0, 999),
    trip=st.integers(0, 10**6),
    kind=st.sampled_from("BSX"),
    attempt=st.integers(0, 9999),
)
def test_client_ids_fit_the_exchange_and_read_back(grid, cell, trip, kind, attempt) -> None:
    slot = ids.Slot(grid, cell, trip, kind, attempt)
    assert len(ids.client_id(slot)) <= 36
    assert ids.slot(ids.client_id(slot)) == slot


def test_foreign_ids_are_not_ours() -> None:
    for foreign in ("", "manual", "g1-2-3-Y-4", "g1-2-3-B-4 ", "1900000000000000001"):
        assert ids.slot(foreign) is None


LIMITS = (FREE, withheld("paused"), halted("kill"), leaving("stop"))
MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("move"), st.integers(-900, 900)),
        st.tuples(st.just("part"), st.integers(1, 99)),
        st.tuples(st.just("limits"), st.sampled_from(LIMITS)),
        st.tuples(st.just("drop"), st.integers(0, 30)),
        st.tuples(st.just("look"), st.none()),
    ),
    min_size=1,
    max_size=40,
)


@examples(150)
@given(
    moves=MOVES,
    spacing=st.sampled_from(Spacing),
    sizing=st.sampled_from(Sizing),
    grids=st.integers(2, 14),
    start=st.integers(93000, 101000),
)
def test_identities_hold_over_random_markets(moves, spacing, sizing, grids, start) -> None:
    spec = GridSpec(D(95500), D(99000), grids, D(25000), spacing, sizing)
    market = run(build("g1", spec, BTC, D(start)), start, D(25000))
    limits = FREE
    for kind, value in moves:
        _step(market, kind, value)
        limits = value if kind == "limits" else limits
        if kind == "look":
            market.look(limits)
            _hold(market)
    market.settle(limits)
    _hold(market)
    _replay(market)
    if limits is FREE:
        cells = {ids.slot(order.client_id).cell for order in market.book.open()}
        assert cells == set(range(grids)), "a settled grid without limits rests an order a cell"


def _step(market: Run, kind: str, value: object) -> None:
    book = market.book
    if kind == "move":
        book.move(max(D(90000), book.price + value))
    elif kind == "part" and (orders := book.open()):
        order = orders[value % len(orders)]
        share = BTC.quantity((order.quantity - order.filled) * value / 100)
        if share:
            book.execute(order.client_id, share)
    elif kind == "drop" and (orders := book.open()):
        book._end(orders[value % len(orders)].client_id, OrderStatus.CANCELLED, "CancelByAdmin")


def _hold(market: Run) -> None:
    """What must be true after every tick, for the fills booked so far."""
    seen = market.book.fills[: market.seen]
    buys = [fill for fill in seen if fill.side is Side.BUY]
    sells = [fill for fill in seen if fill.side is Side.SELL]
    base = sum((f.quantity - f.fee for f in buys), ZERO) - sum((f.quantity for f in sells), ZERO)
    quote = sum((f.notional - f.fee for f in sells), ZERO) - sum((f.notional for f in buys), ZERO)
    price = market.book.price
    now = standing(market.grid.cells, price)
    assert now.base == base, "inventory = the exchange's base"
    assert cash(market.grid, market.trips) == quote, "cash identity, exact"
    total = sum((trip.profit for trip in market.trips), ZERO) + now.floating
    assert total == quote + base * price, "total PnL = equity less deposits, residual zero"
    cells = [ids.slot(order.client_id).cell for order in market.book.open()]
    assert len(cells) == len(set(cells)), "at most one live order a cell"
    if market.seen == len(market.book.fills):
        assert (market.book.base, market.book.quote - market.opening) == (base, quote)


def _replay(market: Run) -> None:
    """Booking all fills again from the start rebuilds what the cells hold, and the trips."""
    orders = market.book.unsettled()
    again = decide(market.start, market.book.fills, orders, tick(market.book.price), FREE)
    facts = ("trip", "held", "cost", "sold", "proceeds", "bought", "buy_fee")
    for ours, theirs in zip(market.grid.cells, again.grid.cells, strict=True):
        assert [getattr(ours, f) for f in facts] == [getattr(theirs, f) for f in facts]
    assert again.round_trips == tuple(market.trips)


def test_the_book_takes_fees_as_the_example_says() -> None:
    assert Book(BTC, D(1), D(1)).fee == FEE
    assert TimeInForce("PostOnly") is TimeInForce.POST_ONLY
