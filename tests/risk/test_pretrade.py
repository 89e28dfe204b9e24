"""The pre-trade gate in a tick: what may not go is not sent, and its cell says why."""

from decimal import Decimal

import pytest
import requests
from django.utils import timezone

from bots import control, runner, seeds
from bots.models import Bot, Order
from integrations.bybit.gateway import Gateway
from market.types import OrderStatus
from risk import policy
from tests.factories import BotFactory, OrderFactory
from tests.risk.conftest import PRICES, open_ours, rest
from tests.simulator.fixture import RunningSimulator

D = Decimal
pytestmark = pytest.mark.django_db(transaction=True)


def tighten(**limits: Decimal | int) -> None:
    policy.change(limits, by="tests", may_loosen=True, reason="a test")


def deployed(simulator: RunningSimulator, exchange: Gateway) -> Bot:
    simulator.step(PRICES)
    bot = control.deploy(seeds.BOTS[0], by="tests")
    rest(exchange)
    rest(exchange)
    return bot


def reasons(bot: Bot) -> set[str]:
    return set(bot.config.cells.exclude(reason="").values_list("reason", flat=True))


def test_no_more_orders_rest_than_may(simulator: RunningSimulator, exchange: Gateway) -> None:
    tighten(bot_orders=5)
    bot = deployed(simulator, exchange)
    assert len(open_ours(simulator)) == 5
    assert reasons(bot) == {"risk: the bot has 5 open orders, as many as it may"}


@pytest.mark.parametrize("status", [OrderStatus.SENT, OrderStatus.UNKNOWN])
def test_orders_of_another_bot_whose_fate_is_not_known_take_room(
    simulator: RunningSimulator, exchange: Gateway, status: OrderStatus
) -> None:
    """25,000 may be at stake on the pair: 24,000 of them may be bought any moment."""
    other = BotFactory(slug="other", state=Bot.State.STOPPED)
    OrderFactory(
        bot=other, status=status, price=D(96_000), quantity=D("0.25"), sent_at=timezone.now()
    )
    tighten(pair_exposure=D(25_000))
    simulator.step(PRICES)
    bot = control.deploy(seeds.BOTS[0], by="tests")
    runner.run_once(bot.pk, exchange, lambda _: None)
    at_stake = sum((order.price * order.quantity for order in Order.objects.filter(bot=bot)), D(0))
    assert at_stake <= D(1_000)
    assert any("the pair's exposure" in reason for reason in reasons(bot))


def test_while_the_free_balance_is_not_known_nothing_is_placed(
    simulator: RunningSimulator, exchange: Gateway
) -> None:
    """It fails closed, and goes on by itself."""
    bot = deployed(simulator, exchange)
    resting = set(open_ours(simulator))
    runner._wallet._funds = None
    fault = {"kind": "http", "at": "/v5/account/wallet-balance", "status": 502}
    requests.post(f"{simulator.rest_url}/sim/faults", json={"on": [fault]}, timeout=10)
    name = min(resting)
    exchange.cancel("BTCUSDT", name)
    Order.objects.filter(client_id=name).update(look_after=timezone.now())
    for _ in range(2):
        runner.run_once(bot.pk, exchange, lambda _: None)
    assert set(open_ours(simulator)) == resting - {name}
    assert any("the free balance is not known" in reason for reason in reasons(bot))
    requests.post(f"{simulator.rest_url}/sim/faults", json={"off": "all"}, timeout=10)
    rest(exchange)
    assert len(open_ours(simulator)) == len(resting)
