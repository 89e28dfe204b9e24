"""Trailing up on the real exchange double: orders, books, edits and rebuilding through shifts."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from django.utils import timezone

from bots import control, edits
from bots.grid.levels import GridSpec, InvalidGrid
from bots.models import Bot, FeeRate, Shift
from bots.reports import cards
from integrations.bybit.gateway import Gateway
from market.types import Side
from risk.models import AuditRow
from tests.bots.test_handover import is_exact, move
from tests.simulator.fixture import RunningSimulator

D = Decimal
SPEC = GridSpec(D(95500), D(98500), 6, D(25000))  # steps of 500

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def bot(simulator: RunningSimulator) -> Bot:
    simulator.step({"BTCUSDT": "97000"})
    wish = control.Deployment(
        slug="btc-usdt", name="BTC/USDT", symbol="BTCUSDT", spec=SPEC, trailing_up=True,
        trailing_cap=D(100500),
    )  # fmt: skip
    return control.deploy(wish, by="tests")


def prices(exchange: Gateway, side: Side) -> list[Decimal]:
    return sorted(order.price for order in exchange.open_orders() if order.side is side)


@pytest.fixture
def risen(
    bot: Bot, tick: Callable[[], None], simulator: RunningSimulator, exchange: Gateway
) -> Bot:
    """It started at 97,000; the price went to 99,400: one step and not two."""
    tick()
    move(simulator, 99400)
    tick()
    tick()
    assert prices(exchange, Side.BUY) == [96000, 96500, 97000, 97500, 98000, 98500]
    return bot


def test_it_follows_the_price_up_to_its_cap_and_not_down(
    risen: Bot, tick: Callable[[], None], simulator: RunningSimulator, exchange: Gateway
) -> None:
    (shift,) = Shift.objects.all()
    assert (shift.was_low, shift.low, shift.high) == (95500, 98500, 99000)
    assert AuditRow.objects.filter(what="trailed up", subject=risen.subject).count() == 1
    is_exact(risen, exchange)
    move(simulator, 102000)
    for _ in range(3):
        tick()
    assert Shift.objects.count() == 4
    assert prices(exchange, Side.BUY)[-1] == 100000
    card = cards.card(risen)
    assert card["position"]["state"] == "above"
    assert "above the cap 100500" in card["position"]["held_down"]
    assert (card["range"]["lower"], card["range"]["upper"]) == ("97500", "100500")
    for price in (99200, 101500, 98000):
        move(simulator, price)
        tick()
        is_exact(risen, exchange)
    move(simulator, 96000)
    tick()
    card = cards.card(risen)
    assert (card["position"]["state"], card["range"]["lower"]) == ("below", "97500")
    assert prices(exchange, Side.BUY) == []
    assert [rung["low"] for rung in card["cells"]] == sorted(
        (rung["low"] for rung in card["cells"]), key=D
    )


def test_an_edit_of_something_else_leaves_the_ladder_where_it_is(
    risen: Bot, tick: Callable[[], None], exchange: Gateway
) -> None:
    before = {order.client_id for order in exchange.open_orders()}
    control.edit(risen, {"stop_loss": D(94000)}, by="ann")
    tick()
    assert (risen.config.version, risen.config.trailed) == (2, 1)
    assert {order.client_id for order in exchange.open_orders()} == before
    control.edit(risen, {"capital": D(20000)}, by="ann")
    tick()
    assert (risen.config.version, risen.config.trailed) == (3, 1)
    assert prices(exchange, Side.BUY) == [96000, 96500, 97000, 97500, 98000, 98500]
    is_exact(risen, exchange)


def test_a_part_of_the_range_given_anew_leaves_the_rest_where_it_is(
    risen: Bot, tick: Callable[[], None], exchange: Gateway, simulator: RunningSimulator
) -> None:
    _, told = edits.look_at(exchange, risen, {"grids": 5})
    assert (told["levels"][0], told["levels"][-1]) == ("96000", "99000")
    control.edit(risen, {"grids": 5}, by="ann")
    tick()
    config = risen.config
    assert (config.lower, config.upper, config.grids, config.trailed) == (96000, 99000, 5, 0)
    is_exact(risen, exchange)
    move(simulator, 98700)
    control.edit(risen, {"lower": D(95500), "upper": D(98500), "grids": 6}, by="ann")
    tick()
    assert prices(exchange, Side.BUY)[0] == 95500, "a person may take it down again"
    is_exact(risen, exchange)


def test_a_range_that_it_may_trail_into_is_taken(bot: Bot) -> None:
    for lower, fits in ((99500, False), (100500, True)):
        wish = control.Deployment(
            slug="above", name="above", symbol="BTCUSDT",
            spec=GridSpec(D(lower), D(lower + 3000), 6, D(2000)),
        )  # fmt: skip
        if fits:
            assert control.deploy(wish, by="ann").state == Bot.State.DEPLOYING
        else:
            with pytest.raises(InvalidGrid, match="trades 95500 and trails up already"):
                control.deploy(wish, by="ann")


def test_a_step_that_would_not_pay_the_accounts_own_fees_is_not_taken(
    bot: Bot, tick: Callable[[], None], simulator: RunningSimulator
) -> None:
    """At 0.3 % a side a round trip of 500 on 98,500 loses; at the usual 0.1 % it would pay."""
    dear = {"maker": D("0.003"), "taker": D("0.003"), "asked_at": timezone.now()}
    FeeRate.objects.create(symbol="BTCUSDT", **dear)
    tick()
    move(simulator, 99400)
    tick()
    assert not Shift.objects.exists()
    assert "would not pay its fees" in cards.card(bot)["position"]["held_down"]
