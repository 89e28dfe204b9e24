"""One pair's market as the world sees it: last price, book, trades, 24-hour figures, klines."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise

from integrations.bybit.simulator.bars import DAY, Bar, Bars
from integrations.bybit.simulator.depth import Depth
from integrations.bybit.simulator.pairs import Pair
from integrations.bybit.simulator.path import Path, Point
from integrations.bybit.simulator.taking import Level, Quotes
from integrations.bybit.simulator.wire import Json
from market.types import ONE, ZERO, Side, plain, step_round

TRADES_KEPT = 60  # Bybit spot answers at most so many recent trades
SHARE = Decimal("0.000001")
CENT = Decimal("0.00000001")
LEVELS = 1000  # prices on each side, as many as Bybit shows
FIRST_TRADE_ID = 2_200_000_000_000_000_000


@dataclass(frozen=True, slots=True)
class Trade:
    """A public trade: price moved to `ticks` at `time`."""

    number: int
    ticks: int
    size: Decimal
    rose: bool
    time: int


class Extremes:
    """Highest and lowest price of the last 24 hours, kept as price moves (not searched again)."""

    def __init__(self) -> None:
        self._highs: deque[Point] = deque()
        self._lows: deque[Point] = deque()

    def add(self, point: Point) -> None:
        while self._highs and self._highs[-1][1] <= point[1]:
            self._highs.pop()
        while self._lows and self._lows[-1][1] >= point[1]:
            self._lows.pop()
        self._highs.append(point)
        self._lows.append(point)
        for kept in (self._highs, self._lows):
            while kept[0][0] < point[0] - DAY:
                kept.popleft()

    @property
    def high(self) -> int:
        return self._highs[0][1]

    @property
    def low(self) -> int:
        return self._lows[0][1]


class Market:
    """The market of one pair at the moment `now` (tape's clock, ms)."""

    def __init__(self, pair: Pair, path: Path, now: int, level_value: Decimal = ZERO) -> None:
        self.pair = pair
        self.path = path
        self.bars = Bars(path)
        self.depth = Depth(pair, level_value)
        self.trades: deque[Trade] = deque(maxlen=TRADES_KEPT)
        self.traded_count = 0
        self.updates = 1
        self._extremes = Extremes()
        self.now = now
        self.last = path.at(now)
        for point in path.corners(now - DAY, now):
            self._extremes.add(point)
        self._extremes.add((now, self.last))

    def ahead(self, to: int) -> list[Point]:
        """The points price passes from here to `to`, both ends included."""
        return [(self.now, self.last), *self.path.corners(self.now, to), (to, self.path.at(to))]

    def move(self, points: Sequence[Point]) -> list[Trade]:
        """Take the points of `ahead` as passed; the public trades on the way are returned."""
        trades = list(self._trades(points))
        self.trades.extend(trades)
        for point in points[1:]:
            self._extremes.add(point)
        self.now, self.last = points[-1]
        self.updates += bool(trades) or self.depth.is_growing
        self.depth.grow(self.now)
        return trades

    def _trades(self, points: Sequence[Point]) -> Iterator[Trade]:
        lot = self.pair.instrument.lot
        for (since, before), (time, ticks) in pairwise(points):
            if ticks != before:
                self.traded_count += 1
                size = max(lot, self.pair.instrument.quantity(self.path.traded(since, time)[0]))
                yield Trade(self.traded_count, ticks, size, ticks > before, time)

    @property
    def price(self) -> Decimal:
        return self.pair.price(self.last)

    def quotes(self) -> Quotes:
        """One tick to each side of the last trade, and deep enough for any allowed order.

        Unless the book was given a depth: then there are so many levels, each of that value.
        """
        bid, ask = max(1, self.last - 1), self.last + 1
        return Quotes(
            bid=self.pair.price(bid),
            ask=self.pair.price(ask),
            depth=self.depth.size(ask, self.now),
            last=self.price,
            ladder=None if self.depth.is_endless else self._ladder,
        )

    def eat(self, price: Decimal, quantity: Decimal) -> None:
        """Somebody of ours took this from the book."""
        self.depth.eat(self.pair.ticks(price), quantity, self.now)
        self.updates += self.depth.is_growing

    def _ladder(self, taker: Side) -> Iterator[Level]:
        for ticks in self._offers(LEVELS, above=taker is Side.BUY):
            yield Level(self.pair.price(ticks), self.depth.size(ticks, self.now))

    def _offers(self, levels: int, *, above: bool) -> range:
        """The prices of one side of the book in ticks, best first."""
        if above:
            return range(self.last + 1, self.last + 1 + levels)
        return range(self.last - 1, max(0, self.last - 1 - levels), -1)

    def band(self) -> tuple[Decimal, Decimal]:
        """The lowest price of a sell and the highest of a buy (Bybit v5, market/price-limit)."""
        tick, band = self.pair.instrument, self.pair.band
        lowest = max(tick.price_up(self.price * (ONE - band)), self.pair.price(1))
        return lowest, tick.price_down(self.price * (ONE + band))

    def limits(self) -> Json:
        """The band as endpoint and stream tell it."""
        lowest, highest = self.band()
        symbol = self.pair.symbol
        return {"symbol": symbol, "buyLmt": plain(highest), "sellLmt": plain(lowest)}

    def book(self, levels: int) -> Json:
        """`levels` prices on each side, best first (Bybit v5, market/orderbook)."""
        return {
            "s": self.pair.symbol,
            "b": self._side(levels, above=False),
            "a": self._side(levels, above=True),
            "u": self.updates,
            "seq": self.updates,
        }

    def _side(self, levels: int, *, above: bool) -> list[list[str]]:
        offers = self._offers(levels, above=above)
        sizes = ((ticks, self.depth.size(ticks, self.now)) for ticks in offers)
        return [[self.pair.text(ticks), plain(size)] for ticks, size in sizes if size]

    def day(self) -> Json:
        """The figures that both the ticker answer and the ticker stream carry."""
        before = self.path.at(self.now - DAY)
        volume, turnover = self.path.traded(self.now - DAY, self.now)
        change = Decimal(self.last) / before - ONE
        return {
            "symbol": self.pair.symbol,
            "lastPrice": self.pair.text(self.last),
            "highPrice24h": self.pair.text(self._extremes.high),
            "lowPrice24h": self.pair.text(self._extremes.low),
            "prevPrice24h": self.pair.text(before),
            "volume24h": self._volume(volume),
            "turnover24h": self._turnover(turnover),
            "price24hPcnt": plain(step_round(change, SHARE, ROUND_HALF_EVEN)),
            "usdIndexPrice": self.pair.text(self.last),
        }

    def kline(self, bar: Bar) -> list[str]:
        """A row of market/kline: start, open, high, low, close, volume, turnover."""
        prices = (self.pair.text(ticks) for ticks in (bar.open, bar.high, bar.low, bar.close))
        return [str(bar.start), *prices, self._volume(bar.volume), self._turnover(bar.turnover)]

    def _volume(self, volume: Decimal) -> str:
        return plain(self.pair.instrument.quantity(max(ZERO, volume)))

    def _turnover(self, turnover: Decimal) -> str:
        return plain(step_round(max(ZERO, turnover), CENT, ROUND_HALF_EVEN))
