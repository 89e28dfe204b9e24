"""One random run, from its seed to its verdict."""

import logging
import time
from collections import Counter
from dataclasses import dataclass, field
from random import Random

from django.db import connection

from bots import control
from bots.models import Bot, Fill, Order, RoundTrip
from tests.contract.invariants import ALWAYS, Watch, broken
from tests.faults import menu
from tests.rig.house import House, house

MINUTES = 5
PAUSES = 0.2  # of the looks
PACE = 15  # simulated s between two looks
TAIL = 1_500  # simulated s: a ban of ten minutes, and whatever is tried again after it
PAIRS = {"BTCUSDT": (97_200.0, 1, ("95000", "99400")), "DOGEUSDT": (0.137, 5, ("0.1339", "0.1401"))}


@dataclass(slots=True)
class Verdict:
    """What a run came to; `broken` is empty when all is well."""

    seed: int
    broken: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    orders: int = 0
    fills: int = 0
    trips: int = 0
    errors: int = 0
    tail: float = 0.0
    seconds: float = 0.0


def run(seed: int) -> Verdict:
    """Five minutes of faults and prices by this seed, a quiet tail, and the verdict."""
    verdict, began = Verdict(seed), time.monotonic()
    logging.disable(logging.CRITICAL)
    try:
        with house() as live:
            _live(live, Random(seed), verdict)
    finally:
        logging.disable(logging.NOTSET)
    verdict.seconds = time.monotonic() - began
    return verdict


def _live(live: House, dice: Random, verdict: Verdict) -> None:
    for symbol, (_, _, (low, high)) in PAIRS.items():
        live.deploy(symbol, low, high)
    live.faults(*menu.drawn(dice), seed=dice.randrange(2**32))
    prices = {symbol: centre for symbol, (centre, _, _) in PAIRS.items()}
    rounds, watch = MINUTES * 60 // PACE, Watch()
    for number in range(rounds):
        live.move(PACE, **_wander(prices, dice))
        _meddle(live, dice)
        live.look()
        if number % 5 == 4:
            verdict.broken += broken(live.truth(), ALWAYS) + watch.look()
    shown = live.faults(
        off="all",
        do=[{"kind": "open_orders_cap", "most": 500}, {"kind": "hang_up"}],
    )
    verdict.kinds.update(shown["happened"])
    for bot in Bot.objects.filter(state=Bot.State.PAUSED):
        control.resume(bot)
    try:
        verdict.tail = live.settle(TAIL, every=15)
    except AssertionError as error:
        verdict.broken.append(str(error))
    live.sweep()
    verdict.broken += broken(live.truth()) + watch.look()
    verdict.orders, verdict.fills = Order.objects.count(), Fill.objects.count()
    verdict.trips, verdict.errors = RoundTrip.objects.count(), len(live.errors)


def _meddle(live: House, dice: Random) -> None:
    """Somebody pauses a bot now and then, and resumes it."""
    bot = dice.choice(live.bots)
    if dice.random() < PAUSES:
        bot.refresh_from_db()
        if bot.state == Bot.State.RUNNING:
            control.pause(bot, by="a run")
        elif bot.state == Bot.State.PAUSED:
            control.resume(bot)


def _wander(prices: dict[str, float], dice: Random) -> dict[str, str]:
    """A step of each price: small, drawn back to the centre, now and then a leap."""
    for symbol, (centre, _, _) in PAIRS.items():
        leap = dice.uniform(-0.03, 0.03) if dice.random() < 0.05 else dice.gauss(0, 0.003)
        prices[symbol] *= 1 + leap + 0.1 * (centre / prices[symbol] - 1)
    return {symbol: f"{prices[symbol]:.{PAIRS[symbol][1]}f}" for symbol in prices}


def forget() -> None:
    """Empty every table that a run fills, the ledger too; the audit trail stays."""
    tables = [
        name
        for name in connection.introspection.table_names()
        if name.startswith(("bots_", "risk_", "market_")) and "audit" not in name
    ]
    with connection.cursor() as cursor:
        # As a replica would: no trigger of ours stands in the way.
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(f"TRUNCATE {', '.join(tables)} CASCADE")
        cursor.execute("SET session_replication_role = DEFAULT")
