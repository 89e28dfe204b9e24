"""Scenarios on the simulator: a flash crash through every level, errors of the API."""

import time
from decimal import Decimal

import pytest
import requests

from bots import control, runner, seeds
from bots.books import facts, reconcile
from bots.models import Bot, Fill, Order
from bots.safety import guarding
from bots.safety.watching import Watch
from integrations.bybit.account import gateway_from_settings
from integrations.bybit.gateway import Gateway
from market.exchange import Unresolved
from market.types import OPEN, Side
from risk import halts
from risk.calls import Rate, Tally, rate
from risk.rules import Limits, halted, leaving, ranked, withheld
from tests.risk.conftest import PRICES, open_ours, rest
from tests.simulator.fixture import RunningSimulator

D = Decimal


def test_a_flash_crash_through_twelve_levels_in_one_message(
    transactional_db: None, simulator: RunningSimulator, exchange: Gateway
) -> None:
    """Twelve fills booked once, the capital not passed, counter orders within two seconds."""
    simulator.step({**PRICES, "BTCUSDT": "99100"})
    bot = control.deploy(seeds.BOTS[0], by="tests")
    rest(exchange)
    rest(exchange)
    assert len(open_ours(simulator)) == 12
    simulator.step({"BTCUSDT": "95450"}, seconds=1)
    began = time.monotonic()
    reconcile.sweep(exchange)
    runner.run_once(bot.pk, exchange, lambda _: None)
    assert time.monotonic() - began < 2
    reconcile.sweep(exchange)  # the same news again, and as if a stream repeated it
    for fill in exchange.fills_since(exchange.market_time_ms() - 600_000):
        assert facts.record_fill(fill) is None, "known already"
    runner.run_once(bot.pk, exchange, lambda _: None)
    assert Fill.objects.filter(bot=bot, booked=True).count() == 12
    sells = Order.objects.filter(bot=bot, side=Side.SELL, status__in=OPEN)
    assert sells.count() == 12
    spent = sum(cell.cost for cell in bot.config.cells.all())
    assert D(20_000) < spent <= bot.config.capital
    simulator.step({"BTCUSDT": "99100"}, seconds=1)
    reconcile.sweep(exchange)
    runner.run_once(bot.pk, exchange, lambda _: None)
    assert bot.round_trips.count() == 12
    bot.refresh_from_db()
    assert bot.state == Bot.State.RUNNING


@pytest.mark.parametrize(
    ("made", "kills"), [(Rate(100, 3), True), (Rate(100, 2), False), (Rate(20, 3), False)]
)
def test_api_errors_on_the_wire(
    transactional_db: None, simulator: RunningSimulator, exchange: Gateway, made: Rate, kills: bool
) -> None:
    """3 % of 100 calls answered by 10016 are a kill; 2 % are not, nor is any share of 20 calls."""
    tally = Tally()
    counted = gateway_from_settings(alone=True, told=guarding.counted_in(tally))
    fault = {"kind": "code", "at": "/v5/order/cancel", "code": 10016, "count": made.failures}
    answer = requests.post(f"{simulator.rest_url}/sim/faults", json={"on": [fault]}, timeout=10)
    assert answer.ok, answer.text
    for _ in range(made.failures):
        with pytest.raises(Unresolved):
            counted.cancel("BTCUSDT", "gabcdefgv1-1-0-B-0")
    for _ in range(made.calls - made.failures):
        counted.server_time_ms()
    tally.write()
    Watch().judge()
    assert rate() == made
    assert (halts.killed() is not None) == kills


def test_the_fixed_order_of_priorities() -> None:
    """kill > stop-loss > halt > gate > pause > grid."""
    paused, gate, halt = withheld("pause"), withheld("gate"), halted("halt")
    stop, kill = leaving("stop-loss"), halted("kill")
    assert ranked(paused).no_buys == "pause"
    assert ranked(paused, gate=gate).no_buys == "gate"
    assert ranked(paused, gate=gate, halt=halt) == Limits("halt", "halt")
    assert ranked(stop, gate=gate, halt=halt) == Limits("stop-loss", "stop-loss", sell_out=True)
    assert ranked(stop, halt=halt, kill=kill) == Limits("kill", "kill", sell_out=False)
    assert ranked(paused, kill=leaving("kill")).sell_out
