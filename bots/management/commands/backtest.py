"""`manage.py backtest`: a grid on recorded candles, by the live engine's own rules."""

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from bots.backtest.chart import Curve, draw
from bots.backtest.replay import replay
from bots.backtest.report import figures, report
from bots.grid.levels import InvalidGrid
from bots.grid.outcome import Outcome, Plan
from bots.management.asked import add_options, candles_of, plan_of
from bots.progress import shown
from market.candlefile import CandleFile, CandleFileError


class Command(BaseCommand):
    """Needs no database, no network and no keys."""

    requires_system_checks = ()
    help = "Replay a grid on a candle file and tell what it would have earned."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_options(parser)
        add = parser.add_argument
        add("--json", action="store_true", help="print the figures as JSON and nothing else")
        add("--chart", type=Path, metavar="FILE.svg", help="draw price, fills and equity")

    def handle(self, *args: object, **given: Any) -> None:  # noqa: ANN401 - Django's signature
        plan = plan_of(given)
        candles = candles_of(given, plan.instrument.symbol)
        curve = Curve() if given["chart"] else None
        outcome = _replay(plan, candles, curve)
        if curve is not None:
            _write(given["chart"], draw(outcome, curve))
        told = json.dumps(figures(outcome), indent=2) if given["json"] else report(outcome)
        self.stdout.write(told)


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
