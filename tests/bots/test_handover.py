"""Hot edits on the real exchange double: few orders touched, books exact, failures rolled back."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from bots import control, handover, runner, store
from bots.books import facts, ledger, rebuild, reconcile
from bots.grid.levels import GridSpec
from bots.models import Bot, CapitalMove, Cell, Order
from bots.reports import cards
from integrations.bybit.gateway import Gateway
from market.models import Instrument, Price
from market.types import Fill as Execution
from market.types import OrderStatus, Side
from risk.models import AuditRow
from tests.simulator.fixture import RunningSimulator

D = Decimal
SPEC = GridSpec(D(95500), D(99000), 12, D(25000))

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def bot(simulator: RunningSimulator) -> Bot:
    simulator.step({"BTCUSDT": "97000"})
    wish = control.Deployment(slug="btc-usdt", name="BTC/USDT", symbol="BTCUSDT", spec=SPEC)
    return control.deploy(wish, by="tests")


def move(simulator: RunningSimulator, price: int) -> None:
    """Move the price and let our own copy of it age."""
    simulator.step({"BTCUSDT": str(price)}, 60)
    Price.objects.update(received_at=timezone.now() - timedelta(minutes=1))


def is_exact(bot: Bot, exchange: Gateway) -> None:
    """Orders, executions and wallet agree; the residual is zero; every version rebuilds."""
    assert reconcile.compare(exchange).differences == []
    card = cards.card(bot)
    opening = dict(CapitalMove.objects.values_list("coin", "amount"))
    base, quote = (ledger.balances()[coin] - opening.get(coin, D(0)) for coin in ("BTC", "USDT"))
    assert D(card["total"]) == quote + base * D(card["price"]["last"])
    for config in bot.configs.all():
        again = rebuild.rebuild(config)
        assert again is None or list(rebuild.differences(again)) == []


def resting(exchange: Gateway) -> set[str]:
    return {order.client_id for order in exchange.open_orders()}


def over_the_cap(bot: Bot) -> int:
    """Cells whose order would lead beyond the capital: more is held than the version would buy."""
    return bot.config.cells.filter(reason__startswith="risk: ").count()


def test_an_edit_of_the_stop_touches_no_order(
    bot: Bot, tick: Callable[[], None], exchange: Gateway
) -> None:
    tick()
    before = resting(exchange)
    control.edit(bot, {"stop_loss": D(94000)}, by="ann")
    tick()
    assert (bot.config.version, bot.config.stop_loss, bot.next_config) == (2, 94000, None)
    assert resting(exchange) == before
    assert Order.objects.filter(config=bot.config, settled=False).count() == 12
    is_exact(bot, exchange)


def test_kept_orders_trade_on_in_the_new_version(
    bot: Bot, tick: Callable[[], None], exchange: Gateway, simulator: RunningSimulator
) -> None:
    tick()
    sells = {order.client_id for order in exchange.open_orders() if order.side is Side.SELL}
    control.edit(bot, {"capital": D(24500)}, by="ann")
    tick()
    assert sells <= resting(exchange), "what is held goes on being sold"
    assert len(resting(exchange)) == 12
    for price in (96000, 98000, 95600, 98900, 97000):
        move(simulator, price)
        tick()
        is_exact(bot, exchange)
    assert bot.config.round_trips.count() > 5
    assert bot.config.round_trips.filter(trip=0, entry=True).exists()


def test_less_capital_is_never_passed_while_more_is_held(
    bot: Bot, tick: Callable[[], None], exchange: Gateway
) -> None:
    tick()
    control.edit(bot, {"capital": D(15000)}, by="ann")
    tick()
    cells = bot.config.cells.all()
    buys = [order for order in exchange.open_orders() if order.side is Side.BUY]
    exposed = sum((cell.cost for cell in cells), D(0))
    assert exposed + sum((order.price * order.quantity for order in buys), D(0)) <= 15000
    assert over_the_cap(bot) + len(resting(exchange)) == 12
    is_exact(bot, exchange)


def test_another_ladder_takes_the_coins_over(
    bot: Bot, tick: Callable[[], None], exchange: Gateway, simulator: RunningSimulator
) -> None:
    tick()
    for price in (95600, 97500, 96200):
        move(simulator, price)
        tick()
    held = sum((cell.held for cell in Cell.objects.filter(config=bot.config)), D(0))
    control.edit(bot, {"lower": D(95000), "upper": D(99500), "grids": 9}, by="ann")
    tick()
    openings = bot.config.openings.all()
    assert sum((row.held for row in openings), D(0)) == held
    assert len(resting(exchange)) + over_the_cap(bot) == 9
    assert not Cell.objects.exclude(config=bot.config).exclude(held=0, cost=0).exists()
    is_exact(bot, exchange)
    for price in (98000, 95100, 99400):
        move(simulator, price)
        tick()
    is_exact(bot, exchange)
    told_of = AuditRow.objects.filter(who="ann").values_list("what", flat=True)
    assert [what for what in told_of if what.startswith("edit")].count("edit carried out") == 1
    bot.config.openings.filter(held__gt=0).update(cost=1)
    told = list(rebuild.differences(rebuild.rebuild(bot.configs.get(version=1))))
    assert len(told) == 1
    assert "v2 took cost" in told[0]


def test_an_edit_that_cannot_be_built_leaves_the_old_version_at_work(
    bot: Bot, tick: Callable[[], None], exchange: Gateway
) -> None:
    tick()
    before = resting(exchange)
    control.edit(bot, {"capital": D(20)}, by="ann")
    tick()
    assert (bot.config.version, bot.next_config) == (1, None)
    assert resting(exchange) == before
    assert "20 USDT over 12 grids" in AuditRow.objects.get(what="edit given up").reason
    is_exact(bot, exchange)


def test_a_paused_bot_is_edited_and_a_stopped_one_is_not(
    bot: Bot, tick: Callable[[], None], exchange: Gateway
) -> None:
    tick()
    control.pause(bot, by="ann")
    control.edit(bot, {"capital": D(20000)}, by="ann")
    tick()
    assert (bot.state, bot.config.version) == (Bot.State.PAUSED, 2)
    assert {order.side for order in exchange.open_orders()} == {Side.SELL}
    control.edit(bot, {"capital": D(10000)}, by="ann")
    control.stop(bot, exit=Bot.Exit.SELL, by="ann")
    assert bot.next_config is None, "no edit outlives the wish to stop"
    tick()
    assert (bot.state, bot.config.version) == (Bot.State.STOPPED, 2)
    with pytest.raises(control.NotPossible, match="only a bot at work"):
        control.edit(bot, {"capital": D(10000)}, by="ann")
    is_exact(bot, exchange)


def test_a_bot_that_waits_for_its_first_price_is_built_as_edited(
    bot: Bot, tick: Callable[[], None], exchange: Gateway
) -> None:
    control.edit(bot, {"grids": 6}, by="ann")
    tick()
    assert (bot.config.version, len(resting(exchange))) == (2, 6)
    is_exact(bot, exchange)


def test_an_order_believed_dead_that_fills_after_the_edit_is_booked(
    bot: Bot, tick: Callable[[], None], exchange: Gateway
) -> None:
    """Its look-ups found nothing, its version ended; then the exchange tells of a fill."""
    tick()
    row = Order.objects.filter(status=OrderStatus.OPEN, side=Side.BUY).first()
    lost = Order.objects.create(
        client_id=row.client_id[:-1] + "9", bot=bot, config=bot.config, cell=row.cell,
        symbol=row.symbol, side=row.side, price=row.price, quantity=row.quantity,
        time_in_force=row.time_in_force, status=OrderStatus.REJECTED, settled=True,
    )  # fmt: skip
    control.edit(bot, {"stop_loss": D(94000)}, by="ann")
    tick()
    held = sum((cell.held for cell in bot.config.cells.all()), D(0))
    facts.record_fill(
        Execution("late", "77", lost.client_id, "BTCUSDT", Side.BUY, lost.price, lost.quantity,
                  D(0), "BTC", True, 1_800_000_000_000)
    )  # fmt: skip
    lease = store.take_lease(bot.pk)
    pair = Instrument.objects.get(symbol="BTCUSDT").to_domain()
    assert handover.adopt_late(lease, store.load(bot.config, pair).grid)
    store.release(lease)
    runner.run_once(bot.pk, exchange, lambda _: None)
    now = sum((cell.held for cell in bot.config.cells.all()), D(0))
    assert now == held + lost.quantity
    for config in bot.configs.all():
        assert list(rebuild.differences(rebuild.rebuild(config))) == []
