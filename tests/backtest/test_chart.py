"""The chart file: true XML, the design's colours, bounded in size."""

import re
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bots.backtest.chart import DARK, LIGHT, MOST_POINTS, Curve, draw
from bots.backtest.replay import replay
from bots.backtest.report import verdict
from bots.grid.levels import Sizing, Spacing
from market.types import Candle
from tests.backtest.cases import CASES, plan_of

TOKENS = Path(__file__).parents[2] / "static" / "tokens.css"
SVG = "{http://www.w3.org/2000/svg}"


def drawn(case, spacing=Spacing.ARITHMETIC):
    curve = Curve()
    outcome = replay(
        plan_of(case, spacing, Sizing.BASE, "nearest", "through"), case.candles(), curve.add
    )
    return outcome, draw(outcome, curve)


@pytest.mark.parametrize("spacing", Spacing)
def test_the_picture_is_whole(spacing):
    outcome, text = drawn(CASES[1], spacing)
    root = ET.fromstring(text)  # noqa: S314 - our own text
    paths = {path.get("class"): path.get("d") for path in root.iter(f"{SVG}path")}
    assert paths["level"].count("M") == CASES[1].grids + 1
    assert paths["buy"]
    assert paths["sell"]
    assert paths.keys() >= {"bars", "close", "area", "base", "hold", "equity"}
    assert root.find(f"{SVG}desc").text == verdict(outcome)
    numbers = [Decimal(found) for found in re.findall(r"-?\d+\.\d", "".join(paths.values()))]
    assert min(numbers) >= 0
    assert max(numbers) <= 1040


def test_flat_prices_and_one_bar_can_be_drawn():
    case = CASES[1]
    price = Decimal(76000)
    lone = [Candle("BTCUSDT", "", 1_767_225_600_000, price, price, price, price, price, price)]
    curve = Curve()
    outcome = replay(plan_of(case, "arithmetic", "base", "nearest", "through"), lone, curve.add)
    ET.fromstring(draw(outcome, curve))  # noqa: S314 - our own text


def test_the_curve_is_bounded_and_loses_no_extreme():
    curve = Curve()
    bars = 3 * MOST_POINTS + 17
    for i in range(bars):
        high = Decimal(1000 if i == 4321 else 10)
        low = Decimal("0.5" if i == 55 else 9)
        curve.add(Candle("X", "", i, low, high, low, high, low, low), Decimal(i))
    assert MOST_POINTS / 2 <= len(curve.points) <= MOST_POINTS
    assert max(point.high for point in curve.points) == 1000
    assert min(point.low for point in curve.points) == Decimal("0.5")
    assert curve.points[0].time == 0
    assert curve.points[-1].equity == bars - 1
    times = [point.time for point in curve.points]
    assert times == sorted(set(times))


def test_colours_are_the_design_tokens():
    light, dark = TOKENS.read_text().split("@media (prefers-color-scheme: dark)", 1)
    dark = dark.split("@media", 1)[0]
    named = dict(re.findall(r"--([\w-]+):\s*([^;]+);", light))

    def value(name, table):
        found = table[name]
        while reference := re.fullmatch(r"var\(--([\w-]+)\)", found):
            found = table[reference[1]]
        return found

    night = named | dict(re.findall(r"--([\w-]+):\s*([^;]+);", dark))
    assert {name: value(name, named) for name in LIGHT} == LIGHT
    assert {name: value(name, night) for name in DARK} == DARK
