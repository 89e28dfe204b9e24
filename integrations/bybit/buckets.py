"""Tokens that Bybit's rate limits leave us: counted in Redis for all, or in this process alone.

A token that was spent comes back one window later, as in the rolling second that Bybit counts.
"""

import threading
import time
from collections import defaultdict, deque
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

BAN_S = 600.0  # Bybit v5, rate limits: after HTTP 403 stay away for ten minutes
PROBE_S = 60.0  # between two cancels that try whether a ban is over
REDIS_TIMEOUT_S = 0.5


@dataclass(frozen=True, slots=True)
class Pool:
    """Requests that Bybit counts together. `per_second` is Bybit's limit; a batch counts orders."""

    name: str
    per_second: int
    is_batch: bool = False
    is_cancel: bool = False

    @property
    def capacity(self) -> int:
        """How much of it we use: four fifths, as arrivals bunch up on their way; of cancels more.

        A cancel that came too early is asked for again and costs nothing, and a kill is in a hurry.
        """
        return self.per_second * (9 if self.is_cancel else 8) // 10


#: Requests from one address, whatever they are; the last fifth is kept for cancels.
ADDRESS = Pool("address", 100)
ADDRESS_BUT_CANCELS = ADDRESS.capacity * 4 // 5


class Grant(NamedTuple):
    """How many units may go now; if none, how many seconds until it makes sense to ask again."""

    units: int
    wait: float
    is_probe: bool = False  # a cancel that tries whether a ban is over


class Buckets(Protocol):
    """One set of counters. Whoever asks gets what is there, in the order of asking."""

    def take(self, pool: Pool, wanted: int) -> Grant:
        """Up to `wanted` units of a pool and one request of the address."""

    def rest(self, pool: Pool, seconds: float) -> None:
        """Give nothing out of a pool for a while."""

    def ban(self) -> None:
        """Give nothing out for ten minutes but one cancel a minute."""

    def probe_answered(self) -> None:
        """A cancel got through a ban: the next one need not wait for its minute."""


def address_capacity(pool: Pool) -> int:
    return ADDRESS.capacity if pool.is_cancel else ADDRESS_BUT_CANCELS


class LocalBuckets:
    """Counters of this process: a share of each limit, as others may send as well."""

    def __init__(self, processes: int, window: float) -> None:
        self._processes = processes
        self._window = window
        self._lock = threading.Lock()
        self._spent: dict[str, deque[float]] = defaultdict(deque)
        self._rests: dict[str, float] = {}
        self._banned_until = self._probe_at = 0.0

    def take(self, pool: Pool, wanted: int) -> Grant:
        now = time.monotonic()
        with self._lock:
            if wait := self._closed_for(pool, now):
                return Grant(0, wait)
            room, wait = self._room(pool.name, pool.capacity, now)
            free, longer = self._room(ADDRESS.name, address_capacity(pool), now)
            units = min(wanted, room) if free > 0 else 0
            if units <= 0:
                return Grant(0, max(wait, longer))
            if is_probe := now < self._banned_until:
                self._probe_at, units = now + PROBE_S, 1
            self._spent[pool.name].extend([now] * units)
            self._spent[ADDRESS.name].append(now)
            return Grant(units, 0.0, is_probe)

    def _closed_for(self, pool: Pool, now: float) -> float:
        """Seconds until the pool is open again."""
        opens = self._rests.get(pool.name, 0.0)
        if now < self._banned_until:
            opens = max(opens, self._probe_at if pool.is_cancel else self._banned_until)
        return max(0.0, opens - now)

    def _room(self, name: str, capacity: int, now: float) -> tuple[int, float]:
        """Free units, and the wait for the next one when there is none."""
        share, spent = max(1, capacity // self._processes), self._spent[name]
        while spent and spent[0] <= now - self._window:
            spent.popleft()
        over = len(spent) - share
        return -over, spent[over] + self._window - now if over >= 0 else 0.0

    def rest(self, pool: Pool, seconds: float) -> None:
        with self._lock:
            until = time.monotonic() + seconds
            self._rests[pool.name] = max(until, self._rests.get(pool.name, 0.0))

    def ban(self) -> None:
        with self._lock:
            now = time.monotonic()
            self._banned_until, self._probe_at = now + BAN_S, now + PROBE_S

    def probe_answered(self) -> None:
        with self._lock:
            self._probe_at = 0.0


# All of Limits' decision in one step, by the one clock that all processes share: Redis's own.
_TAKE = """
local ban, probe, rest, pool, address = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local window, wanted, capacity = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local address_capacity, is_cancel, probe_ms = tonumber(ARGV[4]), ARGV[5] == '1', ARGV[6]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function room(key, capacity)
  local oldest = tonumber(redis.call('LINDEX', key, 0) or '')
  while oldest and (oldest <= now - window or oldest > now) do
    redis.call('LPOP', key)
    oldest = tonumber(redis.call('LINDEX', key, 0) or '')
  end
  local over = redis.call('LLEN', key) - capacity
  if over < 0 then return -over, 0 end
  return -over, tonumber(redis.call('LINDEX', key, over)) + window - now
end

local banned = redis.call('PTTL', ban)
if banned > 0 and not is_cancel then return {0, banned, 0} end
local resting = redis.call('PTTL', rest)
if resting > 0 then return {0, resting, 0} end
local free, wait = room(pool, capacity)
local free_address, longer = room(address, address_capacity)
if free <= 0 or free_address <= 0 then return {0, math.max(wait, longer), 0} end
local units = math.min(wanted, free)
if banned > 0 then
  if not redis.call('SET', probe, 1, 'NX', 'PX', probe_ms) then
    return {0, redis.call('PTTL', probe), 0}
  end
  units = 1
end
for _ = 1, units do redis.call('RPUSH', pool, now) end
redis.call('RPUSH', address, now)
redis.call('PEXPIRE', pool, 2 * window)
redis.call('PEXPIRE', address, 2 * window)
return {units, 0, banned > 0 and 1 or 0}
"""
_REST = """
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) then
  redis.call('SET', KEYS[1], 1, 'PX', ARGV[1])
end
"""


class SharedBuckets:
    """Counters in Redis, one set for all processes. Every method may raise redis.RedisError.

    `account` and `host` are digests that tell accounts and hosts apart; no key shows in Redis.
    """

    def __init__(self, url: str, account: str, host: str, window: float) -> None:
        self._redis: Redis = Redis.from_url(
            url,
            socket_timeout=REDIS_TIMEOUT_S,
            socket_connect_timeout=REDIS_TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),  # the local share is at hand at once
        )
        self._take: Any = self._redis.register_script(_TAKE)
        self._rest: Any = self._redis.register_script(_REST)
        self._account = f"gridtrader:limits:{account}"
        self._host = f"gridtrader:limits:{host}"
        self._window_ms = max(1, round(window * 1000))

    def take(self, pool: Pool, wanted: int) -> Grant:
        keys = [
            self._ban,
            self._probe,
            self._resting(pool),
            f"{self._account}:{pool.name}",
            f"{self._host}:{ADDRESS.name}",
        ]
        arguments = [
            self._window_ms,
            wanted,
            pool.capacity,
            address_capacity(pool),
            int(pool.is_cancel),
            int(PROBE_S * 1000),
        ]
        units, wait_ms, is_probe = self._take(keys=keys, args=arguments)
        return Grant(units, wait_ms / 1000, bool(is_probe))

    def rest(self, pool: Pool, seconds: float) -> None:
        self._rest(keys=[self._resting(pool)], args=[max(1, round(seconds * 1000))])

    def ban(self) -> None:
        pipe = self._redis.pipeline()
        pipe.set(self._ban, 1, px=int(BAN_S * 1000))
        pipe.set(self._probe, 1, px=int(PROBE_S * 1000))
        pipe.execute()

    def probe_answered(self) -> None:
        self._redis.delete(self._probe)

    @property
    def _ban(self) -> str:
        return f"{self._host}:ban"

    @property
    def _probe(self) -> str:
        return f"{self._host}:probe"

    def _resting(self, pool: Pool) -> str:
        return f"{self._account}:{pool.name}:rests"
