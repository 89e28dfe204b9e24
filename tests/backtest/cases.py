"""Real candle files with grids that trade on them, and both implementations asked the same."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import product
from pathlib import Path

from bots.backtest.replay import replay
from bots.backtest.report import figures
from bots.grid import ids
from bots.grid.levels import GridSpec, Sizing, Spacing
from bots.grid.outcome import Outcome, Plan
from market.candlefile import CandleFile
from market.types import Candle, Instrument
from tests.backtest.oracle import Oracle

D = Decimal
FEE = D("0.001")
CANDLES = Path(__file__).with_name("candles")


def pair(symbol: str, tick: str, lot: str) -> Instrument:
    base = symbol.removesuffix("USDT")
    return Instrument(symbol, base, "USDT", D(tick), D(lot), D(5), D(10) ** 12)


BTC = pair("BTCUSDT", "0.01", "0.000001")
BTC_COARSE = pair("BTCUSDT", "0.1", "0.001")
DOGE = pair("DOGEUSDT", "0.00001", "0.1")
MNT = pair("MNTUSDT", "0.0001", "0.01")
PEPE = pair("PEPEUSDT", "0.00000001", "1")


@dataclass(frozen=True)
class Case:
    """A file and a range on it; the comments say why it was chosen."""

    file: str
    instrument: Instrument
    lower: Decimal
    upper: Decimal
    grids: int
    least_fills: int
    maker: Decimal = FEE
    taker: Decimal = FEE

    def candles(self) -> list[Candle]:
        return list(CandleFile(CANDLES / f"{self.file}.csv.gz", self.instrument.symbol))


CASES = [
    # a fall of 7 % in minutes, through the whole grid and back; starts above the range
    Case("BTCUSDT-1m-binance-spot-20241205T1800", BTC, D(95500), D(100000), 18, 60),
    # coarse lots make much dust, which grows to lots; open = close before, no jumps
    Case("BTCUSDT-5m-bybit-perp-20250406T1800", BTC_COARSE, D(75000), D(81000), 20, 200),
    # falls by half in one bar, then stays below; maker and taker differ
    Case(
        "DOGEUSDT-5m-binance-perp-20251010T0600",
        DOGE,
        D("0.17"),
        D("0.26"),
        30,
        60,
        D("0.00036"),
        D("0.00055"),
    ),
    # starts above, comes in; the finest steps
    Case("DOGEUSDT-1m-bybit-perp-20250622T1200", DOGE, D("0.1438"), D("0.1552"), 40, 200),
    # makers are paid: a fee below zero
    Case(
        "MNTUSDT-15m-bybit-perp-20251009T0000",
        MNT,
        D("1.6"),
        D("2.7"),
        25,
        200,
        D("-0.0001"),
        D("0.0006"),
    ),
    # starts below the range: every cell begins by a purchase; trebles
    Case("MNTUSDT-4h-bybit-perp-20250620T0000", MNT, D("0.65"), D("1.9"), 20, 40),
    # a coarse tick: equal highs and lows, prices on levels, levels two ticks apart
    Case("PEPEUSDT-5m-binance-spot-20250512T0000", PEPE, D("0.00001280"), D("0.00001540"), 40, 200),
    # the first open is a level; rises to the sevenfold
    Case("PEPEUSDT-30m-binance-spot-20240224T0000", PEPE, D("0.00000119"), D("0.0000086"), 12, 15),
]
WAYS = list(product(Spacing, Sizing, ("nearest", "color"), ("through", "touch")))


def plan_of(case: Case, spacing: Spacing, sizing: Sizing, path: str, rule: str) -> Plan:
    spec = GridSpec(case.lower, case.upper, case.grids, D(20000), spacing, sizing)
    return Plan(spec, case.instrument, case.maker, case.taker, path, rule)


def oracle_of(plan: Plan, candles: list[Candle]) -> Oracle:
    """The same plan for the second implementation, in its own terms."""
    spec, instrument = plan.spec, plan.instrument
    bars = [(bar.time, *map(Fraction, (bar.open, bar.high, bar.low, bar.close))) for bar in candles]
    return Oracle(
        bars,
        lower=Fraction(spec.lower),
        upper=Fraction(spec.upper),
        grids=spec.grids,
        capital=Fraction(spec.capital),
        spacing=str(spec.spacing),
        sizing=str(spec.sizing),
        reserve=Fraction(spec.reserve),
        maker=Fraction(plan.maker),
        taker=Fraction(plan.taker),
        tick=Fraction(instrument.tick),
        lot=Fraction(instrument.lot),
        path=plan.path,
        fill=plan.rule,
    )


def fills_of(outcome: Outcome) -> list[tuple]:
    return [
        (
            fill.time,
            ids.slot(fill.client_id).cell,
            str(fill.side),
            Fraction(fill.price),
            Fraction(fill.quantity),
            Fraction(fill.fee),
        )
        for fill in outcome.fills
    ]


RATIOS = {"max_drawdown", "apr_grid", "apr_total", "fills_per_day", "out_of_range_share"}


def agree(plan: Plan, candles: list[Candle]) -> Outcome:
    """Run both; compare fill by fill and figure by figure. The engine's outcome is returned."""
    outcome, oracle = replay(plan, candles), oracle_of(plan, candles)
    assert fills_of(outcome) == oracle.fills
    told, expected = figures(outcome), oracle.figures()
    quantity = told.pop("quantity")
    bought = [quantity] * plan.spec.grids if isinstance(quantity, str) else quantity
    assert list(map(Fraction, bought)) == oracle.quantities
    assert list(map(Fraction, told.pop("levels"))) == expected.pop("levels")
    assert told.keys() == expected.keys()
    for name, value in expected.items():
        said = told[name]
        assert isinstance(said, int if name in COUNTS else str | None), name
        if name in RATIOS and value is not None:
            assert abs(Fraction(said) - value) <= Fraction(1, 10**12), name
        else:
            assert (None if said is None else Fraction(said)) == value, name
    residual = outcome.grid_profit + outcome.inventory_pnl + outcome.floating - outcome.total_pnl
    assert residual == 0
    return outcome


COUNTS = {"candles", "fills", "buys", "sells", "round_trips"}
