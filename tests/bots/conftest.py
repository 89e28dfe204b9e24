"""A bot on Bybit's published example, deployed and built, without an exchange."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from bots import control, runner, store, terms
from bots.books import reconcile
from bots.grid.cells import build
from bots.grid.levels import GridSpec
from bots.models import Bot
from integrations.bybit.gateway import Gateway
from tests.factories import InstrumentFactory
from tests.grid.examples import BTC

D = Decimal


@pytest.fixture
def bot(db: None) -> Bot:
    """Deployed, not built."""
    InstrumentFactory(tick=BTC.tick, lot=BTC.lot, min_notional=BTC.min_notional)
    spec = GridSpec(D(45000), D(65000), 5, D(23610))
    wish = control.Deployment(slug="btc-usdt", name="BTC/USDT", symbol="BTCUSDT", spec=spec)
    return control.deploy(wish, by="tests")


@pytest.fixture
def running(bot: Bot) -> Bot:
    """Built at 54,000, nothing placed yet."""
    lease = store.take_lease(bot.pk)
    assert lease is not None
    grid = build(bot.config.grid_name, terms.spec_of(bot.config), BTC, D(54000))
    store.create_cells(lease, grid, deployed=1_700_000_000_000)
    store.release(lease)
    bot.refresh_from_db()
    return bot


@pytest.fixture
def tick(bot: Bot, exchange: Gateway) -> Callable[[], None]:
    """Sweep and tick, as the beat does, until nothing is new."""

    def settle() -> None:
        for _ in range(6):
            reconcile.sweep(exchange)
            runner.run_once(bot.pk, exchange, lambda _: None)
        bot.refresh_from_db()

    return settle
