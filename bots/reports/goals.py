"""The targets against their bands, with what each of them means: for pages and for verdicts."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from bots.reports.metrics import BANDS
from market.types import plain

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Goal:
    """A target: its title, its definition, how it is written, and the scale it is drawn on."""

    title: str
    words: str
    unit: str  # "%" for shares, else as it is
    low: Decimal
    high: Decimal


GOALS: Mapping[str, Goal] = {
    "fills_per_day": Goal(
        "Fills per bot a day",
        "Orders filled, per bot, on average since it was deployed. Two fills make a round trip.",
        "", Decimal(0), Decimal(24),
    ),
    "capture": Goal(
        "Profit capture",
        "Realised grid profit ÷ that of the same plan replayed on the recorded prices with no "
        "latency, refusals or pauses.",
        "%", Decimal("0.5"), Decimal("1.05"),
    ),
    "grid_apr": Goal(
        "Grid APR",
        "Realised grid profit ÷ capital in use, as a simple yearly rate.",
        "%", Decimal(0), Decimal("1.6"),
    ),
    "month": Goal(
        "Net month",
        "Change of total equity, net of deposits, over 30 days. Not the same quantity as the APR: "
        "both can hold when about half of the equity is in use.",
        "%", Decimal("-0.02"), Decimal("0.08"),
    ),
    "latency_p95_ms": Goal(
        "Latency, p95",
        "From a fill's arrival to the exchange's acknowledgement of the order that answers it.",
        "ms", Decimal(0), Decimal(700),
    ),
}  # fmt: skip


def row(name: str, value: str | float | None, waits: str = "after a day of run time") -> Row:
    """One target: value, band, and where it stands. KeyError: no such target.

    `value` is a share where the unit is "%"; `waits` says when there will be one.
    """
    goal, (least, most) = GOALS[name], BANDS[name]
    number = None if value is None else Decimal(str(value))
    return {
        "name": name,
        "title": goal.title,
        "words": goal.words,
        "value": None if number is None else _shown(number, goal),
        "unit": goal.unit,
        "band": _band(least, most, goal),
        "status": _status(number, least, most),
        "tone": _tone(number, least, most),
        "spots": _spots(number, least, most, goal),
        "waits": waits,
    }


def _shown(number: Decimal, goal: Goal) -> str:
    scaled = number * 100 if goal.unit == "%" else number
    return plain(scaled.quantize(Decimal(1) if goal.unit == "ms" else Decimal("0.1")))


def _band(least: str | None, most: str | None, goal: Goal) -> str:
    ends = [None if end is None else _end(end, goal) for end in (least, most)]
    unit = f" {goal.unit}" if goal.unit else ""
    if ends[0] is None:
        return f"under {ends[1]}{unit}"
    if ends[1] is None:
        return f"over {ends[0]}{unit}"
    return f"{ends[0]} – {ends[1]}{unit}"


def _end(end: str, goal: Goal) -> str:
    return plain((Decimal(end) * (100 if goal.unit == "%" else 1)).normalize())


def _status(number: Decimal | None, least: str | None, most: str | None) -> str:
    if number is None:
        return "Not yet"
    if least is not None and number < Decimal(least):
        return "Below"
    if most is not None and number > Decimal(most):
        return "Above"
    return "In band"


def _tone(number: Decimal | None, least: str | None, most: str | None) -> str:
    """Above a band that has a floor is no fault; beyond a mere ceiling is."""
    status = _status(number, least, most)
    if status == "Not yet":
        return ""
    if status == "In band":
        return "ok"
    return "info" if status == "Above" and least is not None else "warn"


def _spots(number: Decimal | None, least: str | None, most: str | None, goal: Goal) -> Row | None:
    """Where band and value stand on the scale, as shares of it."""
    if number is None:
        return None

    def spot(value: Decimal) -> str:
        share = (value - goal.low) / (goal.high - goal.low)
        return plain(min(Decimal(1), max(Decimal(0), share)).quantize(Decimal("0.001")))

    return {
        "low": spot(goal.low if least is None else Decimal(least)),
        "high": spot(goal.high if most is None else Decimal(most)),
        "at": spot(number),
    }
