"""The figures of a bot's page as Plotly reads them: the grid, its profit, its latency.

Colours are names of design tokens ("--buy"); the browser resolves them for the theme it shows.
Money and prices are plain decimal texts.
"""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Max
from django.utils import timezone

from bots.models import Bot, Fill
from bots.reports import plots, profit
from bots.reports.plots import Figure, iso
from market import series
from market.models import Price
from market.types import Side, milliseconds, moment, plain
from risk.models import LatencySample

WINDOWS = {6: "1", 24: "5", 168: "30"}  # hours shown: interval of the bars
USUAL_WINDOW = 24
CANDLES = "candles"
SHAPES = ("line", CANDLES)
MOST_FILLS = 400  # markers of the newest; more would hide the path
LATENCY_HOURS = 24
MOST_SAMPLES = 5_000
BINS = 24
LATENCY_TARGET_MS = 500

Card = dict[str, Any]


def ladder(
    bot: Bot, card: Card, levels: Sequence[str], hours: int = USUAL_WINDOW, shape: str = "line"
) -> Figure:
    """F1: the price between these levels of the grid, highest first, with its fills.

    The price is drawn as a line or as candles (`SHAPES`). KeyError: no such window.
    """
    price = Price.objects.filter(symbol=bot.symbol).first()
    now = price.time if price else timezone.now()
    since = now - timedelta(hours=hours)
    bars = series.read(bot.symbol, WINDOWS[hours], milliseconds(now), 400, milliseconds(since))
    path = [(iso(moment(bar.time)), plain(bar.close)) for bar in bars]
    if price:
        path.append((iso(price.time), plain(price.last)))
    fills = list(Fill.objects.filter(bot=bot, time__gt=since).order_by("-time")[:MOST_FILLS])
    return {
        "data": [
            plots.candles("Price", bars)
            if shape == CANDLES
            else plots.line("Price", path, "--accent-ink", width=1.75),
            _marks("Buy filled", fills, Side.BUY, "triangle-down", "--buy"),
            _marks("Sell filled", fills, Side.SELL, "triangle-up", "--sell"),
            _now(path[-1:], card["tick"]),
        ],
        "layout": {
            **plots.layout(),
            "margin": {"l": 0, "r": 0, "t": 36, "b": 0},
            "xaxis": {
                **plots.axis(),
                "side": "top",
                "range": [iso(since), iso(now + _room(hours))],
                "rangeslider": {"visible": False},
            },
            "yaxis": {
                **plots.axis(),
                **_price_axis(card, levels),
                "visible": False,
                "fixedrange": True,
            },
            "shapes": _level_lines(card, levels),
        },
        "said": f"Price of {bot.name} over {hours} hours against {len(levels)} levels",
    }


def earnings(bot: Bot) -> Figure:
    """F3: grid profit, floating PnL and their total since the bot was deployed."""
    points = profit.course(bot)
    lines = (
        ("Grid profit", "grid", "--up", "solid", 1.75),
        ("Floating PnL", "floating", "--down", "dash", 1.75),
        ("Total", "total", "--strong", "solid", 2.25),
    )
    return {
        "data": [
            plots.line(
                name,
                [(iso(point.time), plain(getattr(point, field))) for point in points],
                colour,
                width=width,
                dash=dash,
            )
            for name, field, colour, dash, width in lines
        ],
        "layout": {
            **plots.layout(),
            "margin": {"l": 56, "r": 24, "t": 28, "b": 28},
            "xaxis": plots.axis(),
            "yaxis": {**plots.axis(), "type": "linear", "zeroline": True, "nticks": 6},
        },
        "said": f"Grid profit, floating PnL and total of {bot.name} since it was deployed",
        "named": True,
        "empty": "No fills yet: there is nothing to add up." if not points else "",
    }


def latency(bot: Bot) -> Figure:
    """F6: how long counter orders took from the fill's arrival to the acknowledgement."""
    newest = LatencySample.objects.filter(subject=bot.subject).aggregate(last=Max("time"))["last"]
    waits: list[float] = []
    if newest is not None:
        day = newest - timedelta(hours=LATENCY_HOURS)
        found = LatencySample.objects.filter(subject=bot.subject, time__gt=day).order_by("-time")
        waits = sorted(found.values_list("decision_ms", flat=True)[:MOST_SAMPLES])
    if not waits:
        return {"data": [], "layout": {}, "said": "", "empty": "No counter order was answered yet."}
    marks = {name: _percentile(waits, share) for name, share in _PERCENTILES}
    edge = max(LATENCY_TARGET_MS * 1.1, marks["p99"] * 1.15)
    width = edge / BINS
    counts = [0] * BINS
    for wait in waits:
        counts[min(int(wait / width), BINS - 1)] += 1
    told = ", ".join(f"{name} {value:.0f} ms" for name, value in marks.items())
    return {
        "data": [
            {
                "type": "bar",
                "x": [round((i + 0.5) * width, 1) for i in range(BINS)],
                "y": counts,
                "marker": {"color": "--accent-ink"},
                "hovertemplate": "%{y} orders near %{x} ms<extra></extra>",
            }
        ],
        "layout": {
            **plots.layout(),
            "margin": {"l": 40, "r": 24, "t": 28, "b": 28},
            "bargap": 0.12,
            "xaxis": {**plots.axis(), "type": "linear", "range": [0, edge], "ticksuffix": " ms"},
            "yaxis": {**plots.axis(), "type": "linear", "rangemode": "tozero"},
            "shapes": [
                *(plots.upright(value, "--strong", "dot") for value in marks.values()),
                plots.upright(LATENCY_TARGET_MS, "--danger-ink", "dash"),
            ],
        },
        "said": f"{len(waits)} counter orders of the last {LATENCY_HOURS} h: {told}",
        "told": told,
    }


_PERCENTILES = (("p50", 0.50), ("p95", 0.95), ("p99", 0.99))


def _percentile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _room(hours: int) -> timedelta:
    """Room at the right for the mark of the newest price."""
    return timedelta(hours=hours) / 24


def _price_axis(card: Card, levels: Sequence[str]) -> Figure:
    """An axis on which levels stand one row apart, half a row beyond the first and the last."""
    lower, upper = Decimal(levels[-1]), Decimal(levels[0])
    gaps = len(levels) - 1
    if card["range"]["spacing"] == "arithmetic":
        half = (upper - lower) / gaps / 2
        return {"type": "linear", "range": [plain(lower - half), plain(upper + half)]}
    half = (upper / lower).log10() / gaps / 2
    ends = (lower.log10() - half, upper.log10() + half)
    return {"type": "log", "range": [plain(round(end, 12)) for end in ends]}


def _level_lines(card: Card, levels: Sequence[str]) -> list[Figure]:
    """A line for each level in the manner of the order that it carries."""
    kinds = {
        cell["price"]: "held" if cell["status"] == "withheld" else cell["wants"].lower()
        for cell in card["cells"]
        if cell["wants"] and cell["status"] != "none"
    }
    styles = {
        "buy": ("--buy", "2px 3px"),
        "sell": ("--sell", "2px 3px"),
        "held": ("--line-strong", "1px 5px"),
        "bare": ("--line", "solid"),
    }
    lines = []
    for price in reversed(levels):
        colour, dash = styles[kinds.get(price, "bare")]
        lines.append(plots.level(price, colour, dash, opacity=0.55))
    return lines


def _marks(name: str, fills: Sequence[Fill], side: Side, symbol: str, colour: str) -> Figure:
    mine = [(iso(fill.time), plain(fill.price)) for fill in fills if fill.side == side]
    return plots.marks(name, mine, symbol, colour)


def _now(last: Sequence[tuple[str, str]], tick: str | None) -> Figure:
    """The newest price: a dot that the browser moves."""
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "Last price",
        "x": [time for time, _ in last],
        "y": [value for _, value in last],
        "marker": {"size": 10, "color": "--accent-ink"},
        "hovertemplate": "%{y}<extra>Last price</extra>",
        "meta": {"tick": tick},
    }
