"""`manage.py backtest`: a grid on recorded candles, by the live engine's own rules."""

import json
import sys
from argparse import ArgumentParser
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from bots.backtest.chart import Curve, draw
from bots.backtest.replay import replay
from bots.backtest.report import figures, report
from bots.grid.levels import GridSpec, InvalidGrid, Sizing, Spacing
from bots.grid.outcome import Outcome, Plan
from bots.grid.trailing import HOURLY, Trailing
from bots.progress import shown
from integrations.bybit.simulator.pairs import load_pairs
from market.candlefile import HEADER, CandleFile, CandleFileError
from market.types import ZERO, Instrument, MalformedNumber, decimal, milliseconds

MOST_GRIDS = 1000
MOST_FEE = Decimal("0.01")  # quantities are made for fees up to this
ANY = Decimal(10) ** 15
LEAST = Decimal("1e-15")
QUOTES = ("USDT", "USDC", "USDE", "USD1", "DAI", "USD", "EUR", "BRL", "BTC", "ETH", "MNT")


class Command(BaseCommand):
    """Needs no database, no network and no keys."""

    requires_system_checks = ()
    help = "Replay a grid on a candle file and tell what it would have earned."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("--symbol", required=True, metavar="S", help="pair, for example BTCUSDT")
        add("--candles", required=True, type=Path, metavar="FILE", help=f"CSV or .gz: {HEADER}")
        add("--lower", required=True, metavar="PRICE", help="lowest level")
        add("--upper", required=True, metavar="PRICE", help="highest level")
        add("--grids", required=True, metavar="N", help=f"cells, 1 to {MOST_GRIDS}")
        add("--capital", required=True, metavar="QUOTE", help="money the grid starts with")
        add("--spacing", choices=list(map(str, Spacing)), default=Spacing.ARITHMETIC)
        add("--sizing", choices=list(map(str, Sizing)), default=Sizing.BASE)
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
        add("--json", action="store_true", help="print the figures as JSON and nothing else")
        add("--chart", type=Path, metavar="FILE.svg", help="draw price, fills and equity")

    def handle(self, *args: object, **given: Any) -> None:  # noqa: ANN401 - Django's signature
        plan = _plan(given)
        since, until = _time("--from", given["from"]), _time("--to", given["to"])
        if since is not None and until is not None and since >= until:
            raise CommandError("--to must be later than --from")
        candles = CandleFile(given["candles"], plan.instrument.symbol, since, until)
        curve = Curve() if given["chart"] else None
        outcome = _replay(plan, candles, curve)
        if curve is not None:
            _write(given["chart"], draw(outcome, curve))
        told = json.dumps(figures(outcome), indent=2) if given["json"] else report(outcome)
        self.stdout.write(told)


def _plan(given: dict[str, Any]) -> Plan:
    grids = _number("--grids", given["grids"], Decimal(1), Decimal(MOST_GRIDS))
    if grids != int(grids):
        raise CommandError(f"--grids must be a whole number from 1 to {MOST_GRIDS}, not {grids}")
    return Plan(
        spec=GridSpec(
            lower=_number("--lower", given["lower"], LEAST, ANY),
            upper=_number("--upper", given["upper"], LEAST, ANY),
            grids=int(grids),
            capital=_number("--capital", given["capital"], LEAST, ANY),
            spacing=Spacing(given["spacing"]),
            sizing=Sizing(given["sizing"]),
            reserve=_number("--reserve", given["reserve"], ZERO, Decimal("0.99")),
        ),
        instrument=_instrument(given),
        maker=_number("--maker", given["maker"], -MOST_FEE, MOST_FEE),
        taker=_number("--taker", given["taker"], ZERO, MOST_FEE),
        path=given["path"],
        rule=given["fill"],
        trailing=_trailing(given),
    )


def _trailing(given: dict[str, Any]) -> Trailing | None:
    cap = given["trailing_cap"]
    if not given["trailing_up"]:
        if cap is not None:
            raise CommandError("--trailing-cap is for a grid that trails: add --trailing-up")
        return None
    hourly = _number("--trailing-hourly", given["trailing_hourly"], Decimal(1), Decimal(1000))
    return Trailing(
        cap=None if cap is None else _number("--trailing-cap", cap, LEAST, ANY),
        hourly=int(hourly),
    )


def _instrument(given: dict[str, Any]) -> Instrument:
    """The pair's filters: as given, else as listed for the pairs we know."""
    symbol = given["symbol"].upper()
    known = load_pairs()
    listed = known[symbol].instrument if symbol in known else None

    def step(option: str, name: str) -> Decimal:
        if given[name] is not None:
            return _number(option, given[name], ZERO if name == "min_notional" else LEAST, ANY)
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


def _replay(plan: Plan, candles: CandleFile, curve: Curve | None) -> Outcome:
    bars = shown(candles, lambda: candles.share, "candles", sys.stderr)
    try:
        return replay(plan, bars, curve.add if curve else None)
    except InvalidGrid as error:
        raise CommandError(f"--{error.field}: {error}") from error
    except CandleFileError as error:
        raise CommandError(f"--candles: {error}") from error


def _write(path: Path, picture: str) -> None:
    try:
        path.write_text(picture, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"--chart {path}: {error.strerror}") from error


def _number(option: str, text: str, least: Decimal, most: Decimal) -> Decimal:
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
