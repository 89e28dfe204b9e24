"""The trigger price that a bot waits for, and the take-profit that ends it, on the double."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from bots import control, runner
from bots.books import reconcile
from bots.grid.levels import GridSpec, InvalidGrid
from bots.models import Bot, Cell
from bots.reports import cards
from integrations.bybit.gateway import Gateway
from market.models import Price
from tests.simulator.fixture import RunningSimulator

D = Decimal
SPEC = GridSpec(D(95500), D(99000), 6, D(25000))

pytestmark = pytest.mark.django_db(transaction=True)
Look = Callable[[Bot, int | str], None]


@pytest.fixture
def look(exchange: Gateway, simulator: RunningSimulator) -> Look:
    """Move the price and tick until nothing is new."""

    def at(bot: Bot, price: int | str) -> None:
        simulator.step({"BTCUSDT": str(price)}, 60)
        Price.objects.update(received_at=timezone.now() - timedelta(minutes=1))
        for _ in range(6):
            reconcile.sweep(exchange)
            runner.run_once(bot.pk, exchange, lambda _: None)
        bot.refresh_from_db()

    return at


def deployed(**targets: object) -> Bot:
    wish = control.Deployment(
        slug="btc-usdt", name="BTC/USDT", symbol="BTCUSDT", spec=SPEC, **targets
    )
    return control.deploy(wish, by="tests")


@pytest.mark.parametrize(("prices", "way"), [((97000, 97900), "rise"), ((98600, 98100), "fall")])
def test_a_bot_waits_for_its_trigger_from_either_side(
    look: Look, exchange: Gateway, prices: tuple[int, int], way: str
) -> None:
    bot = deployed(trigger_price=D(98000))
    for price in prices:
        look(bot, price)
        assert bot.state == Bot.State.DEPLOYING
        assert cards.card(bot)["reason"] == f"waiting for the price to {way} to 98000"
    assert not Cell.objects.exists()
    assert exchange.open_orders() == []
    look(bot, 98000)
    assert (bot.state, bot.reason) == (Bot.State.RUNNING, "")
    assert len(exchange.open_orders()) == 6


def test_an_edit_can_take_the_trigger_away(look: Look) -> None:
    bot = deployed(trigger_price=D(98000))
    look(bot, 97000)
    control.edit(bot, {"trigger_price": None}, by="ann")
    look(bot, 97000)
    assert (bot.state, bot.config.version) == (Bot.State.RUNNING, 2)


@pytest.mark.parametrize("way", [Bot.Exit.SELL, Bot.Exit.KEEP])
def test_the_take_profit_leaves_as_the_config_says(
    look: Look, exchange: Gateway, way: Bot.Exit
) -> None:
    bot = deployed(take_profit=D(99500), on_exit=way)
    look(bot, 97000)
    look(bot, 99400)
    assert bot.state == Bot.State.RUNNING
    look(bot, 96000)
    look(bot, 99600)
    assert bot.state == Bot.State.STOPPED
    assert "reached the take-profit 99500" in bot.reason
    assert exchange.open_orders() == []
    assert reconcile.compare(exchange).differences == []


def test_the_take_profit_needs_the_bid_too(look: Look) -> None:
    from bots.targets import take_profit
    from market.types import Tick

    bot = deployed(take_profit=D(99500))
    look(bot, 97000)
    assert not take_profit(bot, Tick("BTCUSDT", D(99600), D(99499), D(99601), 1))
    bot.refresh_from_db()
    assert bot.state == Bot.State.RUNNING


def test_prices_out_of_order_are_refused_at_deploy_and_at_edit(look: Look) -> None:
    with pytest.raises(InvalidGrid, match="above the upper price 99000") as refusal:
        deployed(take_profit=D(98000))
    assert refusal.value.field == "take_profit"
    bot = deployed()
    for changes in ({"take_profit": D(99000)}, {"stop_loss": D(96000)}, {"upper": D(95000)}):
        with pytest.raises(InvalidGrid):
            control.edit(bot, changes, by="ann")
