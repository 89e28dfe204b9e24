"""The ledger: posted by the database with every fact, balanced, append-only, and equal to them."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, IntegrityError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from bots import control, store
from bots.books import facts, identity, ledger, posting
from bots.engine import decide
from bots.grid.cells import build
from bots.grid.levels import GridSpec
from bots.models import Booking, BookLine, Bot, CapitalMove, Cell, Fill, Order, RoundTrip, Shift
from bots.terms import spec_of
from market.models import Instrument
from market.types import Fill as Execution
from market.types import OrderStatus, Side
from risk.rules import FREE
from tests.factories import InstrumentFactory, PriceFactory
from tests.grid.examples import BTC, tick
from tests.thorough import examples

D = Decimal
START = 1_700_000_000_000
AT = datetime.fromtimestamp(START / 1000, UTC)


@pytest.fixture(autouse=True)
def market(db: None) -> None:
    """BTC/USDT, and MNT at 1.25 for fees that are paid in it."""
    know_market()


def know_market() -> None:
    for symbol, price in (("BTCUSDT", D(54_000)), ("MNTUSDT", D("1.25"))):
        InstrumentFactory(symbol=symbol, tick=BTC.tick, lot=BTC.lot, min_notional=BTC.min_notional)
        PriceFactory(symbol=symbol, last=price, time=AT)


def lines(cause: Fill | CapitalMove) -> set[tuple[str, str, Decimal]]:
    found = BookLine.objects.filter(booking__in=cause.bookings.all())
    return {(line.account, line.coin, line.amount.normalize()) for line in found}


def trade(bot: Bot, index: int, at: int, fee: Callable[[Order], tuple[Decimal, str]]) -> Fill:
    """The whole of a cell's order is executed; the bot looks before and after."""
    look(bot)
    order = Order.objects.exclude(status=OrderStatus.FILLED).get(cell=index, settled=False)
    amount, coin = fee(order)
    price = min(order.price, D(54_000)) if order.side == Side.BUY else order.price
    facts.record_fill(
        Execution(
            f"e{at}", "1", order.client_id, order.symbol, Side(order.side), price, order.quantity,
            amount, coin, True, START + at,
        )
    )  # fmt: skip
    Order.objects.filter(pk=order.pk).update(status=OrderStatus.FILLED, filled=order.quantity)
    look(bot)
    return Fill.objects.get(exec_id=f"e{at}")


def look(bot: Bot) -> None:
    lease = store.take_lease(bot.pk)
    loaded = store.load(bot.config, BTC)
    decision = decide(loaded.grid, loaded.fills, loaded.orders, tick(54_000), FREE)
    store.save(lease, loaded, decision)
    Order.objects.filter(status=OrderStatus.NEW).update(status=OrderStatus.OPEN)
    store.release(lease)


def by_rule(order: Order) -> tuple[Decimal, str]:
    """0.1 % of what is received."""
    if order.side == Side.BUY:
        return order.quantity / 1000, "BTC"
    return order.quantity * order.price / 1000, "USDT"


def in_mnt(order: Order) -> tuple[Decimal, str]:
    return D(2), "MNT"


def rebate(order: Order) -> tuple[Decimal, str]:
    """As Bybit pays one: in what is given."""
    if order.side == Side.BUY:
        return -order.quantity * order.price / 10_000, "USDT"
    return -(order.quantity / 10_000).quantize(D("1e-12")), "BTC"


def test_the_first_balance_and_a_grids_capital(bot: Bot) -> None:
    move = CapitalMove.objects.create(coin="USDT", amount=34_000, reason="opening", opening=True)
    assert lines(move) == {("free", "USDT", D("3.4E+4")), ("outside", "USDT", D("-3.4E+4"))}
    begin(bot)
    assert identity.purse(bot) == identity.Purse(D(23_610), D(0), D(23_610))
    free = BookLine.objects.filter(account="free").values_list("amount", flat=True)
    assert sum(free) == 34_000 - 23_610
    assert ledger.balances()["USDT"] == 34_000


def begin(bot: Bot) -> None:
    lease = store.take_lease(bot.pk)
    grid = build(bot.config.grid_name, spec_of(bot.config), BTC, D(54_000))
    store.create_cells(lease, grid, deployed=START)
    store.release(lease)
    bot.refresh_from_db()


def test_a_buy_with_its_fee_in_base(running: Bot) -> None:
    fill = trade(running, 2, 1000, by_rule)  # 0.08795882 at 53,000
    bought, paid, fee = D("0.08795882"), D("4661.81746"), D("0.00008795882")
    assert lines(fill) == {
        ("bot", "BTC", bought), ("market", "BTC", -bought),
        ("bot", "USDT", -paid), ("market", "USDT", paid),
        ("bot", "BTC", -fee), ("fees", "BTC", fee),
    }  # fmt: skip
    assert identity.residual(running).is_zero


def test_a_fee_in_a_third_coin_is_paid_by_the_account_and_made_good_by_the_grid(
    running: Bot,
) -> None:
    """2 MNT at 1.25 are 2.5 USDT, of the cost of what was bought and of what was sold."""
    bought = trade(running, 2, 1000, in_mnt)
    assert bought.fee_worth == D("2.5")
    assert {("free", "MNT", D(-2)), ("fees", "MNT", D(2))} <= lines(bought)
    assert {("bot", "USDT", D("-2.5")), ("free", "USDT", D("2.5"))} <= lines(bought)
    cell = Cell.objects.get(index=2)
    assert cell.cost == D("4661.81746") + D("2.5")
    trade(running, 2, 2000, in_mnt)  # sold at 57,000: nothing was taken from the coins
    trip = RoundTrip.objects.get()
    assert trip.grid_profit == D("0.08795882") * 4000 - 5
    assert identity.residual(running) == identity.Residual(D(0), D(0))
    assert ledger.balances()["MNT"] == -4


def test_a_fee_that_has_no_price_counts_as_nothing_and_is_kept(running: Bot) -> None:
    fill = trade(running, 2, 1000, lambda _: (D(3), "XYZ"))
    assert fill.fee_worth is None
    assert ledger.balances()["XYZ"] == -3
    assert identity.residual(running).is_zero


def test_a_rebate_is_a_fee_below_zero(running: Bot) -> None:
    trade(running, 2, 1000, rebate)
    trade(running, 2, 2000, rebate)
    assert identity.residual(running).is_zero
    assert RoundTrip.objects.get().grid_profit > D("0.08795882") * 4000


def test_a_fill_of_unknown_coins_is_refused_whole(running: Bot) -> None:
    look(running)
    Instrument.objects.filter(symbol="BTCUSDT").delete()
    with pytest.raises(DatabaseError, match="coins of BTCUSDT are not known"), transaction.atomic():
        trade(running, 2, 1000, by_rule)
    assert not Fill.objects.exists()


def test_an_execution_heard_of_twice_is_posted_once(running: Bot) -> None:
    fill = trade(running, 2, 1000, by_rule)
    assert facts.record_fill(fill.to_domain()) is None
    again = Fill.objects.get()
    again.pk = None
    Fill.objects.bulk_create([again], ignore_conflicts=True)  # as by a rival between two looks
    assert Booking.objects.filter(kind="fill").count() == 1


def test_an_edit_moves_capital_once(running: Bot) -> None:
    config = control.edit(running, {"capital": D(20_000)}, by="tests")
    grid = build(config.grid_name, spec_of(config), BTC, D(54_000))
    store.create_successor(config, grid)
    assert identity.purse(running).capital == 20_000
    moved = Booking.objects.filter(kind="capital").order_by("id")
    assert [booking.lines.get(account="bot").amount for booking in moved] == [23_610, -3_610]


# --- what the database refuses -------------------------------------------------------------------


@pytest.fixture
def booked(running: Bot) -> Iterator[Bot]:
    trade(running, 2, 1000, by_rule)
    yield running
    assert Booking.objects.exists()


@pytest.mark.parametrize("table", ["bots_booking", "bots_bookline"])
@pytest.mark.parametrize("words", ["UPDATE {} SET id = id", "DELETE FROM {}"])
def test_nothing_posted_is_changed(booked: Bot, table: str, words: str) -> None:
    with (
        pytest.raises(DatabaseError, match="the ledger is append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(words.format(table))


@pytest.mark.parametrize("words", ["UPDATE {} SET trip = 2", "DELETE FROM {}"])
def test_no_step_up_is_changed(running: Bot, words: str) -> None:
    step = dict.fromkeys(("was_low", "was_high", "was_quantity", "low", "high", "quantity"), 1)
    Shift.objects.create(config=running.config, cell=0, trip=1, price=1, time=1, **step)
    with (
        pytest.raises(DatabaseError, match="trailed up are append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(words.format("bots_shift"))
    assert Shift.objects.get().trip == 1


def test_a_booking_off_balance_cannot_be_committed(booked: Bot) -> None:
    with transaction.atomic():
        point = transaction.savepoint()
        BookLine.objects.create(
            booking=Booking.objects.first(), account="free", coin="USDT", amount=1
        )
        with pytest.raises(IntegrityError, match=r"off balance by 1\.0+ USDT"):
            connection.check_constraints()
        transaction.savepoint_rollback(point)


def test_the_balance_is_looked_at_when_it_is_committed(booked: Bot) -> None:
    booking = Booking.objects.first()
    for amount in (1, -1):
        BookLine.objects.create(booking=booking, account="free", coin="USDT", amount=amount)
    connection.check_constraints()


# --- rebuilding ----------------------------------------------------------------------------------


def told(*words: str) -> str:
    out = StringIO()
    call_command("rebuild", *words, stdout=out)
    return out.getvalue()


def test_the_ledger_is_what_its_causes_say(booked: Bot) -> None:
    CapitalMove.objects.create(coin="USDT", amount=34_000, reason="opening", opening=True)
    trade(booked, 2, 2000, in_mnt)
    assert list(posting.mistakes()) == []
    assert "0 differences" in told()


def test_a_fact_that_was_tampered_with_is_found_and_corrected(booked: Bot) -> None:
    Fill.objects.update(fee=D("0.00009"))
    with pytest.raises(CommandError, match="differences"):
        told()
    said = told("--write")
    assert "ledger of fill e1000" in said
    assert Booking.objects.filter(kind="correction").count() == 1
    assert list(posting.mistakes()) == []
    assert identity.residual(booked).is_zero


def test_cells_that_left_the_ledger_are_seen(booked: Bot) -> None:
    Cell.objects.filter(index=2).update(held=D("0.08"))
    assert not identity.residual(booked).is_zero
    with pytest.raises(CommandError):
        told()


class AnyTrading(TestCase):
    """Any trades with any fees keep the identity, coin by coin, and the ledger its causes."""

    @examples(12)
    @given(
        st.lists(
            st.tuples(
                st.integers(0, 4),
                st.sampled_from(["BTC", "USDT", "MNT"]),
                st.decimals("-0.002", "0.009", places=4),
            ),
            max_size=8,
        )
    )
    def test_identity(self, moves: list[tuple[int, str, Decimal]]) -> None:
        know_market()
        bot = deployed()
        for number, (cell, coin, rate) in enumerate(moves):

            def fee(order: Order, coin: str = coin, rate: Decimal = rate) -> tuple[Decimal, str]:
                amount = {"BTC": order.quantity, "USDT": order.quantity * order.price, "MNT": D(9)}
                return (amount[coin] * rate).quantize(D("1e-15")), coin

            trade(bot, cell, number + 1, fee)
        rest = identity.residual(bot)
        assert rest == identity.Residual(D(0), D(0)), rest
        assert list(posting.mistakes()) == []


def deployed() -> Bot:
    spec = GridSpec(D(45000), D(65000), 5, D(23610))
    wish = control.Deployment(slug="btc-usdt", name="BTC/USDT", symbol="BTCUSDT", spec=spec)
    bot = control.deploy(wish, by="tests")
    begin(bot)
    return bot
