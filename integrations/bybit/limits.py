"""Turns to send: Bybit's rate limits kept by us, at 80 %, before Bybit has to keep them."""

import hashlib
import logging
import math
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from redis import RedisError

from integrations.bybit.buckets import Buckets, Grant, LocalBuckets, Pool, SharedBuckets
from market.exchange import USUAL, NotSent

log = logging.getLogger(__name__)

T = TypeVar("T")

PROCESSES = 4  # that may send for an account: worker, stream, web, a command
REDIS_AWAY_S = 1.0  # before Redis is tried again

READS = Pool("reads", 50)
#: Bybit v5, rate limits for spot: what each of pybit's methods counts against.
POOLS = {
    "place_order": Pool("create", 20),
    "cancel_order": Pool("cancel", 20, is_cancel=True),
    "place_batch_order": Pool("create-batch", 20, is_batch=True),
    "cancel_batch_order": Pool("cancel-batch", 20, is_batch=True, is_cancel=True),
    "get_fee_rates": Pool("fee-rate", 5),
    "get_api_key_information": Pool("query-api", 10),
    **dict.fromkeys(
        (
            "get_server_time",
            "get_kline",
            "get_tickers",
            "get_instruments_info",
            "get_orderbook",
        ),
        Pool("market", 100),  # no limit but the address's
    ),
}


class Turn(NamedTuple):
    """What may be sent now: a request of this method, with this many orders in it."""

    endpoint: str
    units: int
    is_probe: bool = False


class Limits:
    """The limits of one account, in Redis where it can be reached, else by a safe share of them."""

    def __init__(self, shared: Buckets | None, local: Buckets, turn: float, window: float) -> None:
        """`turn` is how many seconds a caller waits at most, `window` what Bybit counts over."""
        self._shared = shared
        self._local = local
        self._turn = turn
        self._window = window
        self._away_until = self._pause_until = 0.0
        self._away = False

    def turn(self, endpoints: Sequence[str], wanted: int = 1, by: float | None = None) -> Turn:
        """Wait for the first of these methods that may be sent; units are 1 unless it is a batch.

        Raises NotSent when there is none before `by` (time.monotonic), or within the usual wait.
        """
        latest = time.monotonic() + self._turn
        latest = latest if by is None else min(latest, by)
        while True:
            now, wait = time.monotonic(), math.inf
            if now > latest:
                raise _not_sent(endpoints[0], 0.0)
            for endpoint in endpoints:
                pool = POOLS.get(endpoint, READS)
                grant = self._take(pool, wanted if pool.is_batch else 1)
                if grant.units:
                    return Turn(endpoint, grant.units, grant.is_probe)
                wait = min(wait, grant.wait)
            if now + wait > latest:
                raise _not_sent(endpoints[0], wait)
            time.sleep(max(wait, 0.001))

    def heard(self, endpoint: str, limit: int, remaining: int) -> None:
        """Bybit's own count, from the headers: brake while somebody else uses the account too.

        Cancels are not braked: one that comes too early costs nothing, a late one may cost money.
        """
        pool = POOLS.get(endpoint, READS)
        if pool.is_cancel:
            return
        margin = limit - limit * pool.capacity // pool.per_second
        if remaining < margin:
            self._tell(lambda to: to.rest(pool, self._window * (margin - remaining) / margin))

    def refused(self, endpoint: str, seconds: float) -> None:
        """Bybit said too many, of one pool: leave it alone for a while."""
        self._tell(lambda to: to.rest(POOLS.get(endpoint, READS), seconds))

    def banned(self) -> None:
        """Bybit shut this address out: stay away for ten minutes, all processes of us."""
        log.error("Bybit shut this address out: no requests for ten minutes but a cancel a minute")
        self._local.ban()  # also for when Redis forgets
        self._tell(lambda to: to.ban())

    def probe_answered(self) -> None:
        """A cancel was answered during a ban: more may follow."""
        self._tell(lambda to: to.probe_answered())

    def _take(self, pool: Pool, wanted: int) -> Grant:
        pause = self._pause_until - time.monotonic()
        if pause > 0 and not pool.is_cancel:
            return Grant(0, pause)
        return self._ask(lambda buckets: buckets.take(pool, wanted))

    def _tell(self, what: Callable[[Buckets], None]) -> None:
        self._ask(what)

    def _ask(self, what: Callable[[Buckets], T]) -> T:
        """Ask the shared counters, or the local ones while Redis is away."""
        if self._shared is not None and time.monotonic() >= self._away_until:
            try:
                answer = what(self._shared)
            except (RedisError, OSError) as error:
                self._away_until = time.monotonic() + REDIS_AWAY_S
                self._turn_over(type(error).__name__)
            else:
                self._turn_over("")
                return answer
        return what(self._local)

    def _turn_over(self, trouble: str) -> None:
        """When the counters change, pause for a window: the new ones do not know what was spent."""
        if bool(trouble) != self._away:
            self._away = bool(trouble)
            self._pause_until = time.monotonic() + self._window
            log.warning(
                "rate limits: %s",
                f"our own share, Redis is away ({trouble})"
                if trouble
                else "shared again, Redis is back",
            )


def limits_of(
    rest_url: str,
    key: str,
    redis_url: str | None = None,
    turn: float = USUAL.turn.total_seconds(),
    window: float = 1.0,
) -> Limits:
    """The limits of one API key on one host. Without Redis this process is taken to be alone."""
    host = _digest(rest_url)
    shared = SharedBuckets(redis_url, _digest(rest_url, key), host, window) if redis_url else None
    return Limits(shared, LocalBuckets(PROCESSES if redis_url else 1, window), turn, window)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _not_sent(endpoint: str, wait: float) -> NotSent:
    until = int((time.time() + min(wait, 3_600)) * 1000)
    return NotSent(f"{endpoint} was kept back: its turn is in {min(wait, 3_600):.1f} s", until)
