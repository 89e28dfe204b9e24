"""The options that backtest and optimize share: a grid, its candles and the rules of fills."""

from argparse import ArgumentParser
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from bots.grid.levels import GridSpec, Sizing, Spacing
from bots.grid.outcome import Plan
from bots.grid.trailing import HOURLY, Trailing
from integrations.bybit.simulator.pairs import load_pairs
from market.candlefile import HEADER, CandleFile
from market.types import ZERO, Instrument, MalformedNumber, decimal, milliseconds

MOST_GRIDS = 1000
MOST_FEE = Decimal("0.01")  # quantities are made for fees up to this
ANY = Decimal(10) ** 15
LEAST = Decimal("1e-15")
QUOTES = ("USDT", "USDC", "USDE", "USD1", "DAI", "USD", "EUR", "BRL", "BTC", "ETH", "MNT")

Given = dict[str, Any]


def add_options(parser: ArgumentParser, *, ranges: bool = False) -> None:
    """The contract's options; with `ranges`, those of the grid take several values."""
    add = parser.add_argument
    several = " (or A,B,... or FROM:TO:STEP)" if ranges else ""
    kinds: dict[str, Any] = {} if ranges else {"choices": list(map(str, Spacing))}
    sizes: dict[str, Any] = {} if ranges else {"choices": list(map(str, Sizing))}
    add("--symbol", required=True, metavar="S", help="pair, for example BTCUSDT")
    add("--candles", required=True, type=Path, metavar="FILE", help=f"CSV or .gz: {HEADER}")
    add("--lower", required=True, metavar="PRICE", help=f"lowest level{several}")
    add("--upper", required=True, metavar="PRICE", help=f"highest level{several}")
    add("--grids", required=True, metavar="N", help=f"cells, 1 to {MOST_GRIDS}{several}")
    add("--capital", required=True, metavar="QUOTE", help=f"money the grid starts with{several}")
    add("--spacing", default=Spacing.ARITHMETIC, **kinds, help=" or ".join(Spacing))
    add("--sizing", default=Sizing.BASE, **sizes, help=" or ".join(Sizing))
    add("--maker", default="0.001", metavar="SHARE", help="fee of resting orders")
    add("--taker", default="0.001", metavar="SHARE", help="fee of the purchase at the start")
    add("--reserve", default="0.05", metavar="SHARE", help="of the capital, never in orders")
    add("--trailing-up", action="store_true", help="follow a rising price, cell by cell")
    add("--trailing-cap", metavar="PRICE", help="no level goes above it")
    add("--trailing-hourly", default=str(HOURLY), metavar="N", help="most steps in an hour")
    add("--path", choices=["nearest", "color"], default="nearest", help="way inside a bar")
    add("--fill", choices=["through", "touch"], default="through", help="when an order fills")
    add("--tick", metavar="STEP", help="price step; known pairs have theirs")
    add("--lot", metavar="STEP", help="quantity step; known pairs have theirs")
    add("--min-notional", metavar="QUOTE", help="least order; known pairs have theirs")
    add("--from", metavar="TIME", help="first bar to use: UTC date or time, or milliseconds")
    add("--to", metavar="TIME", help="use bars that open before this")


def candles_of(given: Given, symbol: str) -> CandleFile:
    """The file's bars of the chosen time."""
    since, until = _time("--from", given["from"]), _time("--to", given["to"])
    if since is not None and until is not None and since >= until:
        raise CommandError("--to must be later than --from")
    return CandleFile(given["candles"], symbol, since, until)


def plan_of(given: Given) -> Plan:
    """The grid as it is asked for. Raises CommandError, naming the option."""
    grids = number("--grids", given["grids"], Decimal(1), Decimal(MOST_GRIDS))
    if grids != int(grids):
        raise CommandError(f"--grids must be a whole number from 1 to {MOST_GRIDS}, not {grids}")
    return Plan(
        spec=GridSpec(
            lower=number("--lower", given["lower"], LEAST, ANY),
            upper=number("--upper", given["upper"], LEAST, ANY),
            grids=int(grids),
            capital=number("--capital", given["capital"], LEAST, ANY),
            spacing=Spacing(given["spacing"]),
            sizing=Sizing(given["sizing"]),
            reserve=number("--reserve", given["reserve"], ZERO, Decimal("0.99")),
        ),
        instrument=instrument_of(given),
        maker=number("--maker", given["maker"], -MOST_FEE, MOST_FEE),
        taker=number("--taker", given["taker"], ZERO, MOST_FEE),
        path=given["path"],
        rule=given["fill"],
        trailing=_trailing(given),
    )


def _trailing(given: Given) -> Trailing | None:
    cap = given["trailing_cap"]
    if not given["trailing_up"]:
        if cap is not None:
            raise CommandError("--trailing-cap is for a grid that trails: add --trailing-up")
        return None
    hourly = number("--trailing-hourly", given["trailing_hourly"], Decimal(1), Decimal(1000))
    return Trailing(
        cap=None if cap is None else number("--trailing-cap", cap, LEAST, ANY),
        hourly=int(hourly),
    )


def instrument_of(given: Given) -> Instrument:
    """The pair's filters: as given, else as listed for the pairs we know."""
    symbol = given["symbol"].upper()
    known = load_pairs()
    listed = known[symbol].instrument if symbol in known else None

    def step(option: str, name: str) -> Decimal:
        if given[name] is not None:
            return number(option, given[name], ZERO if name == "min_notional" else LEAST, ANY)
        if listed is None:
            raise CommandError(
                f"{option} is needed for {symbol}: --tick, --lot and --min-notional are known "
                f"only for {', '.join(sorted(known))}"
            )
        found: Decimal = getattr(listed, name)
        return found

    base, quote = (listed.base, listed.quote) if listed else _coins(symbol)
    return Instrument(
        symbol=symbol,
        base=base,
        quote=quote,
        tick=step("--tick", "tick"),
        lot=step("--lot", "lot"),
        min_notional=step("--min-notional", "min_notional"),
        max_limit_quantity=listed.max_limit_quantity if listed else ANY,
    )


def _coins(symbol: str) -> tuple[str, str]:
    for quote in QUOTES:
        base = symbol.removesuffix(quote)
        if base and base != symbol:
            return base, quote
    raise CommandError(
        f"--symbol {symbol} must be a pair that ends with one of {', '.join(QUOTES)}"
    )


def number(option: str, text: str, least: Decimal, most: Decimal) -> Decimal:
    try:
        value = decimal(str(text))
    except MalformedNumber:
        value = None
    if value is None or not least <= value <= most:
        raise CommandError(f"{option} must be a number from {least:f} to {most:f}, not {text!r}")
    return value


def _time(option: str, text: str | None) -> int | None:
    """A moment on the exchange's clock, ms; one without a zone is UTC."""
    if text is None or text.isdecimal():
        return None if text is None else int(text)
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(
            f"{option} {text!r} is not a time; accepted: 2026-01-31, 2026-01-31T12:30 (UTC) or "
            "milliseconds since 1970"
        ) from error
    return milliseconds(found if found.tzinfo else found.replace(tzinfo=UTC))
