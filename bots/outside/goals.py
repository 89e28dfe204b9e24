"""Which targets are missed, in words for people."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

_WORDS = {
    "fills_per_day": "fills a day",
    "capture": "profit capture",
    "grid_apr": "grid APR",
    "month": "profit of the month",
    "latency_p95_ms": "order latency (p95, ms)",
}


def missed(metrics: Mapping[str, Any]) -> list[str]:
    """A line for each figure of `bots.reports.metrics.metrics()` that is outside its band.

    What is not known yet, or is better than its band, is no miss: only latency has a most.
    """
    account = metrics["account"]
    figures = {
        "month": account["month"],
        "latency_p95_ms": (account["latency_ms"] or {}).get("p95"),
    }
    lines = list(_lines("account", figures, metrics["bands"]))
    for bot in metrics["bots"]:
        lines += _lines(bot["bot"], bot, metrics["bands"])
    return lines


def _lines(
    whose: str, figures: Mapping[str, Any], bands: Mapping[str, Mapping[str, str | None]]
) -> Iterator[str]:
    for name, words in _WORDS.items():
        figure, band = figures.get(name), bands[name]
        if figure is None:
            continue
        least, most = band["least"], band["most"]
        if least is not None and Decimal(figure) < Decimal(least):
            yield f"{whose}: {words} {figure}, target at least {least}"
        elif least is None and most is not None and Decimal(figure) > Decimal(most):
            yield f"{whose}: {words} {figure}, target at most {most}"
