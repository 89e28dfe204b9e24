"""Ticks on the real exchange double: every way an order can come to be unknown, and come back."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from bots import control, lookup, runner, store
from bots.books import ledger, reconcile
from bots.grid.levels import GridSpec
from bots.journal import DatabaseJournal
from bots.models import Bot, CapitalMove, Cell, Fill, Order, RoundTrip
from bots.reports import cards
from integrations.bybit.gateway import Gateway
from market import ingest
from market.types import OrderStatus, Side
from tests.simulator.fixture import RunningSimulator

D = Decimal
SPEC = GridSpec(D(95500), D(99000), 12, D(25000))

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def bot(simulator: RunningSimulator) -> Bot:
    simulator.step({"BTCUSDT": "97000"})
    wish = control.Deployment(slug="btc-usdt", name="BTC/USDT", symbol="BTCUSDT", spec=SPEC)
    return control.deploy(wish, by="tests")


@pytest.fixture
def tick(bot: Bot, exchange: Gateway) -> Callable[[], None]:
    """Sweep and tick, as the beat does, until nothing is new."""

    def settle() -> None:
        for _ in range(6):
            reconcile.sweep(exchange)
            runner.run_once(bot.pk, exchange, lambda _: None)
        bot.refresh_from_db()

    return settle


def move(simulator: RunningSimulator, price: int) -> None:
    """Move the price and let our own copy of it age."""
    simulator.step({"BTCUSDT": str(price)}, 60)
    from market.models import Price

    Price.objects.update(received_at=timezone.now() - timedelta(minutes=1))


def agree(exchange: Gateway) -> None:
    assert reconcile.compare(exchange).differences == []


def test_a_bot_deploys_and_rests_an_order_a_cell(
    bot: Bot, tick: Callable[[], None], exchange: Gateway
) -> None:
    tick()
    assert bot.state == Bot.State.RUNNING
    card = cards.card(bot)
    assert card["resting"] == {"buys": 6, "sells": 6, "withheld": 0, "in_flight": 0}
    assert CapitalMove.objects.get(coin="USDT").opening
    agree(exchange)


def test_round_trips_come_in_and_the_total_is_the_equity(
    bot: Bot, tick: Callable[[], None], exchange: Gateway, simulator: RunningSimulator
) -> None:
    tick()
    for price in (96000, 98000, 95600, 98900, 97000):
        move(simulator, price)
        tick()
    agree(exchange)
    assert RoundTrip.objects.count() > 5
    assert not Order.objects.filter(bot=bot, status=OrderStatus.UNKNOWN).exists()
    card = cards.card(bot)
    opening = dict(CapitalMove.objects.values_list("coin", "amount"))
    base, quote = (ledger.balances()[coin] - opening.get(coin, D(0)) for coin in ("BTC", "USDT"))
    assert D(card["total"]) == quote + base * D(card["price"]["last"]), "the residual is zero"


def test_a_pause_cancels_buys_and_resume_brings_them_back(
    bot: Bot, tick: Callable[[], None], exchange: Gateway
) -> None:
    tick()
    control.pause(bot, by="ann")
    tick()
    assert {order.side for order in exchange.open_orders()} == {Side.SELL}
    assert cards.card(bot)["resting"]["withheld"] == 6
    control.resume(bot)
    tick()
    assert len(exchange.open_orders()) == 12
    agree(exchange)


@pytest.mark.parametrize("way", list(Bot.Exit))
def test_every_way_to_stop_ends_flat_of_orders(
    bot: Bot,
    tick: Callable[[], None],
    exchange: Gateway,
    simulator: RunningSimulator,
    way: Bot.Exit,
) -> None:
    tick()
    control.stop(bot, exit=way, by="ann", reason="holiday")
    tick()
    if way == Bot.Exit.LADDER:
        assert bot.state == Bot.State.STOPPING
        assert {order.side for order in exchange.open_orders()} == {Side.SELL}
        move(simulator, 99100)
        tick()
    assert bot.state == Bot.State.STOPPED
    assert exchange.open_orders() == []
    held = sum(Cell.objects.values_list("held", flat=True), D(0))
    assert (held > D("0.1")) == (way == Bot.Exit.KEEP)
    agree(exchange)


def test_an_order_that_never_left_is_placed_again(
    bot: Bot, tick: Callable[[], None], exchange: Gateway
) -> None:
    """A worker dies between committing its intents and sending them."""
    lease = store.take_lease(bot.pk)
    runner_start = runner._start(lease, exchange, ingest.instrument(exchange, "BTCUSDT"))
    price = exchange.tick("BTCUSDT")
    from bots.engine import decide
    from risk.rules import FREE

    decision = decide(runner_start.grid, (), (), price, FREE)
    store.save(lease, runner_start, decision)
    Bot.objects.update(lease_until=timezone.now())
    tick()
    assert Order.objects.filter(status=OrderStatus.NEVER_SENT).count() == 12
    assert len(exchange.open_orders()) == 12
    agree(exchange)


def test_an_order_that_landed_unheard_is_adopted(
    bot: Bot, tick: Callable[[], None], exchange: Gateway
) -> None:
    """A worker dies between sending an order and writing the answer down."""
    tick()
    row = Order.objects.filter(status=OrderStatus.OPEN).first()
    Order.objects.filter(pk=row.pk).update(
        status=OrderStatus.SENT, order_id="", look_after=timezone.now()
    )
    tick()
    row.refresh_from_db()
    assert row.status == OrderStatus.OPEN
    assert Order.objects.count() == len({*Order.objects.values_list("client_id", flat=True)})
    agree(exchange)


def test_an_order_that_never_arrived_is_given_up_only_past_its_time(
    bot: Bot, tick: Callable[[], None], exchange: Gateway
) -> None:
    tick()
    lease = store.take_lease(bot.pk)
    row = Order.objects.filter(status=OrderStatus.OPEN, side=Side.BUY).first()
    exchange.cancel(row.symbol, row.client_id)
    lost = Order.objects.create(
        client_id=row.client_id[:-1] + "9", bot=bot, config=bot.config, cell=row.cell,
        symbol=row.symbol, side=row.side, price=row.price, quantity=row.quantity,
        time_in_force=row.time_in_force, status=OrderStatus.NEW,
    )  # fmt: skip
    Order.objects.filter(pk=lost.pk).update(
        status=OrderStatus.SENT, sent_at=timezone.now(), look_after=timezone.now()
    )
    store.release(lease)
    tick()
    lost.refresh_from_db()
    assert lost.status == OrderStatus.SENT, "not before its deadline"
    for _ in range(lookup.NEGATIVE_ROUNDS):
        Order.objects.filter(pk=lost.pk).update(
            sent_at=timezone.now() - timedelta(minutes=1), look_after=timezone.now()
        )
        runner.run_once(bot.pk, exchange, lambda _: None)
    lost.refresh_from_db()
    assert (lost.status, lost.reason) == (OrderStatus.REJECTED, "it never reached the exchange")
    tick()
    agree(exchange)


def test_fills_that_no_stream_told_of_are_found_by_the_sweep(
    bot: Bot, tick: Callable[[], None], exchange: Gateway, simulator: RunningSimulator
) -> None:
    tick()
    before = Fill.objects.count()
    move(simulator, 96000)
    reconcile.sweep(exchange)
    assert Fill.objects.count() == before + 4
    tick()
    agree(exchange)


def test_a_foreign_order_is_seen_and_left_alone(
    bot: Bot, tick: Callable[[], None], exchange: Gateway
) -> None:
    from market.types import OrderRequest, TimeInForce

    tick()
    exchange.place(
        OrderRequest("manual", "BTCUSDT", Side.BUY, D(90000), D("0.001"), TimeInForce.GTC)
    )
    tick()
    found = reconcile.compare(exchange)
    assert (found.foreign_orders, found.agrees) == (1, True)


def test_nothing_is_placed_when_the_lease_is_lost_midway(
    bot: Bot, tick: Callable[[], None], exchange: Gateway
) -> None:
    tick()
    lease = store.take_lease(bot.pk)
    Bot.objects.update(epoch=lease.epoch + 1)
    row = Order.objects.filter(status=OrderStatus.OPEN).first()
    assert DatabaseJournal(lease).cancelling([row.to_domain()]) == ()
