"""A database from before the ledger: it is brought up to date with every fact of it booked."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Sum
from pytest_django import DjangoDbBlocker

from bots.books import days, ledger, posting
from bots.models import BookLine, Fill, GridConfig
from tests.factories import InstrumentFactory

D = Decimal
NAME = "gridtrader_before_the_ledger"
BEFORE = [("bots", "0010_trailing"), ("market", "0002_series")]
NOON = datetime(2026, 1, 12, 12, tzinfo=UTC)
CELL = {
    "index": 0, "low": D(95_500), "high": D(96_000), "quantity": D("0.02"), "trip": 0,
    "side": "Buy", "entry": False, "opened": 0, "exited": False,
    **dict.fromkeys(("bought", "held", "cost", "buy_fee", "sold", "proceeds"), D(0)),
}  # fmt: skip


def migrate(targets: list[tuple[str, str]] | None = None) -> None:
    """To these, or to today."""
    executor = MigrationExecutor(connection)
    executor.migrate(targets or executor.loader.graph.leaf_nodes())


@pytest.fixture
def old(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Any]:
    """The models of a database of its own, which stands before the ledger."""
    usual = connection.settings_dict["NAME"]
    with django_db_blocker.unblock():
        _use(usual, f"DROP DATABASE IF EXISTS {NAME}", f"CREATE DATABASE {NAME}")
        _use(NAME)
        migrate(BEFORE)
        yield MigrationExecutor(connection).loader.project_state(BEFORE).apps
        _use(usual, f"DROP DATABASE {NAME}")


def _use(name: str, *statements: str) -> None:
    """Talk to the database of that name from now on."""
    connection.close()
    connection.settings_dict["NAME"] = name
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def fill(old: Any, order: Any, number: int, **given: Any) -> None:
    old.get_model("bots", "Fill").objects.create(
        exec_id=f"e{number}", order=order, bot=order.bot, symbol="BTCUSDT", is_maker=True,
        time=NOON + timedelta(minutes=number), booked=True, **given,
    )  # fmt: skip


def order(old: Any, config: Any, name: str, side: str) -> Any:
    return old.get_model("bots", "Order").objects.create(
        client_id=name, bot=config.bot, config=config, cell=0, symbol="BTCUSDT", side=side,
        price=D(95_500), quantity=D("0.02"), time_in_force="PostOnly", status="filled",
        settled=True,
    )  # fmt: skip


def lived_in(old: Any) -> None:
    """One bot with an edit behind it and one that only waits; fees in base, quote and MNT."""
    InstrumentFactory(symbol="BTCUSDT")
    bots, configs = old.get_model("bots", "Bot"), old.get_model("bots", "GridConfig")
    old.get_model("bots", "CapitalMove").objects.create(coin="USDT", amount=D(34_000), opening=True)
    old.get_model("bots", "CapitalMove").objects.create(coin="MNT", amount=D(10), reason="came in")
    bot = bots.objects.create(
        slug="btc", name="BTC", symbol="BTCUSDT", tag="b", state="running", deployed_at=NOON
    )
    shape = {"lower": D(95_500), "upper": D(99_000), "grids": 12}
    first = configs.objects.create(bot=bot, version=1, capital=D(25_000), **shape)
    second = configs.objects.create(bot=bot, version=2, capital=D(20_000), **shape)
    for config in (first, second):
        old.get_model("bots", "Cell").objects.create(
            config=config, attempt=0, crossed=False, **CELL
        )
    old.get_model("bots", "Opening").objects.create(config=second, **CELL)
    waiting = bots.objects.create(slug="doge", name="DOGE", symbol="BTCUSDT", tag="d")
    configs.objects.create(bot=waiting, version=1, capital=D(1_000), **shape)
    buy, sell = order(old, first, "b1", "Buy"), order(old, second, "s1", "Sell")
    fill(old, buy, 1, side="Buy", price=D(95_500), quantity=D("0.02"), fee=D("0.00002"),
         fee_coin="BTC")  # fmt: skip
    fill(old, sell, 2, side="Sell", price=D(96_000), quantity=D("0.015"), fee=D("1.44"),
         fee_coin="USDT")  # fmt: skip
    fill(old, sell, 3, side="Sell", price=D(96_000), quantity=D("0.004"), fee=D("0.3"),
         fee_coin="MNT")  # fmt: skip


def ours(coin: str) -> Decimal:
    found = BookLine.objects.filter(account__in=BookLine.OURS, coin=coin)
    return found.aggregate(sum=Sum("amount"))["sum"] or D(0)


def test_every_old_fact_is_booked_once_and_the_books_balance(old: Any) -> None:
    lived_in(old)
    migrate()

    first, second, waiting = GridConfig.objects.order_by("bot__slug", "version")
    assert first.began_at == NOON, "the first version began when the bot was deployed"
    assert second.began_at is not None
    assert second.began_at > NOON, "the second one when it took over"
    assert waiting.began_at is None, "a version without cells has not begun"

    quote = D(34_000) - D("0.02") * 95_500 + D("0.019") * 96_000 - D("1.44")
    assert (ours("USDT"), ours("BTC"), ours("MNT")) == (quote, D("0.00098"), D("9.7"))
    whole = BookLine.objects.values("coin").annotate(sum=Sum("amount")).values_list("sum")
    assert {amount for (amount,) in whole} == {D(0)}
    grid = BookLine.objects.filter(account="bot", coin="USDT").aggregate(sum=Sum("amount"))["sum"]
    assert grid == D(20_000) + quote - D(34_000), "the newest version's capital, and its trades"
    assert [str(mistake) for mistake in posting.mistakes()] == []
    assert Fill.objects.filter(bookings=None).count() == 0
    assert ledger.balances()["USDT"] == quote, "its days are added up from the facts at once"
    days.keep()
    assert ledger.balances()["USDT"] == quote


def test_an_empty_old_database_comes_forward_too(old: Any) -> None:
    migrate()
    assert not BookLine.objects.exists()
