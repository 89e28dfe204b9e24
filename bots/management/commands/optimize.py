"""`manage.py optimize`: many grids on the same recorded candles, ranked by a measure."""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import product
from math import prod
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from bots.backtest.search import MEASURES, Found, Search
from bots.grid.levels import Sizing, Spacing
from bots.management.asked import ANY, LEAST, Given, add_options, candles_of, number, plan_of
from bots.progress import shown
from market.candlefile import CandleFileError
from market.types import Candle, moment, plain

NUMBERS = ("lower", "upper", "grids", "capital", "reserve")
NAMES = {"spacing": tuple(map(str, Spacing)), "sizing": tuple(map(str, Sizing))}
MOST = 2_000  # combinations
MOST_BARS = 600_000  # kept in memory; more than a year of minutes
TOP = 10
_CENT, _SHARE = Decimal("0.01"), Decimal("0.000001")


class Command(BaseCommand):
    """Needs no database, no network and no keys."""

    requires_system_checks = ()
    help = (
        "Replay every combination of the given values on a candle file and rank the grids. "
        "--lower, --upper, --grids, --capital, --reserve, --spacing and --sizing take one value, "
        "several (A,B,C) or, but for the last two, a range (FROM:TO:STEP)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_options(parser, ranges=True)
        add = parser.add_argument
        told = "; ".join(f"{name}: {measure.words}" for name, measure in MEASURES.items())
        add("--by", choices=list(MEASURES), default="return", help=f"what to rank by ({told})")
        add("--top", default=str(TOP), metavar="N", help="how many of the best to show")
        add("--json", action="store_true", help="print the result as JSON and nothing else")

    def handle(self, *args: object, **given: Any) -> None:  # noqa: ANN401 - Django's signature
        top = int(number("--top", given["top"], Decimal(1), Decimal(MOST)))
        values = {name: several(name, str(given[name])) for name in (*NUMBERS, *NAMES)}
        count = prod(map(len, values.values()))
        if count > MOST:
            raise CommandError(
                f"{count:,} combinations; up to {MOST:,} are tried: give fewer values or wider "
                "steps"
            )
        wishes = [
            given | dict(zip(values, each, strict=True)) for each in product(*values.values())
        ]
        plans = [plan_of(wish) for wish in wishes]
        bars = _bars(given, plans[0].instrument.symbol)
        search = Search(given["by"], top)
        tried = shown(
            plans, lambda: (search.replayed + sum(search.refused.values())) / count, "grids",
            sys.stderr, every=1,
        )  # fmt: skip
        search.go(tried, bars)
        if not search.best:
            reason, _ = search.refused.most_common(1)[0]
            raise CommandError(f"none of {count:,} grids can be built; most often --{reason}")
        varied = [name for name, each in values.items() if len(each) > 1]
        told = _json(search, bars) if given["json"] else _table(search, bars, varied)
        self.stdout.write(told)


def several(name: str, text: str) -> Sequence[str]:
    """The values of an option. Raises CommandError, saying what is accepted."""
    option, found = f"--{name}", text.split(",")
    if name in NAMES:
        if wrong := [each for each in found if each not in NAMES[name]]:
            accepted = ", ".join(NAMES[name])
            raise CommandError(f"{option} {wrong[0]!r} is not known; accepted: {accepted}")
        return list(dict.fromkeys(found))
    values = [value for part in found for value in _range(option, part)]
    return list(dict.fromkeys(values))


def _range(option: str, text: str) -> Iterator[str]:
    """One number, or those of FROM:TO:STEP, both ends included."""
    parts = text.split(":")
    if len(parts) == 1:
        yield text
        return
    if len(parts) != len(("from", "to", "step")):
        raise CommandError(f"{option} {text!r}: accepted are 5, 5,10,20 and 5:20:5")
    first, last = (number(option, part, Decimal(0), ANY) for part in parts[:2])
    step = number(option, parts[2], LEAST, ANY)
    if first > last:
        raise CommandError(f"{option} {text!r} begins above its end")
    if (last - first) / step >= MOST:
        raise CommandError(f"{option} {text!r} is more than {MOST:,} values; use a wider step")
    while first <= last:
        yield plain(first)
        first += step


def _bars(given: Given, symbol: str) -> Sequence[Candle]:
    bars: list[Candle] = []
    try:
        for bar in candles_of(given, symbol):
            bars.append(bar)
            if len(bars) > MOST_BARS:
                raise CommandError(
                    f"--candles has more than {MOST_BARS:,} bars; choose some by --from and --to"
                )
    except CandleFileError as error:
        raise CommandError(f"--candles: {error}") from error
    return bars


def _json(search: Search, bars: Sequence[Candle]) -> str:
    return json.dumps(
        {
            "by": search.by,
            "candles": len(bars),
            "replayed": search.replayed,
            "refused": sum(search.refused.values()),
            "reasons": dict(search.refused.most_common()),
            "best": [
                {"rank": rank, "score": _score(found), **_wish(found), **found.figures}
                for rank, found in enumerate(search.best, 1)
            ],
        },
        indent=2,
    )


def _wish(found: Found) -> dict[str, Any]:
    """The grid in the words of the options."""
    spec = found.plan.spec
    return {
        "lower": plain(spec.lower),
        "upper": plain(spec.upper),
        "grids": spec.grids,
        "capital": plain(spec.capital),
        "spacing": spec.spacing.value,
        "sizing": spec.sizing.value,
        "reserve": plain(spec.reserve),
    }


def _score(found: Found) -> str:
    return plain(found.score.quantize(_SHARE, ROUND_HALF_EVEN))


def _table(search: Search, bars: Sequence[Candle], varied: Sequence[str]) -> str:
    symbol = search.best[0].plan.instrument.symbol
    span = f"{moment(bars[0].time):%Y-%m-%d %H:%M} to {moment(bars[-1].time):%Y-%m-%d %H:%M} UTC"
    refused = sum(search.refused.values())
    heads = ["#", *varied, search.by, "grid profit", "total PnL", "fills a day", "drawdown"]
    rows = [heads, *(_row(rank, each, varied) for rank, each in enumerate(search.best, 1))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        (
            f"{symbol}, {len(bars):,} candles from {span}: {search.replayed:,} grids replayed, "
            f"{refused:,} refused"
        ),
        f"ranked by {search.by}: {MEASURES[search.by].words}",
        "",
        *("  ".join(map(str.rjust, row, widths)) for row in rows),
    ]
    for reason, count in search.refused.most_common(3):
        lines += ["", f"Refused {count:,}: {reason}"]
    lines += [
        "",
        (
            "The best of many on the days they were chosen by says little of other days: replay "
            "it on others by --from and --to before any money follows it."
        ),
    ]
    return "\n".join(lines)


def _row(rank: int, found: Found, varied: Sequence[str]) -> list[str]:
    wish, told = _wish(found), found.figures
    money = [f"{Decimal(told[name]).quantize(_CENT):,f}" for name in ("grid_profit", "total_pnl")]
    fills = f"{Decimal(told['fills_per_day']).quantize(_CENT):f}"
    fall = f"{(Decimal(told['max_drawdown']) * 100).quantize(_CENT):f} %"
    return [str(rank), *(str(wish[name]) for name in varied), _score(found), *money, fills, fall]
