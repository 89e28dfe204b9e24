"""The simulator as a server: the venue behind HTTP and WebSocket, and the loop that moves time."""

import asyncio
import contextlib
import ipaddress
import json
import logging
import time
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

from aiohttp import web

from integrations.bybit.simulator import control
from integrations.bybit.simulator.account import Account
from integrations.bybit.simulator.auth import Keys
from integrations.bybit.simulator.budget import Budgets
from integrations.bybit.simulator.deeds import Deeds
from integrations.bybit.simulator.depth import Liquidity
from integrations.bybit.simulator.fault_requests import Answer, Bent, Wire
from integrations.bybit.simulator.faults import PARTINGS, Faults
from integrations.bybit.simulator.feeds import Feeds
from integrations.bybit.simulator.fees import Rates
from integrations.bybit.simulator.heard import Heard
from integrations.bybit.simulator.journal import Journal, JournalError
from integrations.bybit.simulator.later import Later
from integrations.bybit.simulator.live import NAME as LIVE
from integrations.bybit.simulator.live import Live, Upstream
from integrations.bybit.simulator.orders_socket import OrderEntry
from integrations.bybit.simulator.pairs import load_pairs
from integrations.bybit.simulator.rest import endpoints
from integrations.bybit.simulator.sockets import Hub
from integrations.bybit.simulator.tape import Tape, open_tape
from integrations.bybit.simulator.venue import Venue
from integrations.bybit.simulator.wire import ApiError, Json, envelope, machine_ms

log = logging.getLogger(__name__)

STEP = 0.05  # s between two movements of price
PUSH_EVERY = 2  # movements between two rounds of public frames
LOOK_EVERY = 20  # movements between two looks at what faults may do by themselves
LONGEST_STEP = 1.0  # s; if the machine slept, the market slept with it
RESERVE = 2.0  # machine s of market time granted ahead in the journal


@dataclass(frozen=True, slots=True)
class Options:
    """How to run; the same words as the command's options."""

    keys: Keys
    host: str = "127.0.0.1"
    port: int = 0  # 0 lets the system choose
    tape: str = ""  # "" is the bundled sample
    speed: float = 1.0  # market seconds in one second; 0 waits for /sim/step
    balances: Mapping[str, Decimal] = field(default_factory=lambda: {"USDT": Decimal(34000)})
    maker: Decimal = Decimal("0.001")
    taker: Decimal = Decimal("0.001")
    state: Path | None = None
    liquidity: Liquidity = field(default_factory=Liquidity)
    rate_limits: bool = False  # refuse what Bybit would refuse for coming too often
    upstream: Upstream = field(default_factory=Upstream)  # of the tape "bybit"
    faults: Json = field(default_factory=dict)  # as POST /sim/faults takes them


class Simulator:
    """Build it, `await start()`, and later `await stop()`.

    Building raises TapeError or JournalError; `start` raises OSError when the port is taken.
    """

    def __init__(self, options: Options, tape: Tape | None = None) -> None:
        """`tape` is one that is open already, in place of the options' (reading takes a while)."""
        self._live = Live(options.upstream) if options.tape == LIVE and tape is None else None
        if self._live is not None:
            options = replace(options, speed=1.0)  # live prices have a speed of their own
            pairs, tape = self._live.pairs, self._live.tape
        else:
            pairs = load_pairs()
            tape = tape or open_tape(options.tape, pairs)
        self.options = options
        account = Account(pairs, Rates(options.maker, options.taker))
        journal = Journal(options.state, tape.print, tape.name)
        self.venue = Venue(tape, account, journal, options.balances, options.liquidity)
        if self.venue.stepped and options.speed:
            raise JournalError(f"state file {options.state} was driven by hand: it needs --speed 0")
        if options.speed:
            # After a crash: go on from where the last message may have been, filling on the way.
            begin = self._live.now if self._live is not None else self.venue.until
            self.venue.advance(max(self.venue.now, begin))
        self.faults, self._later = Faults(), Later()
        self._hub = Hub(options.keys, self.faults, self._later)
        self._budgets, self._heard = Budgets(options.rate_limits), Heard()
        self._endpoints = endpoints(options.keys.key)
        self._hub.order_entry = OrderEntry(
            self.venue, options.keys, self._endpoints, self._budgets, self._heard
        ).answer
        self._feeds = Feeds(self.venue, self._hub)
        self._deeds = Deeds(self.venue, self.faults, self._feeds.private, stepped=not options.speed)
        self._wire = Wire(self.faults, self._deeds, self._later)
        self.venue.listen(self._wire)
        self._set_faults(options.faults)
        self._runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=0.2)
        self._clock: asyncio.Task[None] | None = None
        self.port = options.port

    async def start(self) -> None:
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self.options.host, self.options.port).start()
        except OSError:
            await self.stop()
            raise
        self.port = self._runner.addresses[0][1]
        if self._live is not None:
            self._live.start()
        self._clock = asyncio.create_task(self._run_clock())

    async def stop(self) -> None:
        """Stop time, part with the clients, note the exact time in the state file."""
        if self._clock is not None:
            self._clock.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._clock
        self._later.stop()
        if self._live is not None:
            await asyncio.to_thread(self._live.stop)
        await self._hub.close()
        await self._runner.cleanup()
        self.venue.rest()

    async def wait(self) -> None:
        """Return only when the clock has failed; it raises what stopped it."""
        if self._clock is not None:
            await asyncio.shield(self._clock)

    @property
    def url(self) -> str:
        return f"http://{self.options.host}:{self.port}"

    async def _run_clock(self) -> None:
        """Move the market about twenty times a second, along every corner of its path."""
        venue, speed = self.venue, self.options.speed
        position = float(venue.now)
        reserve = int(RESERVE * 1000 * speed)
        before, rounds = time.monotonic(), 0
        while True:
            await asyncio.sleep(STEP)
            now = time.monotonic()
            position += min(now - before, LONGEST_STEP) * 1000 * speed
            before, rounds = now, rounds + 1
            if self._live is not None:
                self._live.hear()
                position = float(self._live.now)
            if speed and position > venue.now:
                venue.advance(int(position), reserve)
            if speed and rounds % LOOK_EVERY == 0:
                self._look()
            venue.keep()
            # While live prices are away nothing is said of them, so that clients see it.
            silent = self._live is not None and not self._live.connected
            if rounds % PUSH_EVERY == 0 and not silent:
                self._feeds.flush(machine_ms())

    def _look(self) -> None:
        """Let the dice decide what happens by itself."""
        self._deeds.look()
        self._hub.look()

    def _set_faults(self, body: Json) -> None:
        """Raises ApiError (an HTTP status)."""
        for switch in self.faults.set(body):
            if switch.kind in PARTINGS:
                self._hub.disturb(switch)
            else:
                self._deeds.do(switch)

    @property
    def topics(self) -> Collection[str]:
        """The topics that somebody listens to now."""
        return self._hub.topics

    def flush(self) -> None:
        """Push what has changed at once (after a step by hand)."""
        self._feeds.flush(machine_ms())

    # HTTP

    def _application(self) -> web.Application:
        application = web.Application()
        for path, endpoint in self._endpoints.items():
            application.router.add_route(endpoint.method, path, self._rest)
        for channel in ("spot", "linear"):
            application.router.add_get(f"/v5/public/{channel}", self._socket)
        application.router.add_get("/v5/private", self._socket)
        application.router.add_get("/v5/trade", self._socket)
        application.router.add_get("/sim/state", self._sim)
        application.router.add_get("/sim/clock", self._sim)
        application.router.add_get("/sim/requests", self._sim)
        application.router.add_post("/sim/step", self._sim)
        application.router.add_get("/sim/faults", self._sim)
        application.router.add_post("/sim/faults", self._sim)
        return application

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        if self.faults.drawn("unreachable", request.path) and request.transport is not None:
            request.transport.abort()
            return web.Response()
        return await self._hub.serve(request)

    async def _rest(self, request: web.Request) -> web.StreamResponse:
        body = await request.text()
        self._heard.note(request.path, request.headers.get("X-BAPI-TIMESTAMP", ""), machine_ms())
        if self._budgets.turns_away(machine_ms()):
            return web.Response(status=403, text="access too frequent")
        return await self._wire.carry(
            request, _perhaps(body), lambda bent: self._answer(request, body, bent)
        )

    def _answer(self, request: web.Request, body: str, bent: Bent) -> Answer:
        """Envelope and headers of what one request did."""
        endpoint = self._endpoints[request.path]
        budget: Mapping[str, str] = {}
        try:
            if endpoint.signed:
                payload = body if endpoint.method == "POST" else request.rel_url.raw_query_string
                self.options.keys.check_request(request.headers, payload, bent.skew)
            params = _body(body) if endpoint.method == "POST" else dict(request.query)
            passed = cost = endpoint.cost(params)
            if endpoint.signed:
                passed, budget = self._budgets.take(
                    request.path, endpoint.per_second, cost, machine_ms()
                )
            passed = passed if bent.passed is None else min(passed, bent.passed)
            result = endpoint.work(self.venue, params, passed)
            answer = envelope(result, self._stamp(request.path))
        except ApiError as error:
            answer = envelope({}, self._stamp(request.path), error.code, error.message)
        stamps = {"Traceid": uuid.uuid4().hex, "Timenow": str(machine_ms())}
        return answer, {**stamps, **budget}

    def _stamp(self, path: str) -> int:
        """Facts are stamped by the tape's clock; clients sign by the machine's and ask for it."""
        return machine_ms() if path == "/v5/market/time" else self.venue.now

    async def _sim(self, request: web.Request) -> web.StreamResponse:
        """Our own paths: only for programs on this machine."""
        if not ipaddress.ip_address(request.remote or "0.0.0.0").is_loopback:  # noqa: S104
            return web.json_response({"error": "/sim/ is for this machine only"}, status=403)
        try:
            await self._later.catch_up()
            if request.path == "/sim/faults":
                if request.method == "POST":
                    self._set_faults(_body(await request.text()))
                    self.venue.keep()
                    self.flush()
                return web.json_response(self.faults.show())
            if request.path == "/sim/requests":
                return web.json_response(control.asked(self._heard, request.query))
            if request.path == "/sim/step":
                control.step(self.venue, self.options.speed, _body(await request.text()))
                self._look()
                self.venue.keep()
                self.flush()
            whole = request.path == "/sim/state"
            return web.json_response(control.state(self.venue, self.options.speed, whole=whole))
        except ApiError as error:
            return web.json_response({"error": error.message}, status=error.code)


def _perhaps(text: str) -> Json:
    """A body that is a JSON object, or nothing."""
    try:
        return _body(text)
    except ApiError:
        return {}


def _body(text: str) -> Json:
    try:
        body = json.loads(text or "{}")
    except ValueError as error:
        raise ApiError(10001, "params error: the body must be JSON") from error
    if not isinstance(body, dict):
        raise ApiError(10001, "params error: the body must be a JSON object")
    return body
