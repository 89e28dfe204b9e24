"""TradingView's door on the whole running system: how fast it answers, replays, and a forged flood.

BENCH_ALERTS (400), BENCH_REPLAYS (10,000) and BENCH_FLOOD_S (30) say how much.
"""

import asyncio
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp

from bench._flood import PATH, PER_S, alert, poured
from bench.kill import RESTING, ROOT, SPANS, House, one, until

ALERTS_PER_S = 25  # below the door's own limit of 300 in 10 s
REPLAYERS = 8
COUNTS = """
from bots.models import Bot; from integrations.models import Alert, AlertEffect
from risk.models import AuditRow; import json
print(json.dumps({"alerts": Alert.objects.count(), "effects": AlertEffect.objects.count(),
 "pauses": AuditRow.objects.filter(what="pause").count(),
 "states": sorted(Bot.objects.values_list("slug", "state")),
 "configs": sorted(Bot.objects.values_list("slug", "config__version"))}))
"""
Figures = dict[str, object]


def run() -> Iterator[Figures]:
    """One line for answers, one for replays, one for the flood."""
    secret = secrets.token_urlsafe(40)
    with tempfile.TemporaryDirectory(prefix="gridtrader-bench-") as home:
        house = House(Path(home), TRADINGVIEW_WEBHOOK_SECRET=secret)
        try:
            house.ready()
            until(lambda: house.resting() >= RESTING, 180)
            yield {"bench": "webhook.answer"} | answers(house, secret)
            yield {"bench": "webhook.replay"} | replays(house, secret)
            yield {"bench": "webhook.flood"} | flood(house)
        finally:
            house.stop()


def answers(house: House, secret: str) -> Figures:
    """How long a new alert takes to be stored and answered, beside a read that is the floor."""
    count = int(os.environ.get("BENCH_ALERTS", "400"))
    took: list[float] = []
    floor: list[float] = []
    statuses: Counter[int] = Counter()
    for number in range(count):
        began = time.perf_counter()
        status, _ = house.call("POST", PATH, alert(secret, f"bench {number}"))
        took.append(time.perf_counter() - began)
        statuses[status] += 1
        if number % 10 == 0:
            began = time.perf_counter()
            house.call("GET", "/api/")
            floor.append(time.perf_counter() - began)
        time.sleep(max(0.0, 1 / ALERTS_PER_S - took[-1]))
    return {
        "alerts": count,
        "statuses": statuses,
        "ms": spread(took),
        "floor_ms": spread(floor),
        "over_floor_p50": round(middle(took) / middle(floor), 2),
        "within_300_ms": round(sum(each <= 0.3 for each in took) / count, 4),  # noqa: PLR2004
        "load": os.getloadavg()[0],
    }


def replays(house: House, secret: str) -> Figures:
    """One alert sent again and again: what it was answered, and what it changed."""
    count = int(os.environ.get("BENCH_REPLAYS", "10000"))
    before = counts(house)
    body = alert(secret, "the one", symbol="BTCUSDT")
    began = time.perf_counter()
    statuses = asyncio.run(_replayed(house.port, body, count))
    seconds = time.perf_counter() - began
    until(lambda: counts(house)["effects"] > before["effects"], 60)
    after = counts(house)
    return {
        "replays": count,
        "statuses": statuses,
        "a_second": round(count / seconds),
        "new": {name: after[name] - before[name] for name in ("alerts", "effects", "pauses")},
        "load": os.getloadavg()[0],
    }


async def _replayed(port: int, body: object, count: int) -> Counter[int]:
    found: Counter[int] = Counter()
    left = iter(range(count))

    async def again(session: aiohttp.ClientSession) -> None:
        for _ in left:
            async with session.post(f"http://127.0.0.1:{port}{PATH}", json=body) as answer:
                await answer.read()
                found[answer.status] += 1

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(again(session) for _ in range(REPLAYERS)))
    return found


def flood(house: House) -> Figures:
    """Forged alerts as fast as asked for, and a kill in their midst."""
    seconds = float(os.environ.get("BENCH_FLOOD_S", "30"))
    house.call("POST", "/api/resume", {"bot": "btc-usdt"})
    until(lambda: house.resting() >= RESTING, 120)
    before = counts(house)
    with poured(house.port) as pouring:
        began = time.monotonic()
        time.sleep(seconds / 3)
        changed = [name for name, value in counts(house).items() if value != before[name]]
        killed = one(house)  # commits, cancels, is done, and is lifted again
        time.sleep(max(0.0, seconds - (time.monotonic() - began)))
        came = pouring.stop()
    after = counts(house)
    return {
        "asked_a_second": PER_S,
        "answered_a_second": round(came.answered_a_second),
        "seconds": seconds,
        "statuses": came.statuses,
        "ms": spread(came.took),
        "changed_before_the_kill": changed,
        "alerts_stored": after["alerts"] - before["alerts"],
        "effects": after["effects"] - before["effects"],
        "kill_ms": {span.removesuffix("_at"): killed[span] for span in SPANS},
        "cancelled": killed["cancelled"],
        "load": os.getloadavg()[0],
    }


def counts(house: House) -> dict[str, Any]:
    """What the database holds, told by a process of its own."""
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "-v0", "-c", COUNTS],
        cwd=ROOT, env=house.env, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """Milliseconds: the middle, the 99th of a hundred, the longest."""
    ranked = sorted(seconds)
    p99 = ranked[min(len(ranked) - 1, round(len(ranked) * 0.99))]
    return {
        "p50": round(1000 * middle(seconds), 1),
        "p99": round(1000 * p99, 1),
        "max": round(1000 * ranked[-1], 1),
    }


def middle(seconds: Sequence[float]) -> float:
    return sorted(seconds)[len(seconds) // 2]
