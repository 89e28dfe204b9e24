"""Everything but the fills can be computed again, and a tampered row is found and mended."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from bots import store
from bots.books import facts, rebuild
from bots.engine import decide
from bots.models import Bot, Cell, Order, RoundTrip
from market.types import Fill as Execution
from market.types import OrderStatus, Side
from risk.rules import FREE
from tests.factories import BotFactory, CellFactory
from tests.grid.examples import BTC, tick

D = Decimal


@pytest.fixture
def traded(running: Bot) -> Bot:
    """The published grid after its entries, two buys and three sales."""
    clock = 1_700_000_000_000
    for cells in ([3, 4], [2], [1, 2], [3]):
        _look(running)
        for index in cells:
            clock += 1000
            order = Order.objects.exclude(status=OrderStatus.FILLED).get(cell=index)
            facts.record_fill(_execution(order, clock))
            Order.objects.filter(pk=order.pk).update(
                status=OrderStatus.FILLED, filled=order.quantity
            )
    _look(running)
    return running


def _look(bot: Bot) -> None:
    lease = store.take_lease(bot.pk)
    loaded = store.load(bot.config, BTC)
    decision = decide(loaded.grid, loaded.fills, loaded.orders, tick(54000), FREE)
    store.save(lease, loaded, decision)
    Order.objects.filter(status=OrderStatus.NEW).update(status=OrderStatus.OPEN)
    store.release(lease)


def _execution(order: Order, time: int) -> Execution:
    buy = order.side == Side.BUY
    price = min(order.price, D(54000)) if buy else order.price
    fee = order.quantity / 1000 if buy else order.quantity * price / 1000
    return Execution(
        f"e{time}", "19", order.client_id, order.symbol, Side(order.side), price,
        order.quantity, fee, "BTC" if buy else "USDT", True, time,
    )  # fmt: skip


def told(*words: str) -> str:
    out = StringIO()
    call_command("rebuild", *words, stdout=out)
    return out.getvalue()


def test_rebuilding_finds_no_difference(traded: Bot) -> None:
    assert RoundTrip.objects.count() == 2
    assert "6 fills, 2 round trips, 0 differences" in told()


@pytest.mark.parametrize("name", ["held", "cost", "proceeds"])
def test_a_tampered_cell_is_found_and_mended(traded: Bot, name: str) -> None:
    Cell.objects.filter(index=1).update(**{name: D("0.5")})
    with pytest.raises(CommandError, match="1 differences"):
        told()
    assert f"cell 1 {name}" in told("--write")
    assert "0 differences" in told()


def test_tampered_missing_and_invented_trips_are_found(traded: Bot) -> None:
    trips = list(RoundTrip.objects.order_by("id"))
    RoundTrip.objects.filter(pk=trips[0].pk).update(grid_profit=D(1000))
    trips[1].delete()
    RoundTrip.objects.create(
        bot=traded, config=traded.config, cell=0, trip=9, entry=False, bought=1, sold=1, cost=1,
        proceeds=2, grid_profit=1, inventory_pnl=0, opened=trips[0].opened, closed=trips[0].closed,
    )  # fmt: skip
    again = rebuild.rebuild(traded.config)
    found = list(rebuild.differences(again))
    assert len(found) == 3
    rebuild.write(again)
    assert not list(rebuild.differences(rebuild.rebuild(traded.config)))
    assert RoundTrip.objects.count() == 2


def test_an_unknown_bot_is_named(db: None) -> None:
    with pytest.raises(CommandError, match="no bot is named nobody"):
        told("--bot", "nobody")


class Meddler(StringIO):
    """An output at whose first line somebody else changes a row and commits it."""

    def __init__(self, row: Cell) -> None:
        super().__init__()
        self._row = row

    def write(self, text: str) -> int:
        if not self.getvalue():
            with ThreadPoolExecutor(1) as pool:
                pool.submit(self._meddle).result()
        return super().write(text)

    def _meddle(self) -> None:
        Cell.objects.filter(pk=self._row.pk).update(held=1)
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_what_changes_meanwhile_is_no_difference(traded: Bot) -> None:
    """All versions are compared as they stood at one moment."""
    later = BotFactory(position=99)
    cell = CellFactory(config=later.config, index=0)
    out = Meddler(cell)
    call_command("rebuild", stdout=out)
    assert f"{later.config}: 0 fills, 0 round trips, 0 differences" in out.getvalue()
    with pytest.raises(CommandError, match="1 differences"):
        call_command("rebuild", stdout=StringIO())
