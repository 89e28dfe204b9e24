"""What a grid would have done on recorded candles: the live engine's own rules, in memory.

Contract: orders rest from the first bar's open on; the fill rules are market/matching.py, what
rests and what a fill does to a cell are bots/grid. Where the live engine asks `decide` about all
cells at every look, a replay asks only the cells that were filled: the others cannot want
anything new while nothing limits the grid.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import chain, pairwise

from bots.engine import decide
from bots.grid import ids
from bots.grid.accounting import RoundTrip, book
from bots.grid.cells import Cell, Grid, build
from bots.grid.outcome import Outcome, Plan, Span
from bots.grid.trailing import Shift, Trail, check, lay, rise
from bots.grid.wants import Idle, want
from market.matching import met, path
from market.types import (
    ONE,
    ZERO,
    Candle,
    Fill,
    OrderRequest,
    Side,
    Tick,
    TimeInForce,
)
from risk.rules import FREE, Limits

NAME = "backtest"
MINUTE_MS = 60_000
_NO_BUY, _NO_SELL = Decimal("-Infinity"), Decimal("Infinity")

Watch = Callable[[Candle, Decimal], None]


class NoCandles(ValueError):
    """There is nothing to replay."""


@dataclass(slots=True)
class _Drawdown:
    """The greatest fall of equity from its high so far."""

    high: Decimal = ZERO
    worst: Decimal = ZERO
    floor: Decimal = ZERO  # equity below this is a new worst

    def add(self, equity: Decimal) -> None:
        if equity > self.high:
            self.high = equity
        elif equity < self.floor:
            self.worst = ONE - equity / self.high
        else:
            return
        self.floor = self.high * (ONE - self.worst)


@dataclass(slots=True)
class Account:
    """The grid, its resting orders by cell, and the money, as price moves."""

    plan: Plan
    grid: Grid
    quote: Decimal
    resting: dict[int, OrderRequest] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    trips: list[RoundTrip] = field(default_factory=list)
    base: Decimal = ZERO
    least_quote: Decimal = ZERO
    fees_quote: Decimal = ZERO
    best_buy: Decimal = _NO_BUY
    best_sell: Decimal = _NO_SELL
    trail: Trail | None = None
    shifts: list[Shift] = field(default_factory=list)
    bounds: tuple[Decimal, Decimal] = (ZERO, ZERO)  # lowest and highest level
    limits: Limits = FREE

    def start(self, price: Decimal, time: int) -> None:
        """Rest the first orders; purchases at the market are filled at `price` by a taker."""
        self.bounds = self.grid.lower, self.grid.upper
        first = decide(self.grid, (), (), _tick(self.grid, price, time), FREE)
        for request in first.place:
            if request.time_in_force is TimeInForce.IOC:
                self._execute(request, price, time, is_maker=False)
            else:
                self._rest(request)
        self._rank()

    def rearrange(self, grid: Grid, limits: Limits, price: Decimal, time: int) -> None:
        """Rest what `grid` wants under `limits` at `price`, in place of all that rested.

        Whatever could be had at once is had at `price`, by a taker.
        """
        self.grid, self.limits = grid, limits
        self.resting.clear()
        for index in range(len(grid.cells)):
            cell = self.grid.cells[index]
            wanted = want(self.grid, cell, _tick(self.grid, price, time), limits)
            if isinstance(wanted, Idle):
                continue
            if _is_met(wanted, price):
                self._execute(wanted, price, time, is_maker=False)
            else:
                self._rest(wanted)
        self._rank()

    def passes(self, candle: Candle) -> bool:
        """Whether this bar can fill nothing: it stays between the best buy and the best sell."""
        return self.best_buy < candle.low and candle.high < self.best_sell

    def walk(self, start: Decimal, end: Decimal, time: int) -> None:
        """Move the price straight from `start` to `end`; counter orders rest behind it."""
        if self.best_buy < end < self.best_sell:
            return
        hit = met(self.resting.values(), start, end, self.plan.rule)
        for request in hit:
            self._execute(request, request.price, time, is_maker=True)
        shifts = len(self.shifts)
        if self.trail is not None:
            self._follow(end, time)
        if hit or len(self.shifts) > shifts:
            self._rank()

    def _follow(self, price: Decimal, time: int) -> None:
        """Take every step up that the price calls for; a step's buy rests behind the price."""
        tick = _tick(self.grid, price, time)
        while self.trail is not None:
            shift = rise(self.grid, self.trail, tick)
            if isinstance(shift, str):
                return
            self.grid, self.trail = lay(self.grid, shift), self.trail.after(shift)
            self.bounds = self.grid.lower, self.grid.upper
            self.shifts.append(shift)
            self._want(self.grid.cells[shift.cell], tick)

    def _execute(self, request: OrderRequest, price: Decimal, time: int, *, is_maker: bool) -> None:
        """Fill an order whole, book it, and rest what its cell wants next."""
        fill = self._fill(request, price, time, is_maker=is_maker)
        self.fills.append(fill)
        self._pay(fill)
        cell, trip = book(self._cell(request), fill, self.grid.instrument)
        self.grid = self.grid.with_cell(cell)
        if trip is not None:
            self.trips.append(trip)
        self._want(cell, _tick(self.grid, price, time))

    def _want(self, cell: Cell, tick: Tick) -> None:
        """Rest what a cell wants now, and nothing else of it."""
        wanted = want(self.grid, cell, tick, self.limits)
        if isinstance(wanted, Idle):
            self.resting.pop(cell.index, None)
        else:
            self._rest(wanted)

    def _cell(self, request: OrderRequest) -> Cell:
        return self.grid.cells[_index(request)]

    def _rest(self, request: OrderRequest) -> None:
        self.resting[_index(request)] = request

    def _rank(self) -> None:
        """The prices that a bar must reach to fill anything."""
        orders = self.resting.values()
        buys = (order.price for order in orders if order.side is Side.BUY)
        sells = (order.price for order in orders if order.side is Side.SELL)
        self.best_buy, self.best_sell = max(buys, default=_NO_BUY), min(sells, default=_NO_SELL)
        if self.trail is not None:
            self.best_sell = min(self.best_sell, self.trail.next_level(self.grid.instrument))

    def _fill(self, request: OrderRequest, price: Decimal, time: int, *, is_maker: bool) -> Fill:
        rate = self.plan.maker if is_maker else self.plan.taker
        buys = request.side is Side.BUY
        received = request.quantity if buys else request.quantity * price
        number = str(len(self.fills))
        return Fill(
            exec_id=number,
            order_id=number,
            client_id=request.client_id,
            symbol=request.symbol,
            side=request.side,
            price=price,
            quantity=request.quantity,
            fee=received * rate,
            fee_coin=self.grid.instrument.base if buys else self.grid.instrument.quote,
            is_maker=is_maker,
            time=time,
        )

    def _pay(self, fill: Fill) -> None:
        if fill.side is Side.BUY:
            self.base += fill.quantity - fill.fee
            self.quote -= fill.notional
            self.fees_quote += fill.fee * fill.price
            self.least_quote = min(self.least_quote, self.quote)
        else:
            self.base -= fill.quantity
            self.quote += fill.notional - fill.fee
            self.fees_quote += fill.fee


def _is_met(request: OrderRequest, price: Decimal) -> bool:
    """Whether the market gives it at once."""
    return request.price >= price if request.side is Side.BUY else request.price <= price


def _index(request: OrderRequest) -> int:
    slot = ids.slot(request.client_id)
    if slot is None:
        raise ValueError(f"{request.client_id} is not the id of a grid's order")
    return slot.cell


def _tick(grid: Grid, price: Decimal, time: int) -> Tick:
    return Tick(grid.instrument.symbol, price, price, price, time)


def replay(plan: Plan, candles: Iterable[Candle], watch: Watch | None = None) -> Outcome:
    """Run a plan over bars, oldest first; `watch` sees each bar with the equity at its close.

    Price moves straight from close to open and along each bar's path. A bar that stays between
    the best buy and the best sell can fill nothing, and neither can the way to it: it is passed
    by. Raises InvalidGrid when the plan cannot be built at the first open, and NoCandles.
    """
    bars = iter(candles)
    opening = next(bars, None)
    if opening is None:
        raise NoCandles("no candles to replay")
    account = _open(plan, opening)
    drawdown = _Drawdown()
    last, before, interval = opening.open, opening.time, 0
    count = outside = 0
    for candle in chain((opening,), bars):
        if not account.passes(candle):
            for start, end in pairwise((last, *path(candle, plan.path))):
                account.walk(start, end, candle.time)
        last = candle.close
        step, before = candle.time - before, candle.time
        if step < interval or not interval:
            interval = step
        count += 1
        if last < account.bounds[0] or last > account.bounds[1]:
            outside += 1
        equity = account.quote + account.base * last
        drawdown.add(equity)
        if watch is not None:
            watch(candle, equity)
    interval = interval or MINUTE_MS
    return Outcome(
        plan=plan,
        span=Span(
            candles=count,
            outside=outside,
            start=opening.time,
            end=before + interval,
            interval=interval,
            first=opening.open,
            last=last,
        ),
        grid=account.grid,
        fills=tuple(account.fills),
        round_trips=tuple(account.trips),
        quote=account.quote,
        least_quote=account.least_quote,
        fees_quote=account.fees_quote,
        shifts=tuple(account.shifts),
        max_drawdown=drawdown.worst,
    )


def _open(plan: Plan, opening: Candle) -> Account:
    """The account at the first open, its entries bought and its orders resting."""
    grid = build(NAME, plan.spec, plan.instrument, opening.open)
    account = Account(plan, grid, quote=plan.spec.capital)
    if plan.trailing is not None:
        check(plan.spec, plan.trailing)
        account.trail = Trail(plan.spec, replace(plan.trailing, fee=plan.maker))
    account.start(opening.open, opening.time)
    return account
