"""The spot pairs the simulator lists, with the filters of the real ones (pairs.json)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

from market.types import Instrument, plain, step_round

PAIRS_FILE = Path(__file__).with_name("pairs.json")


@dataclass(frozen=True, slots=True)
class Pair:
    """An instrument with the rest of its listing (Bybit v5, market/instruments-info)."""

    instrument: Instrument
    quote_step: Decimal  # step of quote amounts of market orders (Bybit: quotePrecision)
    max_market_quantity: Decimal  # base
    band: Decimal  # share of the price that a buy may be above it, or a sell below
    listing: Mapping[str, Any]  # the row as Bybit sends it

    @property
    def symbol(self) -> str:
        return self.instrument.symbol

    def ticks(self, price: Decimal) -> int:
        """The price in whole ticks, nearest, half to even."""
        return int((price / self.instrument.tick).to_integral_value(ROUND_HALF_EVEN))

    def price(self, ticks: int) -> Decimal:
        return ticks * self.instrument.tick

    def text(self, ticks: int) -> str:
        """A price for the wire."""
        return plain(self.price(ticks))

    def amount(self, number: Decimal) -> Decimal:
        """A quote amount cut to the exchange's precision."""
        return step_round(number, self.quote_step, ROUND_DOWN)


def load_pairs(file: Path = PAIRS_FILE) -> dict[str, Pair]:
    """Every pair of the data file, by symbol."""
    return {row["symbol"]: pair_of(row) for row in json.loads(file.read_text())}


def pair_of(row: Mapping[str, Any]) -> Pair:
    """A pair as market/instruments-info lists it. Raises ValueError when that is not understood."""
    try:
        lots, risk = row["lotSizeFilter"], row["riskParameters"]
        instrument = Instrument(
            symbol=row["symbol"],
            base=row["baseCoin"],
            quote=row["quoteCoin"],
            tick=Decimal(row["priceFilter"]["tickSize"]),
            lot=Decimal(lots["basePrecision"]),
            min_notional=Decimal(lots["minOrderAmt"]),
            max_limit_quantity=Decimal(lots["maxLimitOrderQty"]),
        )
        return Pair(
            instrument=instrument,
            quote_step=Decimal(lots["quotePrecision"]),
            max_market_quantity=Decimal(lots["maxMarketOrderQty"]),
            # Bybit: buys up to min(max(index, index(1+X) + premium), index(1+Y)), sells mirrored.
            # Our index is the last price, so there is no premium.
            band=min(Decimal(risk["priceLimitRatioX"]), Decimal(risk["priceLimitRatioY"])),
            listing=row,
        )
    except (KeyError, TypeError, ArithmeticError) as error:
        raise ValueError(f"the listing of a pair is not understood: {error!r}") from error
