"""The worked example of docs/accounting.md: its sums, and the engine, give the values it names."""

import re
from decimal import Decimal
from pathlib import Path

from bots.backtest.replay import replay
from bots.backtest.report import figures
from tests.backtest.test_examples import BOUGHT, FLAT, PUBLISHED, SOLD, bars
from tests.grid.examples import D

DOC = Path(__file__).parents[2] / "docs" / "accounting.md"
ROW = re.compile(r"^\| (\w+) \| (.+) \| ([\d.]+) \|$", re.MULTILINE)


def told() -> dict[str, tuple[str, Decimal]]:
    example = DOC.read_text(encoding="utf-8").partition("## A worked example")[2]
    return {name: (sum_, D(value)) for name, sum_, value in ROW.findall(example)}


def test_the_engine_gives_the_values_of_the_example() -> None:
    outcome = replay(PUBLISHED, bars(FLAT, (54000, 58000, 52000, 58000)))
    found = figures(outcome) | {"floating": outcome.floating}
    assert len(told()) == 8
    for name, (_, value) in told().items():
        assert D(found[name]) == value, name


def test_the_sums_of_the_example_give_its_values() -> None:
    """Those written in numbers alone are worked out as they stand."""
    values = {name: value for name, (_, value) in told().items()}
    worked = 0
    for name, (sum_, value) in told().items():
        text = sum_.replace(",", "").replace("×", "*").replace("−", "-")
        if re.search(r"[a-pr-z]{2}", text.replace("base", "").replace("quote", "")):
            continue
        exact = re.sub(r"\b(\d+(?:\.\d+)?)\b", r"D('\1')", text)
        names = {"D": D, "q": BOUGHT, "base": values["base"], "quote": values["quote"]}
        assert eval(exact, {"__builtins__": {}}, names) == value, name  # noqa: S307 - our own page
        worked += 1
    assert worked == 5
    assert D("0.08787086") == SOLD


def test_the_identity_of_the_example() -> None:
    value = {name: each for name, (_, each) in told().items()}
    parts = value["grid_profit"] + value["inventory_pnl"] + value["floating"]
    assert value["total_pnl"] == parts == value["equity"] - PUBLISHED.spec.capital
