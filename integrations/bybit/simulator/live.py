"""Live prices: the public streams and candles of Bybit, or of another simulator, as a tape."""

import logging
import queue
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby

from integrations.bybit import quotes
from integrations.bybit.fields import MalformedMessage, records, text
from integrations.bybit.gateway import Gateway
from integrations.bybit.session import Session
from integrations.bybit.simulator.pairs import Pair, load_pairs, pair_of
from integrations.bybit.simulator.path import Point
from integrations.bybit.simulator.tape import Tape, TapeError
from integrations.bybit.streams import Connected, Disconnected, Event, Message, public_feed
from market.exchange import ExchangeError
from market.matching import path as corners_of
from market.types import ZERO, Candle

log = logging.getLogger(__name__)

NAME = "bybit"
MINUTE = 60_000
HISTORY = 3 * 24 * 60 * MINUTE  # candles fetched at the start; a restart catches up along them
MOST_POINTS = 200_000  # of a path; older ones are thinned to four a minute
HEARD_AT_ONCE = 10_000  # messages in the queue


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where live prices come from."""

    rest_url: str = "https://api.bybit.com"
    ws_url: str = "wss://stream.bybit.com"


class LivePath:
    """A price that is known up to now. Between two trades it stays where it was."""

    def __init__(self, pair: Pair, candles: list[Candle]) -> None:
        self._pair = pair
        self._times: list[int] = []
        self._ticks: list[int] = []
        self._traded: list[tuple[Decimal, Decimal]] = []  # volume and turnover up to each point
        for candle in candles:
            for number, price in enumerate(corners_of(candle)):
                share = (candle.volume / 4, candle.turnover / 4)
                self.add(candle.time + number * (MINUTE // 4), pair.ticks(price), share)

    @property
    def last(self) -> int:
        return self._ticks[-1]

    @property
    def known_until(self) -> int:
        return self._times[-1]

    def add(self, time: int, ticks: int, traded: tuple[Decimal, Decimal] = (ZERO, ZERO)) -> None:
        """Price is `ticks` from `time` on; every point has a moment of its own."""
        before = self._traded[-1] if self._traded else (ZERO, ZERO)
        total = (before[0] + traded[0], before[1] + traded[1])
        if self._ticks and ticks == self._ticks[-1]:
            self._traded[-1] = total
            return
        self._times.append(max(time, self._times[-1] + 1) if self._times else time)
        self._ticks.append(ticks)
        self._traded.append(total)
        if len(self._times) > MOST_POINTS:
            self._thin(len(self._times) // 2)

    def _thin(self, until: int) -> None:
        """Of the older points keep the first, lowest, highest and last of each minute."""
        kept: set[int] = set(range(until, len(self._times)))
        for _, group in groupby(range(until), key=lambda i: self._times[i] // MINUTE):
            minute = list(group)
            by_price = sorted(minute, key=self._ticks.__getitem__)
            kept |= {minute[0], minute[-1], by_price[0], by_price[-1]}
        order = sorted(kept)
        self._times = [self._times[i] for i in order]
        self._ticks = [self._ticks[i] for i in order]
        self._traded = [self._traded[i] for i in order]

    def at(self, time: int) -> int:
        return self._ticks[max(0, bisect_right(self._times, time) - 1)]

    def corners(self, start: int, end: int) -> Iterator[Point]:
        lo, hi = bisect_right(self._times, start), bisect_left(self._times, end)
        yield from zip(self._times[lo:hi], self._ticks[lo:hi], strict=True)

    def traded(self, start: int, end: int) -> tuple[Decimal, Decimal]:
        before, after = self._traded_until(start), self._traded_until(end)
        return after[0] - before[0], after[1] - before[1]

    def _traded_until(self, time: int) -> tuple[Decimal, Decimal]:
        i = bisect_left(self._times, time) - 1
        return self._traded[i] if i >= 0 else (ZERO, ZERO)

    def loops(self, _time: int) -> int:
        return 0


class Live:
    """The paths of all pairs, growing by what the upstream's public stream says."""

    def __init__(self, upstream: Upstream) -> None:
        """Read filters and recent candles. Raises TapeError."""
        try:
            self.pairs = _listed(upstream)
            gateway = Gateway(upstream.rest_url, "", "")
            self.now = max(gateway.market_time_ms(symbol) for symbol in self.pairs)
            self._paths = {
                symbol: _recent(gateway, pair, self.now) for symbol, pair in self.pairs.items()
            }
        except (ExchangeError, ValueError) as error:
            raise TapeError(
                f"tape bybit: live prices of {upstream.rest_url} cannot be had ({error})"
            ) from error
        self.now = max(self.now, *(path.known_until for path in self._paths.values()))
        self.tape = Tape(NAME, NAME, self.now, self._paths, live=True)
        self.connected = False
        self._heard: queue.Queue[Event] = queue.Queue(HEARD_AT_ONCE)
        self._feed = public_feed(upstream.ws_url, list(self.pairs), self._heard)

    def start(self) -> None:
        self._feed.start()

    def stop(self) -> None:
        """The thread is a daemon: a stalled peer does not hold up our own end."""
        self._feed.stop(timeout=1.0)

    def hear(self) -> None:
        """Take in all that was heard since the last call; `now` moves with it."""
        while True:
            try:
                event = self._heard.get_nowait()
            except queue.Empty:
                return
            match event:
                case Connected():
                    self.connected = True
                case Disconnected():
                    if self.connected:
                        log.warning("live prices stand still: %s", event.why)
                    self.connected = False
                case Message():
                    self._read(event.frame)

    def _read(self, frame: Mapping[str, object]) -> None:
        try:
            kind, _, symbol = text(frame, "topic").rpartition(".")
            if symbol not in self._paths:
                return
            if kind == "publicTrade":
                for trade in quotes.trades(frame):
                    value = trade.quantity * trade.price
                    self._move(symbol, trade.time, trade.price, (trade.quantity, value))
            elif kind == "orderbook.1":
                self._bound(quotes.best(frame))
        except MalformedMessage as error:
            log.warning("a live message was passed over: %s", error)

    def _bound(self, best: quotes.Best) -> None:
        """Price never lies outside the best bid and ask: whoever rested there was met."""
        last = self.pairs[best.symbol].price(self._paths[best.symbol].last)
        if best.bid is not None and last < best.bid:
            last = best.bid
        if best.ask is not None and last > best.ask:
            last = best.ask
        self._move(best.symbol, best.time, last)

    def _move(
        self,
        symbol: str,
        time: int,
        price: Decimal,
        traded: tuple[Decimal, Decimal] = (ZERO, ZERO),
    ) -> None:
        path = self._paths[symbol]
        # What comes late belongs to now: the past has been told already.
        path.add(max(time, self.now), max(1, self.pairs[symbol].ticks(price)), traded)
        self.now = max(self.now, time, path.known_until)


def _listed(upstream: Upstream) -> dict[str, Pair]:
    """The pairs we know of that the upstream trades, with its filters."""
    session, found = Session(upstream.rest_url, "", ""), {}
    for symbol in load_pairs():
        answer = session.get("get_instruments_info", category="spot", symbol=symbol)
        for row in records(answer.result, "list"):
            if row.get("symbol") == symbol and row.get("status") == "Trading":
                found[symbol] = pair_of(row)
    if not found:
        raise ValueError("none of our pairs is traded there")
    return found


def _recent(gateway: Gateway, pair: Pair, now: int) -> LivePath:
    bars = gateway.candles(pair.symbol, "1", now - HISTORY, now)
    path = LivePath(pair, [bar for bar in bars if bar.closed])
    tick = gateway.tick(pair.symbol)
    path.add(tick.time, pair.ticks(tick.last))
    return path
