"""Whether every part works, and how fresh what it does is."""

from datetime import datetime, timedelta
from typing import Any

import redis
from django.conf import settings
from django.db import Error, connection
from django.utils import timezone

from bots.models import Bot
from market import quality
from market.models import Price
from market.types import moment
from risk import calls, policy, pulse

OK, DEGRADED, DOWN = "ok", "degraded", "down"
# A beat ticks every bot each 2 s, and a market that trades says something each second.
WORKER_PATIENCE = timedelta(seconds=15)
STREAM_PATIENCE = timedelta(seconds=30)
LOOP_PATIENCE = timedelta(seconds=10)  # beat and watchdog say each second that they live
BAR_PATIENCE = timedelta(minutes=5)  # exchange clock; a fast tape is given as long as the stream
_REDIS_PATIENCE_S = 1.0
_WORKING = (Bot.State.DEPLOYING, Bot.State.RUNNING, Bot.State.PAUSED)

Part = dict[str, Any]


def report() -> dict[str, Any]:
    """All parts and what follows from them: ok, degraded (a part fails) or down (no database)."""
    database = _database()
    parts: dict[str, Part] = {"database": database, "redis": _redis()}
    if database["status"] == OK:
        parts["worker"] = _worker()
        parts["stream"] = _stream()
        parts["candles"] = candles()
        parts["beat"] = _freshness("heard", pulse.heard(pulse.BEAT), LOOP_PATIENCE)
        parts["watchdog"] = _freshness("heard", pulse.heard(pulse.WATCHDOG), LOOP_PATIENCE)
        parts["exchange"] = _exchange()
    if database["status"] == DOWN:
        status = DOWN
    else:
        status = OK if all(part["status"] == OK for part in parts.values()) else DEGRADED
    return {"status": status, "parts": parts}


def _database() -> Part:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error as error:
        return {"status": DOWN, "reason": " ".join(str(error).split())}
    return {"status": OK}


def _redis() -> Part:
    client = redis.Redis.from_url(
        settings.REDIS_URL,
        socket_connect_timeout=_REDIS_PATIENCE_S,
        socket_timeout=_REDIS_PATIENCE_S,
    )
    try:
        with client:
            client.ping()
    except redis.RedisError as error:
        return {"status": DOWN, "reason": str(error)}
    return {"status": OK}


def _worker() -> Part:
    """The worker (and the beat that feeds it) as the bots that are to be looked at show them."""
    working = Bot.objects.filter(state__in=_WORKING)
    if not working.exists():
        return {"status": OK, "looked_at": None, "age_s": None, "reason": "no bot works"}
    newest = working.order_by("-looked_at").exclude(looked_at=None).first()
    return _freshness("looked_at", newest.looked_at if newest else None, WORKER_PATIENCE)


def _stream() -> Part:
    newest = Price.objects.order_by("-received_at").first()
    return _freshness("received_at", newest.received_at if newest else None, STREAM_PATIENCE)


def candles() -> Part:
    """Bars of each pair: how old the last is (exchange clock), how many there are and lack."""
    patience = max(BAR_PATIENCE, STREAM_PATIENCE * float(settings.PAPER_SPEED))
    found = quality.qualities()
    troubles = [trouble for each in found if (trouble := each.trouble(patience))]
    part: Part = {"status": DEGRADED if troubles else OK}
    part["pairs"] = {
        each.symbol: {
            "bars": each.bars,
            "last_bar": None if each.last is None else moment(each.last),
            "age_s": None if each.age_ms is None else round(each.age_ms / 1000),
            "lag_s": None if each.lag_s is None else round(each.lag_s, 1),
            "missing": each.missing,
            "absent": each.absent,
            "refused": each.refused,
        }
        for each in found
    }
    if troubles:
        part["reason"] = "; ".join(troubles)
    return part


def _exchange() -> Part:
    """What the calls of all processes came to in the last five minutes."""
    found = calls.rate()
    part: Part = {"status": OK, "mode": settings.MODE, "calls": found.calls}
    part["failures"] = found.failures
    if found.calls and found.failures == found.calls:
        part |= {"status": DOWN, "reason": "no call of the last five minutes was answered"}
    elif found.failures > found.calls * float(policy.current().api_errors):
        part |= {"status": DEGRADED, "reason": f"{found.failures} of {found.calls} calls failed"}
    return part


def _freshness(name: str, at: datetime | None, patience: timedelta) -> Part:
    if at is None:
        return {"status": DEGRADED, name: None, "age_s": None, "reason": "nothing came yet"}
    age = timezone.now() - at
    part: Part = {"status": OK, name: at, "age_s": round(age.total_seconds(), 1)}
    if age > patience:
        part["status"] = DEGRADED
        part["reason"] = f"nothing new for more than {patience.total_seconds():.0f} s"
    return part
