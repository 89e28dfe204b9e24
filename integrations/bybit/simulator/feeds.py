"""What is pushed: the public topics of each pair, and the private topics of the account."""

import uuid
from collections.abc import Callable, Sequence
from typing import TypeVar

from integrations.bybit.simulator.account import Execution
from integrations.bybit.simulator.bars import INTERVALS, Bar, bar_end, bar_start
from integrations.bybit.simulator.deltas import ShownBook, is_deep
from integrations.bybit.simulator.facts import Deposited, Event, Filled
from integrations.bybit.simulator.market import FIRST_TRADE_ID, Market, Trade
from integrations.bybit.simulator.rows import (
    execution_frame,
    fast_execution_frame,
    order_frame,
    wallet_row,
)
from integrations.bybit.simulator.sockets import Hub
from integrations.bybit.simulator.venue import Venue
from integrations.bybit.simulator.wire import Json
from market.types import plain

T = TypeVar("T")
DEPTHS = frozenset({"1", "50", "200", "1000"})
CATEGORIES = ("spot", "linear", "inverse", "option")
SPLIT = ("order", "execution", "execution.fast", "position")  # private topics also by category
PRIVATE = frozenset(
    {"wallet", "greeks", "dcp.spot", "dcp.future", "dcp.option", *SPLIT}
    | {f"{topic}.{category}" for topic in SPLIT for category in CATEGORIES}
)
TRADES_IN_FRAME = 1024
KLINE_PAUSE = 1_000  # machine ms between two frames of an unfinished bar
BOOK_PAUSE = 3_000  # machine ms after which an unchanged best price is told again, as Bybit does


class Feeds:
    """Turns what the venue does into frames for the hub. Frames carry the tape's clock."""

    def __init__(self, venue: Venue, hub: Hub) -> None:
        self._venue = venue
        self._hub = hub
        self._pending: dict[str, list[Trade]] = {}
        self._quotes: dict[str, tuple[int, int]] = {}  # topic -> market's update, machine ms sent
        self._books: dict[str, ShownBook] = {}  # what the listeners of a deep book have been told
        self._bars: dict[str, tuple[int, int]] = {}  # kline topic -> bar start, machine ms sent
        hub.knows, hub.first = self._knows, self._first
        venue.listen(self)

    # Private

    def on_account(self, events: Sequence[Event], coins: Sequence[str]) -> None:
        """Tell executions, then the orders as they now are, then the wallet lines that moved."""
        done = [self._execution(event) for event in events if isinstance(event, Filled)]
        self._by_category("execution", done, execution_frame)
        self._by_category("execution.fast", done, fast_execution_frame)
        touched = {event.order_id: None for event in events if not isinstance(event, Deposited)}
        orders = self._venue.account.orders
        self._by_category("order", [orders[order_id] for order_id in touched], order_frame)
        if coins:
            wallet = self._venue.account.wallet
            self.private("wallet", [wallet_row(wallet, coins, self._venue.dollars)])

    def _execution(self, fill: Filled) -> Execution:
        return Execution(fill, self._venue.account.orders[fill.order_id])

    def _by_category(self, topic: str, things: Sequence[T], written: Callable[[T], Json]) -> None:
        """The same rows under the topic of all categories and under that of spot."""
        listened = [name for name in (topic, f"{topic}.spot") if self._hub.wanted(name)]
        rows = [written(thing) for thing in things] if listened else []
        for name in listened:
            self.private(name, rows)

    def private(self, topic: str, rows: list[Json]) -> None:
        """Publish rows of a private topic to whoever listens."""
        if rows and self._hub.wanted(topic):
            frame = {"topic": topic, "creationTime": self._venue.now, "data": rows}
            # The minimal executions have no id (Bybit v5, websocket/private/fast-execution).
            named = {} if topic.startswith("execution.fast") else {"id": uuid.uuid4().hex}
            self._hub.publish(topic, {**named, **frame})

    # Public

    def on_trades(self, market: Market, trades: Sequence[Trade]) -> None:
        if self._hub.wanted(f"publicTrade.{market.pair.symbol}"):
            self._pending.setdefault(market.pair.symbol, []).extend(trades)

    def flush(self, machine_now: int) -> None:
        """Push all that has changed since the last call; called several times a second."""
        for symbol, trades in self._pending.items():
            for first in range(0, len(trades), TRADES_IN_FRAME):
                self._push_trades(symbol, trades[first : first + TRADES_IN_FRAME])
        self._pending.clear()
        wanted = set(self._hub.topics)
        for kept in (self._quotes, self._books, self._bars):
            for topic in kept.keys() - wanted:
                del kept[topic]
        for topic in wanted:
            kind, _, symbol = topic.rpartition(".")
            market = self._venue.markets.get(symbol)
            if market is None:
                continue
            if kind.startswith("kline."):
                self._push_klines(topic, kind.removeprefix("kline."), market, machine_now)
            elif kind != "publicTrade":
                self._push_quote(topic, market, machine_now)

    def _push_quote(self, topic: str, market: Market, machine_now: int) -> None:
        """A ticker, a band or a book when it has changed; the best prices also after a silence."""
        shown, sent = self._quotes.get(topic, (0, 0))
        repeat = topic.startswith("orderbook.1.") and machine_now >= sent + BOOK_PAUSE
        if shown != market.updates or repeat:
            self._quotes[topic] = (market.updates, machine_now)
            if is_deep(topic):
                self._push_changes(topic, market)
            else:
                self._hub.publish(topic, self._quote_frame(topic, market))

    def _push_changes(self, topic: str, market: Market) -> None:
        """What is new in a deep book since the last frame, if anything."""
        book = market.book(int(topic.split(".")[1]))
        changes = self._books.setdefault(topic, ShownBook()).changes(book)
        if changes:
            frame = {"topic": topic, "ts": market.now, "type": "delta", "data": changes}
            self._hub.publish(topic, {**frame, "cts": market.now})

    def _push_trades(self, symbol: str, trades: Sequence[Trade]) -> None:
        pair = self._venue.markets[symbol].pair
        rows = [
            {
                "T": trade.time,
                "s": symbol,
                "S": "Buy" if trade.rose else "Sell",
                "v": plain(trade.size),
                "p": pair.text(trade.ticks),
                "i": str(FIRST_TRADE_ID + trade.number),
                "BT": False,
                "RPI": False,
                "seq": trade.number,
            }
            for trade in trades
        ]
        topic = f"publicTrade.{symbol}"
        frame = {"topic": topic, "ts": trades[-1].time, "type": "snapshot", "data": rows}
        self._hub.publish(topic, frame)

    def _push_klines(self, topic: str, interval: str, market: Market, machine_now: int) -> None:
        """Every bar that closed since the last frame, confirmed, then the one that is open."""
        current = bar_start(interval, market.now)
        start, sent = self._bars.get(topic, (current, 0))
        if start == current and machine_now < sent + KLINE_PAUSE:
            return
        while start < current:
            self._hub.publish(topic, self._kline_frame(topic, interval, market, start))
            start = bar_end(interval, start)
        self._bars[topic] = (current, machine_now)
        self._hub.publish(topic, self._kline_frame(topic, interval, market, current))

    def _kline_frame(self, topic: str, interval: str, market: Market, start: int) -> Json:
        bar: Bar = market.bars.bar(start, bar_end(interval, start), market.now)
        _, opened, high, low, close, volume, turnover = market.kline(bar)
        row = {
            "start": bar.start,
            "end": bar.end - 1,
            "interval": interval,
            "open": opened,
            "close": close,
            "high": high,
            "low": low,
            "volume": volume,
            "turnover": turnover,
            "confirm": bar.end <= market.now,
            "timestamp": market.now,
        }
        return {"topic": topic, "data": [row], "ts": market.now, "type": "snapshot"}

    @staticmethod
    def _quote_frame(topic: str, market: Market) -> Json:
        """A ticker (spot: a snapshot without bid and ask), a band or a book, always whole."""
        now = market.now
        if topic.startswith("priceLimit."):
            return {"topic": topic, "data": market.limits(), "ts": now}
        if topic.startswith("tickers."):
            frame = {"topic": topic, "ts": now, "type": "snapshot", "cs": market.updates}
            return {**frame, "data": market.day()}
        data = market.book(int(topic.split(".")[1]))
        return {"topic": topic, "ts": now, "type": "snapshot", "data": data, "cts": now}

    # Topics

    def _knows(self, channel: str, topic: str) -> bool:
        if channel == "private":
            return topic in PRIVATE
        kind, _, symbol = topic.rpartition(".")
        if channel != "spot" or symbol not in self._venue.markets:
            return False
        name, _, detail = kind.partition(".")
        return (
            kind in ("tickers", "publicTrade", "priceLimit")
            or (name == "orderbook" and detail in DEPTHS)
            or (name == "kline" and detail in INTERVALS)
        )

    def _first(self, topic: str) -> Json | None:
        """The snapshot that a new listener gets right after its ack."""
        kind, _, symbol = topic.rpartition(".")
        market = self._venue.markets.get(symbol)
        if market is None or kind == "publicTrade":
            return None
        if kind.startswith("kline."):
            interval = kind.removeprefix("kline.")
            start = bar_start(interval, market.now)
            self._bars.setdefault(topic, (start, 0))
            return self._kline_frame(topic, interval, market, start)
        if is_deep(topic) and not self._hub.wanted(topic):
            self._books[topic] = ShownBook()
        elif is_deep(topic):
            self._push_changes(topic, market)  # so that deltas to come fit this snapshot too
        frame = self._quote_frame(topic, market)
        if is_deep(topic):
            self._books[topic].changes(frame["data"])
        return frame
