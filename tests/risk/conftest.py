"""The four bots, deployed on a simulator, their orders resting."""

import time

import pytest
import requests

from bots import control, runner, seeds
from bots.models import Bot, Order
from bots.safety.drill import SIGNED_WITHIN_MS
from integrations.bybit.gateway import Gateway
from market.types import OPEN, TimeInForce, milliseconds
from risk.models import Halt
from tests.simulator.fixture import RunningSimulator

PRICES = {
    "BTCUSDT": "97000", "MNTUSDT": "1.08", "DOGEUSDT": "0.137", "PEPEUSDT": "0.0000045",
}  # fmt: skip


def rest(exchange: Gateway) -> None:
    """Tick every bot until what rests is what it wants; what takes from the book must be over."""
    patience = time.monotonic() + 30
    while time.monotonic() < patience:
        for bot in Bot.objects.all():
            runner.run_once(bot.pk, exchange, lambda _: None)
        waiting = Order.objects.filter(settled=False)
        taking = waiting.filter(time_in_force=TimeInForce.IOC)
        if not taking.exists() and not waiting.exclude(status__in=OPEN).exists():
            return
        time.sleep(0.05)


def open_ours(simulator: RunningSimulator) -> list[str]:
    """The client ids that rest on the exchange."""
    return [
        row["orderLinkId"]
        for row in simulator.state()["orders"]
        if row["orderStatus"] in {"New", "PartiallyFilled"} and row["orderLinkId"].startswith("g")
    ]


def placing_signed(simulator: RunningSimulator, since: int = 0) -> list[int]:
    """When orders were signed, as the exchange heard it, whatever became of them; ms."""
    asked = {"at": "/v5/order/create*", "since": since}
    answer = requests.get(f"{simulator.rest_url}/sim/requests", asked, timeout=10)
    assert answer.ok, answer.text
    return [each["signed"] for each in answer.json()["requests"]]


def signed_late(simulator: RunningSimulator, halt: Halt) -> list[int]:
    """By how many ms after a kill's commit orders were signed that should not have been."""
    assert halt.committed_at is not None
    committed = milliseconds(halt.committed_at)
    found = placing_signed(simulator, committed + SIGNED_WITHIN_MS + 1)
    return [signed - committed for signed in found]


@pytest.fixture
def one(transactional_db: None, simulator: RunningSimulator, exchange: Gateway) -> Bot:
    """BTC alone, its orders resting; enough where it does not matter how many there are."""
    simulator.step(PRICES)
    bot = control.deploy(seeds.BOTS[0], by="tests")
    rest(exchange)
    return bot


@pytest.fixture
def four(transactional_db: None, simulator: RunningSimulator, exchange: Gateway) -> None:
    """69 cells with an order each."""
    simulator.step(PRICES)
    seeds.seed_bots()
    rest(exchange)
    rest(exchange)
