"""The four bots, deployed on a simulator, their orders resting."""

import time

import pytest

from bots import control, runner, seeds
from bots.models import Bot, Order
from integrations.bybit.gateway import Gateway
from market.types import OPEN, TimeInForce
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
