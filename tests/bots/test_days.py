"""Kept sums of days: what they say is what the facts say, at any moment and whoever writes."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from bots.books import days, ledger
from bots.models import (
    BookLine,
    Bot,
    CapitalMove,
    DayOfBooks,
    DayOfFills,
    DayOfTrips,
    Fill,
    Order,
    RoundTrip,
    StaleDay,
)
from bots.reports import earned
from market.models import Instrument
from market.types import Side
from tests.factories import BotFactory, FillFactory, InstrumentFactory, OrderFactory
from tests.factories import RoundTripFactory as TripFactory
from tests.thorough import examples

D = Decimal
NOON = datetime(2026, 1, 12, 12, tzinfo=UTC)
TODAY = NOON.date()
DAY = timedelta(days=1)
LAST_MS = timedelta(hours=11, minutes=59, seconds=59, milliseconds=999)
Sums = Counter[tuple[Any, ...]]


def view(name: str, *keys: str, sums: tuple[str, ...]) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """The rows of a view by their keys; none may come twice."""
    columns = ", ".join((*keys, *sums))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns} FROM bots_{name}_by_day")  # noqa: S608
        rows = [(tuple(row[: len(keys)]), tuple(row[len(keys) :])) for row in cursor.fetchall()]
    assert len(rows) == len(dict(rows))
    return dict(rows)


def grouped(rows: Iterator[tuple[tuple[Any, ...], tuple[Any, ...]]]) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for key, amounts in rows:
        before = found.get(key, (0,) * len(amounts))
        found[key] = tuple(a + b for a, b in zip(before, amounts, strict=True))
    return found


def day_of(time: datetime) -> date:
    return time.astimezone(UTC).date()


def fills() -> Iterator[tuple[tuple[Any, ...], tuple[Any, ...]]]:
    seen: set[int] = set()
    for fill in Fill.objects.order_by("id"):
        pair = Instrument.objects.get(symbol=fill.symbol)
        rate = {pair.quote: D(1), pair.base: fill.price}.get(fill.fee_coin)
        fee = fill.fee * rate if rate is not None else fill.fee_worth or D(0)
        yield (day_of(fill.time), fill.bot_id), (int(fill.order_id not in seen), fee)
        seen.add(fill.order_id)


def trips() -> Iterator[tuple[tuple[Any, ...], tuple[Any, ...]]]:
    for trip in RoundTrip.objects.all():
        key = (day_of(trip.closed), trip.bot_id, trip.config_id, trip.cell)
        yield key, (1, trip.bought, trip.grid_profit, trip.inventory_pnl)


def books() -> Iterator[tuple[tuple[Any, ...], tuple[Any, ...]]]:
    lines = BookLine.objects.filter(account__in=BookLine.OURS).select_related("booking")
    for line in lines:
        traded = line.booking.fill_id is not None
        key = (day_of(line.booking.at), line.account, line.bot_id, line.coin, traded)
        yield key, (line.amount,)


def agree() -> None:
    """The views, each against its facts added up here; and no kept day differs from them."""
    assert view("fills", "day", "bot_id", sums=("orders", "fees")) == grouped(fills())
    assert view(
        "trips", "day", "bot_id", "config_id", "cell",
        sums=("round_trips", "bought", "grid_profit", "inventory_pnl"),
    ) == grouped(trips())  # fmt: skip
    assert view("books", "day", "account", "bot_id", "coin", "traded", sums=("amount",)) == grouped(
        books()
    )
    assert list(days.differences()) == []


def filled(order: Order, at: datetime, **given: Any) -> Fill:
    half = order.quantity / 2
    fill: Fill = FillFactory(order=order, time=at, quantity=half, **given)
    return fill


class AnyDays(TestCase):
    """Whatever comes in, goes or is kept in whatever order."""

    @examples(60)
    @given(
        st.lists(
            st.one_of(
                st.just(("keep",)),
                st.tuples(
                    st.just("fill"), st.integers(0, 3), st.integers(-2, 1),
                    st.sampled_from(["BTC", "USDT", "MNT"]),
                ),
                st.tuples(st.just("trip"), st.integers(0, 1), st.integers(-2, 1),
                          st.integers(0, 1)),
                st.just(("lost trip",)),
                st.tuples(st.just("capital"), st.sampled_from(["USDT", "MNT"])),
            ),
            max_size=14,
        )
    )  # fmt: skip
    def test_views_are_the_facts(self, steps: list[tuple[Any, ...]]) -> None:
        InstrumentFactory()
        bots = [BotFactory(), BotFactory()]
        orders = [OrderFactory(bot=bots[n % 2], config=bots[n % 2].config) for n in range(4)]
        for step in steps:
            self._do(step, bots, orders)
            agree()
        days.keep()
        assert not StaleDay.objects.exists()
        agree()

    def _do(self, step: tuple[Any, ...], bots: list[Bot], orders: list[Order]) -> None:
        match step:
            case ("keep",):
                days.keep()
            case ("fill", number, day, coin):
                worth = D("0.123") if coin == "MNT" else None
                at = NOON + day * DAY + LAST_MS
                filled(orders[number], at, fee_coin=coin, fee_worth=worth, fee=D("0.000021"))
            case ("trip", number, day, cell):
                at = NOON + day * DAY - timedelta(hours=12)
                TripFactory(bot=bots[number], cell=cell, closed=at, inventory_pnl=D("-0.1"))
            case ("lost trip",):
                RoundTrip.objects.filter(pk__in=RoundTrip.objects.values("pk")[:1]).delete()
            case ("capital", coin):
                CapitalMove.objects.create(coin=coin, amount=D(7), reason="came in")


def test_an_order_filled_over_midnight_counts_on_its_first_day(db: None) -> None:
    order = OrderFactory()
    filled(order, NOON + LAST_MS)
    filled(order, NOON + DAY)
    got = earned.of([order.bot], now=NOON + DAY)[order.bot_id]
    assert (got.fills, got.fills_24h) == (1, 1)
    days.keep()
    kept = DayOfFills.objects.order_by("day").values_list("day", "orders")
    assert list(kept) == [(TODAY, 1), (TODAY + DAY, 0)]
    assert earned.of([order.bot], now=NOON + DAY)[order.bot_id] == got
    assert earned.of([order.bot], until=TODAY)[order.bot_id].fills == 0
    assert earned.of([order.bot], until=TODAY + DAY)[order.bot_id].fills == 1


def test_more_days_than_are_kept_at_once(db: None) -> None:
    bot = BotFactory()
    for number in range(days.AT_ONCE + 2):
        TripFactory(bot=bot, closed=NOON + number * DAY)
    assert days.keep() == days.AT_ONCE + 2
    assert not StaleDay.objects.exists()
    assert DayOfTrips.objects.count() == days.AT_ONCE + 2
    assert days.keep() == 0


# --- others at work at the same time -------------------------------------------------------------


@contextmanager
def another() -> Iterator[Any]:
    """A second connection to the same database."""
    rival = connection.copy()
    try:
        yield rival
    finally:
        rival.close()


COPY = """
INSERT INTO bots_roundtrip (bot_id, config_id, cell, trip, entry, bought, sold, cost, proceeds,
    grid_profit, inventory_pnl, opened, closed)
SELECT bot_id, config_id, cell, trip + 1, entry, bought, sold, cost, proceeds, grid_profit,
    inventory_pnl, opened, closed FROM bots_roundtrip WHERE trip = 0
"""


@pytest.mark.django_db(transaction=True)
def test_a_fact_that_is_committed_after_its_day_was_kept_is_not_lost() -> None:
    trip = TripFactory(trip=0)
    with another() as rival:
        rival.set_autocommit(False)
        with rival.cursor() as cursor:
            cursor.execute(COPY)  # written, and not to be seen yet
        assert days.keep() == 1, "who writes facts does not hold up who keeps days"
        assert DayOfTrips.objects.get().round_trips == 1
        rival.commit()
        rival.set_autocommit(True)
    assert earned.of([trip.bot])[trip.bot_id].round_trips == 2
    agree()
    days.keep()
    assert DayOfTrips.objects.get().round_trips == 2


@pytest.mark.django_db(transaction=True)
def test_who_keeps_days_does_not_hold_up_who_writes_facts() -> None:
    TripFactory(trip=0)
    days.keep()
    with another() as rival, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE bots_staleday IN SHARE UPDATE EXCLUSIVE MODE")
        with rival.cursor() as written:
            written.execute("SET lock_timeout = '1s'")
            written.execute(COPY)
    agree()


# --- and what is tampered with -------------------------------------------------------------------


def test_a_kept_day_that_is_wrong_is_told_and_mended(running: Bot) -> None:
    CapitalMove.objects.create(coin="USDT", amount=34_000, opening=True)
    days.keep()
    DayOfBooks.objects.filter(account="free").update(amount=D(1))
    assert ledger.balances()["USDT"] != 34_000
    with pytest.raises(CommandError, match="4 differences"):
        call_command("rebuild", stdout=StringIO())
    told = StringIO()
    call_command("rebuild", "--write", stdout=told)
    assert "bots_dayofbooks of" in told.getvalue()
    assert "1 kept" in told.getvalue()
    assert ledger.balances()["USDT"] == 34_000
    assert list(days.differences()) == []
    days.keep()
    assert ledger.balances()["USDT"] == 34_000


def test_a_kept_day_without_facts_is_told(db: None) -> None:
    bot = BotFactory()
    DayOfFills.objects.create(day=TODAY, bot=bot, orders=3, fees=D(1))
    assert [day for day, _ in days.differences()] == [TODAY]
    days.mark([TODAY])
    assert days.keep() == 1
    assert not DayOfFills.objects.exists()


def test_a_side_is_as_it_was(db: None) -> None:
    """The orders of the factory buy: what is given is quote."""
    order = OrderFactory(side=Side.BUY)
    filled(order, NOON, fee=D(0))
    days.keep()
    kept = {(row.coin, row.traded): row.amount for row in DayOfBooks.objects.all()}
    assert kept == {("BTC", True): D("0.01"), ("USDT", True): D("-955.005")}
