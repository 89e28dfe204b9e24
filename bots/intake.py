"""The stream's consumer: frames read into facts and prices, kept, and passed on as nudges."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from django.db import DatabaseError, InterfaceError, connection

from bots import live
from bots.books import facts
from bots.models import Bot, GridConfig
from bots.safety.stoploss import StopLosses
from bots.terms import references_of
from integrations.bybit import quotes, wire
from integrations.bybit.fields import MalformedMessage, Row, records
from integrations.bybit.streams import Connected, Disconnected, Event, Message
from market import ingest
from market.forming import Forming
from market.merge import count_refusals
from market.sieve import Refusals, Window
from market.types import Tick
from risk import pulse

log = logging.getLogger(__name__)

PRICE_PACE_S = 0.25  # prices are written and shown four times a second
OPEN_BAR_PACE_S = 1.0  # a bar that is still open is written once a second, a closed one at once
PULSE_PACE_S = 1.0
PAIRS_PACE_S = 2.0
GATHER = 500  # events read in one go
WAIT_S = 0.05


class Intake:
    """Takes events from the feeds' queue. Nothing it meets may stop it: facts are caught up later.

    `nudge` asks for a tick of one bot, `catch_up` for a sweep by REST, `follow` for the prices of
    these pairs and no others; none may block long.
    """

    def __init__(
        self,
        nudge: Callable[[int], object],
        catch_up: Callable[[], object],
        follow: Callable[[Sequence[str]], object] = lambda _: None,
    ) -> None:
        self._nudge = nudge
        self._catch_up = catch_up
        self._follow = follow
        self._quotes = quotes.Quotes()
        self._ticks: dict[str, Tick] = {}
        self._clock: int | None = None  # the exchange's, as of the newest tick
        self._bars = Forming()
        self._refused = Refusals()
        self._slugs: Mapping[str, Sequence[str]] = {}
        self._stops = StopLosses()
        self._heard: set[str] = set()  # pairs that said something since the last sign of life
        self._priced = self._barred = self._pulsed = self._asked = 0.0
        self._missed = False  # a fact could not be kept: the database was away
        self._feeds: set[str] = set()  # those that are connected

    def run(self, events: "queue.Queue[Event]", stopping: threading.Event) -> None:
        """Read until told to stop."""
        while not stopping.is_set():
            gathered = _gather(events)
            try:
                self._take(gathered)
            except (DatabaseError, InterfaceError) as error:
                log.warning("the database did not take what came in: %s", error)
                connection.close()
                self._missed = True
                stopping.wait(0.5)

    def _take(self, events: Iterable[Event]) -> None:
        if self._missed:
            self._catch_up()
            self._missed = False
        self._look_for_pairs()
        for event in events:
            match event:
                case Message(frame=frame):
                    self._read(frame)
                case Connected(feed=feed):
                    log.info("%s stream is live", feed)
                    self._feeds.add(feed)
                    self._catch_up()
                case Disconnected(feed=feed, why=why):
                    log.warning("%s stream is down: %s", feed, why)
                    self._feeds.discard(feed)
        self._write_prices()
        self._write_bars()
        self._write_pulses()

    def _look_for_pairs(self) -> None:
        """A bot may have come on a pair that nobody followed so far."""
        now = time.monotonic()
        if now - self._asked < PAIRS_PACE_S:
            return
        known, self._slugs = self._slugs.keys(), bots_by_pair()
        if self._slugs.keys() != known:
            self._follow(sorted(self._slugs))
        self._asked = now

    def _read(self, frame: Row) -> None:
        """Take one frame in. What is not understood is left out and caught up by REST."""
        kind = str(frame.get("topic", "")).partition(".")[0]
        try:
            if kind == "execution":
                self._keep_fills(frame)
            elif kind == "order":
                self._keep_orders(frame)
            elif kind == "kline":
                self._bars.heard(wire.candles(frame))
            else:
                self._see(frame, kind)
        except MalformedMessage as error:
            log.warning("a %s message is left out: %s", kind, error)
            self._missed = self._missed or kind in {"execution", "order"}
            if kind == "kline":
                self._refused[str(frame["topic"]).rpartition(".")[2], "not readable"] += 1

    def _see(self, frame: Row, kind: str) -> None:
        if kind == "publicTrade":
            for trade in quotes.trades(frame):
                self._bars.traded(trade.symbol, trade.price, trade.quantity, trade.time)
        for tick in self._quotes.ticks(frame):
            self._heard.add(tick.symbol)
            if self._stops.believes(tick):
                self._ticks[tick.symbol] = tick
                self._clock = max(self._clock or 0, tick.time)
                for bot_id in self._stops.see(tick):
                    self._nudge(bot_id)

    def _keep_fills(self, frame: Row) -> None:
        is_news = False
        for row in records(frame, "data"):
            if wire.is_spot_trade(row):
                bot_id = facts.record_fill(wire.fill(row))
                if bot_id is not None:
                    self._nudge(bot_id)
                    is_news = True
        if is_news:  # pages come after grids
            live.hint(None, "fill")

    def _keep_orders(self, frame: Row) -> None:
        for row in records(frame, "data"):
            seen = wire.order(row)
            bot_id = facts.record_order(seen)
            # A resting order is no news to its grid; one that is over makes room.
            if bot_id is not None and seen.status.is_closed:
                self._nudge(bot_id)

    def _write_prices(self) -> None:
        now = time.monotonic()
        if not self._ticks or now - self._priced < PRICE_PACE_S:
            return
        ingest.record_prices(self._ticks.values())
        for tick in self._ticks.values():
            for slug in self._slugs.get(tick.symbol, ()):
                live.price(slug, tick)
        self._ticks.clear()
        self._priced = now

    def _write_pulses(self) -> None:
        now = time.monotonic()
        alive = {f"{pulse.STREAM}:{symbol}" for symbol in self._heard}
        alive |= {f"{pulse.FEED}:{feed}" for feed in self._feeds}
        if alive and now - self._pulsed >= PULSE_PACE_S:
            pulse.beat(*alive)
            self._heard.clear()
            self._pulsed = now

    def _write_bars(self) -> None:
        now = time.monotonic()
        every = now - self._barred >= OPEN_BAR_PACE_S
        due = self._bars.due(open_too=every)
        if due:
            # Until the first tick the newest price that is kept tells the time.
            ingest.record_candles(due, Window.streamed(self._clock) if self._clock else None)
            self._bars.written(due)
        if every:
            self._barred = now
            count_refusals(self._refused)
            self._refused.clear()


def bots_by_pair() -> Mapping[str, Sequence[str]]:
    """The slugs of each pair's bots; none for a pair that bots only look at before they buy."""
    found: dict[str, list[str]] = {}
    for slug, symbol in Bot.objects.values_list("slug", "symbol"):
        found.setdefault(symbol, []).append(slug)
    for config in GridConfig.objects.filter(pk__in=Bot.objects.values("config")):
        for pair in references_of(config):
            found.setdefault(pair, [])
    return found


def _gather(events: "queue.Queue[Event]") -> list[Event]:
    """What has come in, waiting a moment for the first."""
    found: list[Event] = []
    try:
        found.append(events.get(timeout=WAIT_S))
        while len(found) < GATHER:
            found.append(events.get_nowait())
    except queue.Empty:
        pass
    return found
