"""Orders: what the gateway costs over bare pybit, how fast a deploy is, what a simulator bears."""

import asyncio
import hashlib
import hmac
import itertools
import json
import logging
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import aiohttp
from pybit.unified_trading import HTTP

from gridtrader.folder import Hold
from gridtrader.hosting import serving
from gridtrader.services import lock_of, of_folder
from integrations.bybit.gateway import Gateway
from integrations.bybit.limits import Limits, limits_of
from market.exchange import ExchangeError
from market.types import OrderRequest, Side, TimeInForce

ROOT = Path(__file__).resolve().parents[1]
KEY, SECRET = "bench-key", "bench-secret-of-play-money"
SYMBOL, PRICE, QUANTITY = "DOGEUSDT", Decimal("0.05"), Decimal(200)  # far below the market
PAIRS, WARM_UP = 250, 10
PACE = 0.13  # s between pairs, so that both together stay within Bybit's limits and none waits
DEPLOY, GROUP = 69, 10  # the orders of the four seeded grids
CALLS, CONNECTIONS = 3_000, 16
LISTENERS, STEPS = 20, 500
PRICES = {  # between which each pair goes to and fro
    "BTCUSDT": ("97000", "97010"),
    "MNTUSDT": ("1.08", "1.09"),
    "DOGEUSDT": ("0.137", "0.138"),
    "PEPEUSDT": ("0.0000045", "0.0000046"),
}

_names = (f"bench-{number}" for number in itertools.count())


def run() -> Iterator[dict[str, object]]:
    """One line of figures for each benchmark."""
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="gridtrader-bench-") as home:
        hold = Hold.take(lock_of(Path(home), "redis"))
        assert hold is not None, "a fresh folder has no other user"  # noqa: S101
        redis = of_folder(Path(home))[1]
        with serving(redis, hold):
            with simulator() as url:
                yield round_trip(url, redis.url)
            with simulator() as url:
                yield deploy(url, redis.url)
            with simulator() as url:
                yield asyncio.run(throughput(url, "create", each=1))
            with simulator() as url:
                yield asyncio.run(throughput(url, "create-batch", each=10))
            with simulator("--state", str(Path(home) / "state.json")) as url:
                kept = asyncio.run(throughput(url, "create-batch", each=10))
                yield {**kept, "bench": "simulator, orders in batches, each on the disk"}
            with simulator() as url:
                yield asyncio.run(fan_out(url))


@contextmanager
def simulator(*more: str) -> Iterator[str]:
    """A simulator of its own process; its market stands still. Answers its base URL."""
    command = [sys.executable, str(ROOT / "manage.py"), "simulator", "--port", "0", "--speed", "0"]
    wallet = ["--balance", "USDT=100000000", "--key", KEY, "--secret", SECRET]
    with subprocess.Popen([*command, *wallet, *more], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None  # noqa: S101
            said = process.stdout.readline()
            found = re.search(r"http://\S+", said)
            if found is None:
                raise RuntimeError(f"the simulator did not start: {said!r}")
            yield found.group()
        finally:
            process.terminate()


def unhurried(url: str, redis_url: str) -> Limits:
    """Limits that are asked in Redis for every request, with a window so short that none waits."""
    return limits_of(url, KEY, redis_url, window=0.001)


def request(price: Decimal = PRICE) -> OrderRequest:
    return OrderRequest(next(_names), SYMBOL, Side.BUY, price, QUANTITY, TimeInForce.IOC)


def round_trip(url: str, redis_url: str) -> dict[str, object]:
    """Placing one order through the gateway and through bare pybit, in turns, same simulator."""
    gateway = Gateway(url, KEY, SECRET, limits=limits_of(url, KEY, redis_url))
    bare = HTTP(api_key=KEY, api_secret=SECRET)
    bare.endpoint = url
    ours: list[float] = []
    theirs: list[float] = []
    for number in range(PAIRS + WARM_UP):
        sides: list[tuple[list[float], Callable[[], object]]] = [
            (ours, lambda: gateway.place(request())),
            (theirs, lambda: place_bare(bare)),
        ]
        for times, place in sides if number % 2 else reversed(sides):
            began = time.perf_counter()
            place()
            times.append((time.perf_counter() - began) * 1000)
        time.sleep(PACE)
    ours, theirs = ours[WARM_UP:], theirs[WARM_UP:]
    return {
        "bench": "place order",
        "orders": len(ours),
        "gateway_p50_ms": percentile(ours, 50),
        "gateway_p99_ms": percentile(ours, 99),
        "pybit_p50_ms": percentile(theirs, 50),
        "pybit_p99_ms": percentile(theirs, 99),
        "ratio_p50": round(percentile(ours, 50) / percentile(theirs, 50), 3),
        "ratio_p99": round(percentile(ours, 99) / percentile(theirs, 99), 3),
    }


def place_bare(bare: HTTP) -> None:
    wanted = request()
    bare.place_order(
        category="spot", symbol=SYMBOL, side="Buy", orderType="Limit", qty=str(QUANTITY),
        price=str(PRICE), timeInForce="IOC", orderLinkId=wanted.client_id,
    )  # fmt: skip


def deploy(url: str, redis_url: str) -> dict[str, object]:
    """69 resting orders through the gateway: under Bybit's limits, and as fast as it goes."""
    within = deployed(Gateway(url, KEY, SECRET, limits=limits_of(url, KEY, redis_url, turn=10)))
    singly = Gateway(url, KEY, SECRET, limits=unhurried(url, redis_url), batches=False)
    batched = Gateway(url, KEY, SECRET, limits=unhurried(url, redis_url))
    return {
        "bench": f"deploy {DEPLOY} orders",
        "within_limits_s": round(within, 3),
        "within_limits_orders_per_s": round(DEPLOY / within, 1),
        "batches_orders_per_s": round(DEPLOY / deployed(batched), 1),
        "singles_orders_per_s": round(DEPLOY / deployed(singly), 1),
    }


def deployed(gateway: Gateway) -> float:
    """Seconds until all rest on the book."""
    orders = [
        OrderRequest(next(_names), SYMBOL, Side.BUY, PRICE - Decimal(number) / 10_000, QUANTITY)
        for number in range(DEPLOY)
    ]
    began = time.perf_counter()
    came = [
        outcome
        for start in range(0, DEPLOY, GROUP)
        for outcome in gateway.place_many(orders[start : start + GROUP])
    ]
    took = time.perf_counter() - began
    if failed := [str(one) for one in came if isinstance(one, ExchangeError)]:
        raise RuntimeError(f"{len(failed)} orders were not placed, e.g. {failed[0]}")
    return took


async def throughput(url: str, path: str, each: int) -> dict[str, object]:
    """Orders a second that the simulator takes from a light client on many connections."""
    waiting = iter(range(CALLS // each))
    async with aiohttp.ClientSession(url) as session:

        async def one_connection() -> None:
            for _ in waiting:
                body = _body(each)
                async with session.post(
                    f"/v5/order/{path}", data=body, headers=_signed(body)
                ) as answer:
                    envelope = await answer.json()
                items = envelope["retExtInfo"].get("list", [])
                if envelope["retCode"] or any(item["code"] for item in items):
                    raise RuntimeError(f"the simulator refused: {envelope}")

        began = time.perf_counter()
        await asyncio.gather(*(one_connection() for _ in range(CONNECTIONS)))
        took = time.perf_counter() - began
    name = "simulator, orders in batches" if each > 1 else "simulator, single orders"
    return {
        "bench": name,
        "orders": CALLS // each * each,
        "orders_per_s": round(CALLS // each * each / took, 1),
        "requests_per_s": round(CALLS // each / took, 1),
    }


async def fan_out(url: str) -> dict[str, object]:
    """Messages a second that the simulator sends to many listeners while all prices move."""
    topics = [f"{kind}.{symbol}" for symbol in PRICES for kind in ("orderbook.1", "publicTrade")]
    async with aiohttp.ClientSession(url) as session:
        sockets = [await session.ws_connect("/v5/public/spot") for _ in range(LISTENERS)]
        for socket in sockets:
            await socket.send_json({"op": "subscribe", "args": topics})
        hearing = [asyncio.create_task(_heard(socket)) for socket in sockets]
        await asyncio.sleep(1)
        began = time.perf_counter()
        for number in range(STEPS):
            prices = {symbol: pair[number % 2] for symbol, pair in PRICES.items()}
            async with session.post("/sim/step", json={"prices": prices, "seconds": 1}) as answer:
                answer.raise_for_status()
        for socket in sockets:
            await socket.send_json({"op": "ping"})
        frames = sum(await asyncio.gather(*hearing))
        took = time.perf_counter() - began
    return {
        "bench": f"simulator, prices to {LISTENERS} listeners",
        "messages": frames,
        "messages_per_s": round(frames / took, 1),
        "steps_per_s": round(STEPS / took, 1),
    }


async def _heard(socket: aiohttp.ClientWebSocketResponse) -> int:
    """How many topic frames came before the answer to a ping: those that were sent before it."""
    frames = 0
    async for message in socket:
        frame = json.loads(message.data)
        frames += "topic" in frame
        if frame.get("op") == "ping":
            return frames
    raise RuntimeError("a listener was cut off")


def _body(each: int) -> str:
    items = [
        {
            "symbol": SYMBOL, "side": "Buy", "orderType": "Limit", "qty": str(QUANTITY),
            "price": str(PRICE), "timeInForce": "IOC", "orderLinkId": next(_names),
        }
        for _ in range(each)
    ]  # fmt: skip
    whole = {"category": "spot", "request": items} if each > 1 else {"category": "spot", **items[0]}
    return json.dumps(whole)


def _signed(body: str) -> dict[str, str]:
    stamp, window = str(time.time_ns() // 1_000_000), "5000"
    text = stamp + KEY + window + body
    return {
        "Content-Type": "application/json",
        "X-BAPI-API-KEY": KEY,
        "X-BAPI-TIMESTAMP": stamp,
        "X-BAPI-RECV-WINDOW": window,
        "X-BAPI-SIGN": hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest(),
    }


def percentile(times: Sequence[float], share: int) -> float:
    return round(statistics.quantiles(times, n=100)[share - 1], 3)
