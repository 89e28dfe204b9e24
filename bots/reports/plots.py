"""What all figures have in common: axes, lines, marks and layout, as Plotly reads them.

Colours are names of design tokens ("--buy"); the browser resolves them for the theme it shows.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from market.types import Candle, moment, plain

Figure = dict[str, Any]


def line(
    name: str,
    path: Sequence[tuple[str, str]],
    colour: str,
    *,
    width: float,
    dash: str = "solid",
    **more: Any,  # noqa: ANN401 - any attribute of a Plotly trace
) -> Figure:
    """A line through (time, value)."""
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": [time for time, _ in path],
        "y": [value for _, value in path],
        "line": {"color": colour, "width": width, "dash": dash},
        "hovertemplate": "%{y}<extra>" + name + "</extra>",
        **more,
    }


def candles(name: str, bars: Iterable[Candle]) -> Figure:
    """Bars as candlesticks; one that is missing leaves its place empty."""
    found = list(bars)
    return {
        "type": "candlestick",
        "name": name,
        "x": [iso(moment(bar.time)) for bar in found],
        **{
            field: [plain(getattr(bar, field)) for bar in found]
            for field in ("open", "high", "low", "close")
        },
        "increasing": {"line": {"color": "--up", "width": 1}},
        "decreasing": {"line": {"color": "--down", "width": 1}, "fillcolor": "--down"},
    }


def marks(name: str, path: Sequence[tuple[str, str]], symbol: str, colour: str) -> Figure:
    """Marks at (time, value)."""
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [time for time, _ in path],
        "y": [value for _, value in path],
        "marker": {"symbol": symbol, "size": 9, "color": colour},
        "hovertemplate": "%{y}<br>%{x}<extra>" + name + "</extra>",
    }


def upright(at: float, colour: str, dash: str) -> Figure:
    """A line across the panel at one value of x."""
    style = {"color": colour, "width": 1, "dash": dash}
    return {"type": "line", "yref": "paper", "y0": 0, "y1": 1, "x0": at, "x1": at, "line": style}


def level(at: str, colour: str, dash: str, **more: Any) -> Figure:  # noqa: ANN401 - as above
    """A line across the panel at one value of y."""
    style = {"color": colour, "width": 1, "dash": dash}
    return {
        "type": "line", "layer": "below", "xref": "paper", "x0": 0, "x1": 1, "y0": at, "y1": at,
        "line": style, **more,
    }  # fmt: skip


def axis() -> Figure:
    """An axis without a grid of its own."""
    return {
        "color": "--muted",
        "gridcolor": "--line",
        "zerolinecolor": "--line-strong",
        "tickfont": {"color": "--muted", "size": 11},
        "showgrid": False,
        "automargin": False,
        # Otherwise each label is measured to see whether it stands out; the margins have room.
        "ticklabeloverflow": "allow",
    }


def layout(**more: Any) -> Figure:  # noqa: ANN401 - any attribute of a Plotly layout
    """The frame of a figure; zoom is kept when its data change."""
    return {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": "--text", "size": 12},
        "hoverlabel": {"bgcolor": "--raised", "font": {"color": "--text"}},
        "hovermode": "closest",
        "showlegend": False,
        "uirevision": "kept",
        "dragmode": False,
        **more,
    }


def iso(time: datetime) -> str:
    """ISO 8601 without a zone, which Plotly would drop; times are UTC."""
    return time.isoformat(timespec="seconds").removesuffix("+00:00")
