"""Instruments and grids that the tests of the pure core share."""

from decimal import Decimal

from bots.grid.cells import Grid, build
from bots.grid.levels import GridSpec
from market.types import Instrument, Tick

D = Decimal

BTC = Instrument("BTCUSDT", "BTC", "USDT", D("0.01"), D("0.00000001"), D(5), D(83))
PEPE = Instrument("PEPEUSDT", "PEPE", "USDT", D("0.000000001"), D(1), D(5), D(10) ** 12)
FEE = D("0.001")

# Bybit's published example: 45,000-65,000, 5 grids, 23,610 USDT, price 54,000.
PUBLISHED = GridSpec(lower=D(45000), upper=D(65000), grids=5, capital=D(23610))


def published() -> Grid:
    return build("g1", PUBLISHED, BTC, D(54000))


def tick(price: Decimal | int | str, instrument: Instrument = BTC, time: int = 0) -> Tick:
    price = D(price)
    return Tick(instrument.symbol, price, price - instrument.tick, price + instrument.tick, time)
