"""A month behind the furnished house: 5,000 fills, its worth, guards, the market, backtests."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from itertools import cycle, islice

import pytest
from django.conf import settings

from bots.backtest import runs, tapes
from bots.books import days, highs, ledger
from bots.grid import ids
from bots.models import Backtest, Bot, Cell, Fill, Order, RoundTrip
from bots.reports import standing
from bots.safety import guarding
from integrations.coingecko import overview
from market import ingest
from market.types import Candle, OrderStatus, Side, TimeInForce, moment
from risk.guards import Level, Reading
from risk.models import EquityPoint
from tests.browser.house import QUARTER_MS, market
from tests.browser.venue import PAIRS, START, Venue
from tests.integrations.fake_coingecko import FakeCoinGecko

FILLS = 5_000
DAYS = 30
HOUR_MS = 3_600_000
BOTS = 4
PASSAGES = FILLS // BOTS // 2  # of each bot
STEP = timedelta(days=DAYS) / PASSAGES
FIRST_TRIP = 1_000  # of these; the engine's own count on from nought
FEE = Decimal("0.001")


def live_in() -> None:
    """Add a month to a furnished house."""
    ledger.open_books(Venue())
    ingest.record_candles([bar for symbol in PAIRS for bar in _hours(symbol)])
    for bot in Bot.objects.select_related("config"):
        _trade(bot)
    EquityPoint.objects.bulk_create(_worths())
    watch()
    look_around()
    for grids in (12, 18):
        replayed(grids)
    highs.keep([None])
    days.keep()
    standing.keep()


def watch() -> None:
    """Guards that have measured: one warns, one is tripped, the others are clear."""
    share = Decimal("0.013")
    note("equity", "all", share, Decimal("0.3"), "share lost")
    for symbol in PAIRS:
        note("volatility", f"pair:{symbol}", share, Decimal("0.03"), "share a minute")
    note("clock", "all", Decimal(3), Decimal(1000), "ms")
    note("reconcile", "all", Decimal(0), Decimal(0), "orders")
    fall, limit = Decimal("0.024"), Decimal("0.02")
    did = "buys withheld: BTC moved 2.4 % within 60 minutes"
    note("BTC gate", guarding.BTC_FILTERED, fall, limit, "share an hour")
    note("BTC gate", guarding.BTC_FILTERED, fall, limit, "share an hour", did=did)


def note(
    name: str, subject: str, value: Decimal, limit: Decimal, unit: str, *, did: str = ""
) -> None:
    """What a guard measured; it is tripped where it did something."""
    level = Level.TRIPPED if did else Level.CLEAR
    guarding.note(Reading(name, subject, value, limit, unit, level, did, no_buys=True))


def look_around() -> None:
    """The whole market, as CoinGecko would tell it."""
    with pytest.MonkeyPatch.context() as patch, FakeCoinGecko() as gecko:
        patch.setattr(settings, "COINGECKO_BASE_URL", gecko.url)
        assert overview.refresh()


def replayed(grids: int) -> Backtest:
    """A backtest of DOGE on the bundled tape, carried out."""
    file = next(name for symbol, name in tapes.tapes() if symbol == "DOGEUSDT")
    row = Backtest.objects.create(
        symbol="DOGEUSDT", source=file, lower="0.129", upper="0.145", grids=grids,
        capital=1500, asked_by="ann",
    )  # fmt: skip
    runs.carry_out(row.pk)
    return row


def _hours(symbol: str) -> Iterator[Candle]:
    """Closes of every hour before the house's own day: slow waves around the price."""
    count = (DAYS - 1) * 24
    begin = START - 96 * QUARTER_MS - count * HOUR_MS
    for i in range(count):
        swing = Decimal((i * 5) % 61 - 30) / 1600
        close = PAIRS[symbol].price(market(symbol) * (1 + swing))
        yield Candle(
            symbol, "1", begin + i * HOUR_MS, close, close, close, close, Decimal(1), close
        )


def _worths() -> Iterator[EquityPoint]:
    """A point each five minutes: a slow gain with a dip in it."""
    count = DAYS * 288
    for i in range(count):
        dip = Decimal(min(abs(i - count // 2), 400) - 400)
        worth = Decimal(33_400) + Decimal(i) / 12 + dip + (i * 7) % 40
        at = moment(START) - timedelta(minutes=5 * (count - i))
        yield EquityPoint(subject="all", time=at, equity=worth, given=Decimal(34_000))


def _trade(bot: Bot) -> None:
    """Round trips of a bot's cells in turn, evenly over the month; the ledger books each fill."""
    turns = list(enumerate(islice(cycle(Cell.objects.filter(config=bot.config_id)), PASSAGES)))
    pairs = [
        [_order(bot, cell, number, side) for side in (Side.BUY, Side.SELL)]
        for number, cell in turns
    ]
    orders = [order for pair in pairs for order in pair]
    Order.objects.bulk_create(orders)
    Fill.objects.bulk_create([_fill(order) for order in orders])
    RoundTrip.objects.bulk_create(
        [_trip(cell, number, *pair) for (number, cell), pair in zip(turns, pairs, strict=True)]
    )


def _order(bot: Bot, cell: Cell, number: int, side: Side) -> Order:
    assert bot.config is not None
    buys = side is Side.BUY
    at = moment(START) - STEP * (PASSAGES - number) + STEP / (3 if buys else 2)
    slot = ids.Slot(bot.config.grid_name, cell.index, FIRST_TRIP + number, ids.kind_of(side), 0)
    quantity = cell.quantity if buys else PAIRS[bot.symbol].quantity(cell.quantity * (1 - FEE))
    late = timedelta(milliseconds=40 + number % 90)
    return Order(
        client_id=ids.client_id(slot),
        order_id=f"old-{bot.pk}-{number}-{side}",
        bot=bot,
        config=bot.config,
        cell=cell.index,
        symbol=bot.symbol,
        side=side,
        price=cell.low if buys else cell.high,
        quantity=quantity,
        filled=quantity,
        time_in_force=TimeInForce.POST_ONLY,
        status=OrderStatus.FILLED,
        settled=True,
        caused_at=at,
        sent_at=at + late / 2,
        acknowledged_at=at + late,
    )


def _fill(order: Order) -> Fill:
    sells = order.side == Side.SELL
    assert order.caused_at is not None
    return Fill(
        exec_id=f"fill-{order.order_id}",
        order=order,
        bot=order.bot,
        symbol=order.symbol,
        side=order.side,
        price=order.price,
        quantity=order.quantity,
        fee=order.quantity * FEE * (order.price if sells else 1),
        fee_coin="USDT" if sells else PAIRS[order.symbol].base,
        is_maker=True,
        time=order.caused_at,
        booked=True,
    )


def _trip(cell: Cell, number: int, buy: Order, sell: Order) -> RoundTrip:
    cost, proceeds = buy.quantity * buy.price, sell.quantity * sell.price * (1 - FEE)
    return RoundTrip(
        bot=buy.bot,
        config_id=cell.config_id,
        cell=cell.index,
        trip=FIRST_TRIP + number,
        entry=False,
        bought=buy.quantity,
        sold=sell.quantity,
        cost=cost,
        proceeds=proceeds,
        grid_profit=proceeds - cost,
        inventory_pnl=Decimal(0),
        opened=buy.caused_at,
        closed=sell.caused_at,
    )
