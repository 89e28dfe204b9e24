"""Backtests told: the list, one with its figures and charts, several side by side.

Money and prices are plain decimal texts, times ISO 8601 UTC; rates are percent.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from bots.backtest.report import FILL_RULES
from bots.backtest.runs import SILENT
from bots.models import RECORDED, Backtest
from bots.reports import goals, plots
from bots.reports.history import iso
from bots.reports.plots import Figure
from market.types import moment, plain

LATEST = 50
MOST_COMPARED = 6
MOST_MARKS = 600  # fills drawn, evenly chosen; more would hide the path
HEAVY = ("course", "fills", "cells", "days")
COLOURS = ("--accent-ink", "--sell", "--success-ink", "--muted", "--danger-ink", "--strong")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "solid")
CENT = Decimal("0.01")
Row = dict[str, Any]


def rows() -> list[Row]:
    """The newest backtests with their main figures."""
    return [told(row) for row in Backtest.objects.defer(*HEAVY)[:LATEST]]


def told(row: Backtest) -> Row:
    """One backtest: its plan, how far it is, and its figures."""
    found = row.figures
    return {
        "id": row.pk,
        "symbol": row.symbol,
        "source": "our own record" if row.source == RECORDED else "bundled tape",
        "tape": "" if row.source == RECORDED else row.source.partition(".")[0],
        "lower": plain(row.lower),
        "upper": plain(row.upper),
        "grids": row.grids,
        "trails": row.trailing_up,
        "shifts": found.get("shifts"),
        "spacing": row.spacing,
        "capital": plain(row.capital),
        "asked_at": iso(row.asked_at),
        "asked_by": row.asked_by,
        "state": row.state,
        "state_text": row.get_state_display(),
        "stage": row.stage,
        "percent": row.percent,
        "eta_s": _eta(row),
        "is_over": row.is_over,
        "is_lost": _is_lost(row),
        "trouble": row.trouble,
        "done": row.state == Backtest.State.DONE,
        **({name: found.get(name) for name in _MONEY} if found else dict.fromkeys(_MONEY)),
        **({name: _percent(found.get(name)) for name in _RATES} if found else {}),
        **(_beside(row) if found else {}),
    }


_MONEY = ("grid_profit", "inventory_pnl", "floating", "total_pnl", "fees_quote", "equity", "fills",
          "buys", "sells", "round_trips", "candles", "missing", "days", "base", "first",
          "last")  # fmt: skip
_RATES = ("max_drawdown", "apr_grid", "apr_total", "out_of_range_share", "net_least", "net_most")


def _beside(row: Backtest) -> Row:
    """Figures that follow from others."""
    found, capital = row.figures, row.capital
    hold = Decimal(found["buy_and_hold"]) - capital
    total = Decimal(found["total_pnl"])
    return {
        "hold": plain(hold),
        "against_hold": plain(total - hold),
        "total_percent": plain((total / capital * 100).quantize(CENT)),
        "fills_a_day": plain(Decimal(found["fills_per_day"]).quantize(Decimal("0.1"))),
        "from": iso(moment(found["start"])),
        "to": iso(moment(found["end"])),
    }


def _percent(share: str | None) -> str | None:
    return None if share is None else plain((Decimal(share) * 100).quantize(CENT))


def _eta(row: Backtest) -> int | None:
    """Seconds that are left, from the time that was needed so far; None before 5 %."""
    if row.state != Backtest.State.RUNNING or row.begun_at is None or row.percent < 5:  # noqa: PLR2004
        return None
    taken = timezone.now() - row.begun_at
    return round(taken / timedelta(seconds=1) * (100 - row.percent) / row.percent)


def _is_lost(row: Backtest) -> bool:
    """Whether nobody works on it although somebody should."""
    seen = row.told_at or row.asked_at
    return not row.is_over and timezone.now() - seen > SILENT


def targets(row: Backtest) -> list[Row]:
    """Which of the goals the run meets; capture and latency are a live bot's."""
    found = row.figures
    days = Decimal(found["days"])
    month = None
    if days >= 1:
        month = plain((Decimal(found["total_pnl"]) / row.capital * 30 / days).quantize(CENT / 100))
    waits = "a day of candles is needed"
    return [
        goals.row("fills_per_day", found["fills_per_day"] if days >= 1 else None, waits),
        goals.row("grid_apr", found["apr_grid"], waits),
        goals.row("month", month, waits),
    ]


def result(row: Backtest) -> Row:
    """What the page of a finished run shows beside its main figures."""
    most = max((Decimal(cell["profit"]) for cell in row.cells), default=Decimal(0)) or Decimal(1)
    return {
        "targets": targets(row),
        "verdict": row.verdict,
        "warnings": row.warnings,
        "model": FILL_RULES,
        "path": row.get_path_display(),
        "rule": row.get_rule_display(),
        "cells": [
            {**cell, "number": i, "bar": max(0, round(100 * Decimal(cell["profit"]) / most))}
            for i, cell in enumerate(row.cells)
        ][::-1],
        "days": [{"day": day, "profit": profit} for day, profit in row.days],
    }


def fills(row: Backtest) -> Iterator[Sequence[str]]:
    """Every fill as fields of a table, the head first."""
    yield ("time", "side", "price", "quantity", "fee", "fee_coin")
    for time, *rest in row.fills:
        yield (iso(moment(time)), *map(str, rest))


# --- figures --------------------------------------------------------------------------------------


def price(row: Backtest) -> Figure:
    """F7, upper part: the price between the levels, with fills."""
    times, levels = _times(row), row.figures["levels"]
    step = max(1, len(row.fills) // MOST_MARKS)
    chosen = row.fills[::step]
    log = row.spacing == "geometric"

    def of(side: str) -> list[tuple[str, str]]:
        return [(plots.iso(moment(f[0])), f[2]) for f in chosen if f[1] == side]

    return {
        "data": [
            plots.line(
                "Price",
                list(zip(times, row.course["close"], strict=True)),
                "--accent-ink",
                width=1.5,
            ),
            plots.marks("Buy", of("Buy"), "triangle-down", "--buy"),
            plots.marks("Sell", of("Sell"), "triangle-up", "--sell"),
        ],
        "layout": plots.layout(
            margin={"l": 72, "r": 24, "t": 12, "b": 32},
            xaxis=plots.axis(),
            yaxis={**plots.axis(), "type": "log" if log else "linear", "nticks": 7},
            shapes=[plots.level(at, "--line-strong", "1px 4px", opacity=0.6) for at in levels],
        ),
        "said": f"Price of {row.symbol} with {len(levels)} levels and {len(row.fills)} fills",
        "empty": "",
    }


def equity(row: Backtest) -> Figure:
    """F7, lower part: equity beside buying and holding, and drawdown under it."""
    times, worths = _times(row), [Decimal(worth) for worth in row.course["equity"]]
    closes = [Decimal(close) for close in row.course["close"]]
    coins = row.capital * (1 - row.taker) / Decimal(row.figures["first"])
    held = [plain((coins * close).quantize(CENT)) for close in closes]
    return equity_figure(
        times, [plain(worth) for worth in worths], held, f"Equity of the backtest of {row.symbol}"
    )


def equity_figure(
    times: Sequence[str], worths: Sequence[str], held: Sequence[str] | None, said: str
) -> Figure:
    """Equity, what holding would have made, and the drawdown in a panel of its own."""
    data = [
        plots.line(
            "Equity", list(zip(times, worths, strict=True)), "--accent-ink", width=1.75,
        )
    ]  # fmt: skip
    if held:
        hold = list(zip(times, held, strict=True))
        data.append(plots.line("Buy and hold", hold, "--muted", width=1.25, dash="dot"))
    falls = list(zip(times, drawdowns(worths), strict=True))
    data.append(
        plots.line(
            "Drawdown", falls, "--down", width=1.25, yaxis="y2", fill="tozeroy",
            fillcolor="--danger-tint", hovertemplate="%{y} %<extra>Drawdown</extra>",
        )
    )  # fmt: skip
    return {
        "data": data,
        "layout": plots.layout(
            margin={"l": 64, "r": 24, "t": 28, "b": 28},
            hovermode="x unified",
            xaxis={**plots.axis(), "anchor": "y2"},
            yaxis={
                **plots.axis(), "domain": [0.3, 1], "nticks": 6, "showgrid": True,
                "tickformat": ",",
            },
            yaxis2={
                **plots.axis(), "domain": [0, 0.22], "nticks": 3, "ticksuffix": " %",
                "rangemode": "tozero",
            },
        ),
        "said": said,
        "named": True,
        "empty": "",
    }  # fmt: skip


def drawdowns(worths: Sequence[str]) -> list[str]:
    """How far each worth is below the highest before it, in percent, as numbers below zero."""
    high, found = Decimal(0), []
    for worth in map(Decimal, worths):
        high = max(high, worth)
        fall = (worth / high - 1) * 100 if high else Decimal(0)
        found.append(plain(fall.quantize(CENT)))
    return found


def daily(row: Backtest) -> Figure:
    """Grid profit by day."""
    return {
        "data": [
            {
                "type": "bar",
                "x": [day for day, _ in row.days],
                "y": [profit for _, profit in row.days],
                "marker": {"color": "--success-fill"},
                "hovertemplate": "%{y}<extra>%{x}</extra>",
            }
        ],
        "layout": plots.layout(
            margin={"l": 56, "r": 24, "t": 12, "b": 28},
            bargap=0.2,
            xaxis={**plots.axis(), "type": "date", "tickformat": "%e %b"},
            yaxis={**plots.axis(), "nticks": 5, "zeroline": True},
        ),
        "said": f"Grid profit of the backtest of {row.symbol} by day",
        "empty": "" if row.days else "No round trip closed.",
    }


FIGURES = {"price": price, "equity": equity, "daily": daily}


def compared(found: Sequence[Backtest]) -> Figure:
    """The change of equity of several runs, in percent of their capital, since their start."""
    data = []
    for i, row in enumerate(found):
        start = row.figures["start"]
        days = [plain(Decimal(time - start) / 86_400_000) for time in row.course["time"]]
        change = [
            plain(((Decimal(worth) / row.capital - 1) * 100).quantize(CENT))
            for worth in row.course["equity"]
        ]
        trace = plots.line(
            f"No. {row.pk}", list(zip(days, change, strict=True)), COLOURS[i % len(COLOURS)],
            width=1.75, dash=DASHES[i % len(DASHES)],
        )  # fmt: skip
        data.append(trace)
    return {
        "data": data,
        "layout": plots.layout(
            margin={"l": 56, "r": 24, "t": 28, "b": 32},
            xaxis={**plots.axis(), "type": "linear", "ticksuffix": " d"},
            yaxis={**plots.axis(), "type": "linear", "ticksuffix": " %", "zeroline": True},
        ),
        "said": "Change of equity in percent of capital, by days since the start",
        "named": True,
        "empty": "",
    }


def _times(row: Backtest) -> list[str]:
    return [plots.iso(moment(time)) for time in row.course["time"]]
