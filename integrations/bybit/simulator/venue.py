"""The exchange itself: time passes, orders fill; each change is journalled, then told."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from typing import Protocol

from integrations.bybit.simulator.account import Account, Request
from integrations.bybit.simulator.depth import Liquidity, Part, parts_of
from integrations.bybit.simulator.facts import Deposited, Event, Filled, Opened, Order
from integrations.bybit.simulator.journal import Entry, Journal, JournalError
from integrations.bybit.simulator.market import Market, Trade
from integrations.bybit.simulator.path import MarkedPath, Point, ShiftedPath
from integrations.bybit.simulator.tape import Tape
from integrations.bybit.simulator.wire import ApiError
from market.matching import met
from market.types import ONE, ZERO, Side

log = logging.getLogger(__name__)

HOUR = 3_600_000
DOLLARS = frozenset({"USDT", "USDC", "USD"})


class Listener(Protocol):
    """Who is told what happened, after it was journalled."""

    def on_account(self, events: Sequence[Event], coins: Sequence[str]) -> None: ...

    def on_trades(self, market: Market, trades: Sequence[Trade]) -> None: ...


class Venue:
    """All markets and the one account. `now` is the tape's clock, ms; it moves in small steps."""

    def __init__(
        self,
        tape: Tape,
        account: Account,
        journal: Journal,
        balances: Mapping[str, Decimal],
        liquidity: Liquidity | None = None,
    ) -> None:
        self.tape = tape
        self.account = account
        self.now = self.until = tape.start
        self.stepped = False
        self.liquidity = liquidity or Liquidity()
        self._journal = journal
        self._listeners: list[Listener] = []
        self._paths = {symbol: MarkedPath(path) for symbol, path in tape.paths.items()}
        self._last: dict[str, int] = {}  # ticks, as far as the journal tells
        self.start = tape.start  # of what plays now
        self.earlier: list[str] = []  # names of the tapes that played before
        playing, name, fresh = journal.tape, journal.name, True
        for entry in journal.entries():
            self._replay(entry)
            fresh = False
            if entry.tape:
                self.earlier.append(name)
                playing, name = entry.tape, entry.name
        if playing != tape.print:
            self.earlier.append(name)
            self._change_tape()
        # Bybit forgets the closed orders of order/realtime when it restarts; history keeps them.
        account.recently_closed.clear()
        if fresh:
            deposits = [Deposited(coin, amount) for coin, amount in balances.items()]
            account.apply(deposits)
            journal.write(Entry(self.now, self.now, deposits))
        self.markets = {
            symbol: Market(account.pairs[symbol], path, self.now, self.liquidity.level_value)
            for symbol, path in self._paths.items()
        }
        for symbol in self._last.keys() & self.markets.keys() if tape.live else ():
            # What happened while nobody looked is passed on the way to the price of now.
            self.markets[symbol].last = self._last[symbol]

    def _replay(self, entry: Entry) -> None:
        self.account.apply(entry.events)
        for event in entry.events:
            if isinstance(event, Opened):
                self._last[event.symbol] = self.account.pairs[event.symbol].ticks(event.last_price)
        for symbol, price in (entry.prices | entry.step).items():
            self._last[symbol] = self.account.pairs[symbol].ticks(Decimal(price))
        for symbol in entry.step:
            self.stepped = True
            if symbol in self._paths:
                self._paths[symbol].mark(self.now, entry.now, self._last[symbol])
        if entry.tape:
            self._play_from(entry.now)
        self.now, self.until = entry.now, entry.until

    def _change_tape(self) -> None:
        """Go on with another tape than the state file's, where that one stopped.

        Time goes on, and so does price: as when a tape starts over. Raises JournalError.
        """
        stranded = [
            symbol
            for symbol, book in self.account.open.items()
            if book and symbol not in self.tape.paths
        ]
        if stranded:
            self._journal.close()
            raise JournalError(
                f"the state has open orders in {', '.join(stranded)}, of which the tape"
                f" {self.tape.name} knows nothing; give a tape with these pairs, or another state"
            )
        if self.tape.live and self.until > self.tape.start:
            self._journal.close()
            raise JournalError(
                f"the state's market time is {self.until - self.tape.start} ms ahead of"
                f" {self.tape.name}'s and cannot be turned back; give another state"
            )
        self.now = self.until
        self._play_from(self.now)
        told = {symbol: self.account.pairs[symbol].text(at) for symbol, at in self._last.items()}
        self._journal.write(
            Entry(self.now, self.now, prices=told, tape=self.tape.print, name=self.tape.name)
        )
        log.warning("from here on the tape %s plays, not %s", self.tape.name, self.earlier[-1])

    def _play_from(self, now: int) -> None:
        """The tape from its start, moved to `now` by whole hours and to the last known prices.

        Live prices stay what they are: there price jumps.
        """
        self.start, self.stepped = now, False
        if self.tape.live:
            self._paths = {symbol: MarkedPath(path) for symbol, path in self.tape.paths.items()}
            return
        shift = (now - self.tape.start) // HOUR * HOUR
        self._paths = {
            symbol: MarkedPath(
                ShiftedPath(path, shift, (now, self._last[symbol]))
                if symbol in self._last
                else ShiftedPath(path, shift, (now, path.at(now - shift)))
            )
            for symbol, path in self.tape.paths.items()
        }

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    # What clients ask for

    def market(self, symbol: str) -> Market:
        """Raises ApiError for a pair that is not on the tape."""
        if symbol not in self.markets:
            raise ApiError(170121, "Invalid symbol.")
        return self.markets[symbol]

    def place(self, ask: Request) -> Order:
        """Accept an order and do what it does at once. Raises ApiError."""
        events = self.account.place(ask, self.market(ask.symbol).quotes(), self.now)
        opened = events[0]
        self._commit(Entry(self.now, self.until, events))
        if not isinstance(opened, Opened):
            raise TypeError(f"a new order begins with {opened}")
        return self.account.orders[opened.order_id]

    def amend(self, order: Order, price: Decimal, qty: Decimal) -> None:
        """Change an open order and do what that does at once. Raises ApiError."""
        quotes = self.market(order.symbol).quotes()
        events = self.account.amend(order, price, qty, quotes, self.now)
        self._commit(Entry(self.now, self.until, events))

    def cancel(self, order: Order) -> None:
        """Take an order off the book. Raises ApiError when it is not there."""
        self.cancel_all([order])

    def cancel_all(self, orders: Sequence[Order]) -> None:
        """Take several orders off the book in one go. Raises ApiError when one is not there."""
        events = [event for order in orders for event in self.account.cancel(order, self.now)]
        self._commit(Entry(self.now, self.until, events))

    def happen(self, events: Sequence[Event]) -> None:
        """Let something happen on the account that no client asked for."""
        self._commit(Entry(self.now, self.until, events))

    def dollars(self, coin: str) -> Decimal:
        """The coin's price in quote, zero when nothing on the tape prices it."""
        if coin in DOLLARS:
            return ONE
        for market in self.markets.values():
            if market.pair.instrument.base == coin:
                return market.price
        return ZERO

    # Time

    def advance(self, to: int, reserve: int = 0) -> None:
        """Let time pass up to `to`: prices move along their paths and resting orders fill.

        `reserve` (ms) is time granted ahead: a restart goes on from there, so that a crash
        between two lines of the journal can never turn the clock back.
        """
        ways = {symbol: market.ahead(to) for symbol, market in self.markets.items()}
        events = self._fills(ways)
        if events or (reserve and to + reserve // 2 > self.until):
            self.until = max(self.until, to + reserve)
            self._commit(Entry(to, self.until, events, prices=self._ends(ways)), ways)
        else:
            self._move(ways)
        self.now = to

    def step(self, prices: Mapping[str, Decimal], seconds: int) -> None:
        """Move prices by hand, each straight to its goal, while `seconds` pass."""
        to = self.now + seconds * 1000
        for symbol, market in self.markets.items():
            goal = market.pair.ticks(prices[symbol]) if symbol in prices else market.last
            self._paths[symbol].mark(self.now, to, goal)
        ways = {symbol: market.ahead(to) for symbol, market in self.markets.items()}
        self.stepped = True
        self._commit(Entry(to, to, self._fills(ways), self._ends(ways)), ways)
        self.now = self.until = to

    def keep(self) -> None:
        """Have on the disk what happened so far; nothing is told to anybody before."""
        self._journal.force()

    def rest(self) -> None:
        """Note the exact time at a clean stop."""
        prices = {symbol: market.pair.text(market.last) for symbol, market in self.markets.items()}
        self._journal.write(Entry(self.now, self.now, prices=prices))
        self._journal.force()
        self._journal.close()

    def _ends(self, ways: Mapping[str, Sequence[Point]]) -> dict[str, str]:
        """The prices to which the ways lead, for the journal."""
        return {symbol: self.markets[symbol].pair.text(way[-1][1]) for symbol, way in ways.items()}

    def _fills(self, ways: Mapping[str, Sequence[Point]]) -> list[Event]:
        """The executions on the way, in the order of time over all markets."""
        hits: list[tuple[int, Part]] = []
        for symbol, points in ways.items():
            hits += self._hits(self.markets[symbol], points)
        hits.sort(key=lambda hit: hit[0])
        events: list[Event] = []
        pending: dict[str, Order] = {}  # as each order will be after what is decided already
        for ahead, (time, part) in enumerate(hits):
            order = pending.get(part.order.order_id, part.order)
            events.append(self.account.fill_resting(order, time, ahead, part.quantity))
            pending[order.order_id] = replace(order, cum_qty=order.cum_qty + part.quantity)
        return events

    def _hits(self, market: Market, points: Sequence[Point]) -> list[tuple[int, Part]]:
        pair, price = market.pair, market.pair.price
        low, high = (price(pick(ticks for _, ticks in points)) for pick in (min, max))
        near = [
            part
            for order in self.account.open[pair.symbol].values()
            if (order.price > low if order.side is Side.BUY else order.price < high)
            for part in parts_of(order, pair, self.liquidity.parts)
        ]
        hits: list[tuple[int, Part]] = []
        for (t0, p0), (t1, p1) in pairwise(points) if near else ():
            for part in met(near, price(p0), price(p1)) if p0 != p1 else ():
                way = max(0, min(abs(pair.ticks(part.price) - p0), abs(p1 - p0)))
                hits.append((t0 + (t1 - t0) * way // abs(p1 - p0), part))
                near.remove(part)
        return hits

    def _move(self, ways: Mapping[str, Sequence[Point]]) -> None:
        for symbol, points in ways.items():
            market = self.markets[symbol]
            trades = market.move(points)
            for listener in self._listeners if trades else ():
                listener.on_trades(market, trades)

    def _commit(self, entry: Entry, ways: Mapping[str, Sequence[Point]] | None = None) -> None:
        """Journal, change the state, tell: in this order."""
        self._journal.write(entry)
        coins = self.account.apply(entry.events)
        for event in entry.events:
            if isinstance(event, Filled) and not event.is_maker:
                order = self.account.orders[event.order_id]
                self.markets[order.symbol].eat(event.price, event.qty)
        if ways is not None:
            self._move(ways)
        for listener in self._listeners if entry.events else ():
            listener.on_account(entry.events, coins)
