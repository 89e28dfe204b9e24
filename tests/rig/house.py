"""The house on the stage: bots that tick, a stream that is heard, a sweep now and then."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import requests
from django.db.models import Q

from bots import control, runner
from bots.books import reconcile
from bots.grid.levels import GridSpec
from bots.intake import Intake
from bots.models import Bot, Cell, Order
from bots.safety.agreement import Books
from integrations.bybit.gateway import Gateway
from integrations.bybit.limits import limits_of
from integrations.bybit.simulator import sockets
from integrations.bybit.simulator.server import Options
from integrations.bybit.streams import PRIVATE_TOPICS, Connected, Disconnected, Event, Message
from market.exchange import ExchangeError
from market.types import CLOSED, OrderStatus
from risk.models import Guard
from tests.rig.clock import Clock, moved_clock
from tests.rig.ear import Ear, Gone
from tests.simulator.fixture import KEYS, RunningSimulator

TIMEOUT = (1.0, 0.4)  # s; real ones, as sockets are
SWEEP_EVERY = BOOKS_EVERY = 30.0  # s
PRICES = ("orderbook.1", "publicTrade", "tickers")  # candles are not this stage's business
WALLET = {"USDT": Decimal(50_000), "MNT": Decimal(1_000)}
PATIENCE = 20

D = Decimal


#: By which ways fills may be learned; a test leaves all but one out.
WAYS = frozenset({"stream", "sweep", "lookup"})


@dataclass(slots=True)
class House:
    """Everything but Celery and Redis: who calls whom, and when, is decided here."""

    simulator: RunningSimulator
    gateway: Gateway
    clock: Clock
    ways: frozenset[str] = WAYS
    errors: list[ExchangeError] = field(default_factory=list)
    web: requests.Session = field(default_factory=requests.Session)
    bots: list[Bot] = field(default_factory=list)
    _news: set[int] = field(default_factory=set)
    _catch_up: bool = False
    _swept: float = 0.0
    _watched: float = 0.0
    _books: Books = field(init=False)
    _intake: Intake = field(init=False)
    _ears: dict[str, Ear] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._books = Books(self.gateway)
        self._intake = Intake(self._news.add, self._ask_for_sweep)
        self._ears["private"] = Ear(
            f"{self.simulator.ws_url}/v5/private", list(PRIVATE_TOPICS), KEYS
        )

    def _ask_for_sweep(self) -> None:
        self._catch_up = True

    # What a person does

    def deploy(self, symbol: str, low: str, high: str, **given: Any) -> Bot:
        """A running bot, not ticked yet."""
        grids, capital = given.pop("grids", 12), D(given.pop("capital", 6_000))
        spec = GridSpec(D(low), D(high), grids, capital, **given)
        slug = f"bot-{len(self.bots) + 1}"
        wish = control.Deployment(slug=slug, name=slug, symbol=symbol, spec=spec)
        bot = control.deploy(wish, by="a test")
        self.bots.append(bot)
        ear = Ear(
            f"{self.simulator.ws_url}/v5/public/spot",
            [f"{kind}.{bot.symbol}" for bot in self.bots for kind in PRICES],
        )
        if "public" in self._ears:
            self._ears["public"].close()
        self._ears["public"] = ear
        return bot

    # What the world does

    def faults(self, *on: dict[str, Any], **body: Any) -> dict[str, Any]:
        """Turn fault switches on, or what `body` says (off, do, seed); what is on is returned."""
        answer = self.web.post(
            f"{self.simulator.rest_url}/sim/faults", json={"on": list(on), **body}, timeout=PATIENCE
        )
        assert answer.ok, answer.text
        return answer.json()

    def move(self, seconds: int = 5, **prices: str) -> None:
        """Prices go to their goals while time passes, on the market and here."""
        self.clock.advance(seconds)
        body = {"prices": prices, "seconds": seconds}
        answer = self.web.post(f"{self.simulator.rest_url}/sim/step", json=body, timeout=PATIENCE)
        assert answer.ok, answer.text

    def truth(self) -> dict[str, Any]:
        """The simulator's own view."""
        return self.web.get(f"{self.simulator.rest_url}/sim/state", timeout=PATIENCE).json()

    # What the house does

    def look(self, *, beat: bool = True) -> None:
        """Hear, sweep when it is time, and tick: every bot on a beat, else those with news."""
        self.hear()
        sweeps = self.ways != {"stream"}
        if sweeps and (self._catch_up or self.clock.monotonic() - self._swept >= SWEEP_EVERY):
            self.sweep()
        if sweeps and self.clock.monotonic() - self._watched >= BOOKS_EVERY:
            self.watch()
        due = {bot.pk for bot in self.bots} if beat else set(self._news)
        self._news.clear()
        for bot_id in sorted(due):
            self.tick(bot_id)

    def hear(self) -> None:
        """Take in all that the streams have said by now."""
        if "stream" not in self.ways:
            return
        events: list[Event] = []
        for name, ear in self._ears.items():
            if not ear.is_open:
                if not ear.connect():
                    continue
                events.append(Connected(name))
            try:
                now = self.clock.monotonic()
                events += [Message(name, frame, now) for frame in ear.hear()]
            except Gone:
                events.append(Disconnected(name, "gone"))
        self._intake._take(events)

    def sweep(self) -> None:
        self._catch_up, self._swept = False, self.clock.monotonic()
        try:
            self._news |= reconcile.sweep(self.gateway)
        except ExchangeError as error:
            self.errors.append(error)

    def watch(self) -> None:
        """What the watchdog asks the exchange."""
        self._watched = self.clock.monotonic()
        try:
            self._books.check()
        except ExchangeError as error:
            self.errors.append(error)

    def tick(self, bot_id: int) -> None:
        """As the task does: an exchange that does not answer costs a beat."""
        try:
            runner.run_once(bot_id, self.gateway, lambda _: None)
        except ExchangeError as error:
            self.errors.append(error)

    def run(self, seconds: float, every: int = 5) -> None:
        """Let time pass at the price that is, with a look every few seconds."""
        for _ in range(round(seconds / every)):
            self.move(every)
            self.look()

    def settle(self, most: float = 900, every: int = 10) -> float:
        """Go on until everything rests; answers how long that took, fails after `most` seconds."""
        waited = calm = 0.0
        before: set[tuple[str, str]] = set()
        while calm <= SWEEP_EVERY + every:  # so that a sweep has looked at the calm
            assert waited <= most, f"not quiet after {most:g} s: {self.why_not_quiet()}"
            self.move(every)
            self.look()
            self.hear()
            waited += every
            now = set(Order.objects.filter(settled=False).values_list("client_id", "status"))
            restless = now != before or self._news or self.why_not_quiet()
            calm, before = 0.0 if restless else calm + every, now
        return waited

    def why_not_quiet(self) -> list[str]:
        """What is still under way in our own books."""
        found = [f"{bot} is not built" for bot in Bot.objects.filter(state=Bot.State.DEPLOYING)]
        closed = Guard.objects.filter(state=Guard.State.TRIPPED, no_buys=True)
        found += [f"{guard.name}: {guard.did}" for guard in closed]
        if self._watched and not self._books.agree:
            found.append("books and exchange do not agree")
        rests = (OrderStatus.OPEN, OrderStatus.PARTIAL)
        waits = Q(status=OrderStatus.REJECTED, look_after__gt=self.clock.now())
        under_way = Order.objects.filter(settled=False).exclude(waits).exclude(status__in=rests)
        found += [f"{order} {order.status} {order.reason}" for order in under_way]
        standing = Order.objects.filter(settled=False).exclude(Q(status__in=CLOSED) & ~waits)
        busy = set(standing.values_list("config", "cell"))
        for cell in Cell.objects.filter(reason=""):
            if (cell.config_id, cell.index) not in busy:
                found.append(f"cell {cell.config_id}/{cell.index} has neither order nor reason")
        return found

    def close(self) -> None:
        for ear in self._ears.values():
            ear.close()
        self.web.close()


def leave_out(gateway: Gateway, ways: frozenset[str]) -> None:
    """Have a gateway tell no fills in the ways that are left out."""
    if "sweep" not in ways:
        gateway.fills_since = lambda *_, **__: iter(())  # type: ignore[method-assign]
    if "lookup" not in ways:
        gateway.fills_of = lambda *_, **__: []  # type: ignore[method-assign]


@contextmanager
def house(ways: frozenset[str] = WAYS, **options: Any) -> Iterator[House]:
    """A house with a market of its own. Needs a database that is empty, and is left full."""
    with ExitStack() as stack:
        clock = stack.enter_context(moved_clock())
        delay, sockets.ACK_DELAY = sockets.ACK_DELAY, 0.0
        stack.callback(setattr, sockets, "ACK_DELAY", delay)
        given = {"keys": KEYS, "speed": 0, "balances": WALLET, "tape": "synthetic:7", **options}
        simulator = RunningSimulator(Options(**given))
        simulator.start()
        stack.callback(simulator.stop)
        gateway = Gateway(
            simulator.rest_url, KEYS.key, KEYS.secret, timeout=TIMEOUT,
            limits=limits_of(simulator.rest_url, KEYS.key),
        )  # fmt: skip
        leave_out(gateway, ways)
        live = House(simulator, gateway, clock, ways)
        stack.callback(live.close)
        yield live
