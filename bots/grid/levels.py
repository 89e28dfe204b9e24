"""The ladder: what a person asks of a grid, and the price levels that follow from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from enum import StrEnum
from itertools import pairwise
from typing import Any

from market.types import Instrument, plain

LEAST_TICKS_A_STEP = 2
_EXACT = Context(prec=60)
_SIGNIFICANT = Context(prec=50)  # drops the rounding noise of logarithms, keeps exact ties exact


class Spacing(StrEnum):
    """How levels are spaced: by equal differences or by equal ratios."""

    ARITHMETIC = "arithmetic"
    GEOMETRIC = "geometric"


class Sizing(StrEnum):
    """What is equal from cell to cell: the base bought or the quote spent."""

    BASE = "base"
    QUOTE = "quote"


class InvalidGrid(ValueError):
    """A grid that cannot be built; `field` names what to change, the text what is accepted."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class GridSpec:
    """A grid as a person asks for it. N grids means N cells and N + 1 levels."""

    lower: Decimal
    upper: Decimal
    grids: int
    capital: Decimal  # quote
    spacing: Spacing = Spacing.ARITHMETIC
    sizing: Sizing = Sizing.BASE
    reserve: Decimal = Decimal("0.05")  # share of the capital that is never put into orders
    shift: int = 0  # steps that the ladder has gone up since it was given (bots/grid/trailing.py)

    @classmethod
    def of(cls, wish: Mapping[str, Any]) -> "GridSpec":
        """The grid of a valid form or body: its fields by name, others left aside."""
        return cls(
            lower=wish["lower"],
            upper=wish["upper"],
            grids=wish["grids"],
            capital=wish["capital"],
            spacing=Spacing(wish["spacing"]),
            sizing=Sizing(wish["sizing"]),
            reserve=wish["reserve"],
        )


def levels(spec: GridSpec, instrument: Instrument) -> tuple[Decimal, ...]:
    """The N + 1 price levels, lowest first, each computed exactly and then rounded to the tick.

    Arithmetic: P_i = L + i (U - L) / N. Geometric: P_i = L (U / L)^(i / N). A ladder that has gone
    up k steps is made of P_k to P_{N + k}.
    Raises InvalidGrid when the range is not one or is too fine for the tick.
    """
    if not 0 < spec.lower < spec.upper:
        raise InvalidGrid("upper", "the upper price must be above the lower, both above zero")
    if spec.grids < 1:
        raise InvalidGrid("grids", "at least one grid is needed")
    places = range(spec.shift, spec.shift + spec.grids + 1)
    prices = tuple(level(spec, instrument, i) for i in places)
    if prices[0] <= 0:
        raise InvalidGrid(
            "lower",
            f"{plain(spec.lower)} is nearer to zero than to the first price of {instrument.symbol}"
            f" ({plain(instrument.tick)})",
        )
    least = LEAST_TICKS_A_STEP * instrument.tick
    if any(high - low < least for low, high in pairwise(prices)):
        raise InvalidGrid(
            "grids",
            f"{spec.grids} grids are too fine for {instrument.symbol}: every step must be at "
            f"least {LEAST_TICKS_A_STEP} ticks ({plain(least)})",
        )
    return prices


def level(spec: GridSpec, instrument: Instrument, i: int) -> Decimal:
    """P_i on the tick; i may be above N."""
    return instrument.price(_exact(spec, i))


def _exact(spec: GridSpec, i: int) -> Decimal:
    if i == spec.grids:
        return spec.upper
    with localcontext(_EXACT):
        if spec.spacing is Spacing.ARITHMETIC:
            return spec.lower + i * (spec.upper - spec.lower) / spec.grids
        power = ((spec.upper / spec.lower).ln() * i / spec.grids).exp() * spec.lower
    return _SIGNIFICANT.plus(power)
