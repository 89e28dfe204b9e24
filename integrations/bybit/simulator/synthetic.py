"""Seeded made-up prices: minute bars of a week that end where they began, so that they loop.

`synthetic:7` or `synthetic:7:revert` strays and is drawn back; `trend` climbs and falls for hours
on end; `crash` loses much in one moment and recovers slowly; `gap` jumps between two bars, both
ways, several times an hour; `frozen` never moves and nothing is traded.
"""

import random
import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal

from integrations.bybit.simulator.pairs import Pair
from market.types import ZERO, Candle, decimal

START = 1_767_225_600_000  # 2026-01-01T00:00Z
MINUTE = 60_000
BARS = 7 * 24 * 60
CENTRES = {
    "BTCUSDT": "97200",
    "MNTUSDT": "1.08",
    "DOGEUSDT": "0.137",
    "PEPEUSDT": "0.00000447",
}
NOISE = 0.0008  # share of the price, a minute
LEG = (4 * 60, 16 * 60)  # minutes that a trend lasts
SLOPE = 0.0002  # share of the price that a trend moves in a minute
CRASH_EVERY = (18 * 60, 30 * 60)  # minutes
FIRST_CRASH = (20, 40)
CRASH = (0.12, 0.25)  # share of the price
GAP_EVERY = (5, 25)  # minutes
GAP = 0.015  # share of the price, most

# Closes and opens in ticks, relative to nothing: each bar's (open, close) before its wicks.
Bars = Iterator[tuple[int, int]]
Maker = Callable[[int, random.Random], Bars]


def candles(source: str, pairs: Mapping[str, Pair]) -> dict[str, list[Candle]]:
    """The bars of each pair as `synthetic:SEED[:KIND]` says.

    Raises ValueError with one line that says what is wrong.
    """
    match = re.fullmatch(r"synthetic:(\d{1,18})(?::(\w+))?", source)
    if not match:
        raise ValueError(f"{source}: the seed must be a whole number, as in synthetic:7")
    seed, kind = match[1], match[2] or "revert"
    if kind not in KINDS:
        raise ValueError(f"{source}: {kind!r} is none of {', '.join(KINDS)}")
    # The word was not in the name at first: the same seed goes on meaning the same prices.
    salt = "" if kind == "revert" else f"{kind} "
    return {
        symbol: list(
            _bars(
                pairs[symbol],
                pairs[symbol].ticks(decimal(centre)),
                kind,
                # Play money and play prices: nothing here needs an unguessable generator.
                random.Random(f"{seed} {salt}{symbol}"),  # noqa: S311
            )
        )
        for symbol, centre in CENTRES.items()
        if symbol in pairs
    }


def _bars(pair: Pair, centre: int, kind: str, dice: random.Random) -> Iterator[Candle]:
    noise = 0.0 if kind == "frozen" else max(1.0, centre * NOISE)
    for minute, (opened, close) in enumerate(KINDS[kind](centre, dice)):
        wick = [abs(round(dice.gauss(0, noise / 2))) for _ in range(2)]
        high, low = max(opened, close) + wick[0], max(1, min(opened, close) - wick[1])
        value = Decimal(dice.randrange(2_000, 60_000)) if noise else ZERO
        volume = pair.instrument.quantity(value / pair.price(centre))
        yield Candle(
            symbol=pair.symbol,
            interval="1",
            time=START + minute * MINUTE,
            open=pair.price(opened),
            high=pair.price(high),
            low=pair.price(low),
            close=pair.price(close),
            volume=volume,
            turnover=volume * pair.price(close),
        )


def _revert(centre: int, dice: random.Random) -> Bars:
    """Strays from a centre and is drawn back."""
    noise, last = max(1.0, centre * NOISE), centre
    for minute in range(BARS):
        remaining = BARS - minute
        pull = (centre - last) * max(0.002, 1 / remaining)
        close = centre if remaining == 1 else max(1, round(last + pull + dice.gauss(0, noise)))
        yield last, close
        last = close


def _trend(centre: int, dice: random.Random) -> Bars:
    """Climbs for hours, then falls for hours; the last day leads back to where it began."""
    noise, last, slope, left = max(1.0, centre * NOISE), centre, -SLOPE, 0
    for minute in range(BARS):
        if left == 0:
            left, slope = dice.randint(*LEG), -slope
        left -= 1
        remaining = BARS - minute
        back = (centre - last) / remaining if remaining <= DAY_BARS else last * slope
        close = max(1, round(last + back + dice.gauss(0, noise / 2)))
        close = centre if remaining == 1 else close
        yield last, close
        last = close


def _crash(centre: int, dice: random.Random) -> Bars:
    """Calm, until a bar opens far below the last close; then hours of recovery."""
    noise, last, until_crash = max(1.0, centre * NOISE), centre, dice.randint(*FIRST_CRASH)
    for minute in range(BARS):
        opened, remaining = last, BARS - minute
        until_crash -= 1
        if until_crash == 0 and remaining > DAY_BARS:
            until_crash = dice.randint(*CRASH_EVERY)
            opened = max(1, round(last * (1 - dice.uniform(*CRASH))))
        pull = (centre - opened) * max(0.004, 1 / remaining)
        close = max(1, round(opened + pull + dice.gauss(0, noise / 2)))
        close = centre if remaining == 1 else close
        yield opened, close
        last = close


def _gap(centre: int, dice: random.Random) -> Bars:
    """Jumps between two bars, up or down, several times an hour."""
    noise, last, until_gap = max(1.0, centre * NOISE), centre, dice.randint(*GAP_EVERY)
    for minute in range(BARS):
        opened, remaining = last, BARS - minute
        until_gap -= 1
        if until_gap == 0:
            until_gap = dice.randint(*GAP_EVERY)
            opened = max(1, round(last * (1 + dice.uniform(-GAP, GAP))))
        pull = (centre - opened) * max(0.01, 1 / remaining)
        close = max(1, round(opened + pull + dice.gauss(0, noise / 2)))
        close = centre if remaining == 1 else close
        yield opened, close
        last = close


def _frozen(centre: int, _dice: random.Random) -> Bars:
    for _ in range(BARS):
        yield centre, centre


DAY_BARS = 24 * 60
KINDS: Mapping[str, Maker] = {
    "revert": _revert,
    "trend": _trend,
    "crash": _crash,
    "gap": _gap,
    "frozen": _frozen,
}
