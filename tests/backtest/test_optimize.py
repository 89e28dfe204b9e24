"""`manage.py optimize`: every combination as backtest tells it, ranked; refusals; the cap."""

import io
import json
import os
import pty
import subprocess
import sys
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command

from bots.backtest.search import MEASURES
from bots.management.commands.optimize import several
from tests.backtest.test_command import MANAGE, words

D = Decimal
RANGES = {"lower": "95000,95500", "grids": "6:18:6", "spacing": "arithmetic,geometric"}


def run(*flags: str, **changes: str) -> str:
    told = io.StringIO()
    call_command("optimize", *words(**(RANGES | changes)), *flags, stdout=told)
    return told.getvalue()


def test_each_grid_is_what_backtest_tells_and_the_best_come_first() -> None:
    told = json.loads(run("--json", "--top=99"))
    assert (told["replayed"], told["refused"], len(told["best"])) == (12, 0, 12)
    scores = [D(each["score"]) for each in told["best"]]
    assert scores == sorted(scores, reverse=True)
    for each in told["best"]:
        alone = io.StringIO()
        shape = {name: str(each[name]) for name in ("lower", "grids", "spacing")}
        call_command("backtest", *words(**shape), "--json", stdout=alone)
        figures = json.loads(alone.getvalue())
        assert {name: each[name] for name in figures} == figures
        assert abs(D(each["score"]) - D(figures["total_pnl"]) / 20000) < D("0.000001")
    assert len({(e["lower"], e["grids"], e["spacing"]) for e in told["best"]}) == 12


@pytest.mark.parametrize(
    ("by", "key", "least_first"),
    [
        ("grid-profit", "grid_profit", False),
        ("total-pnl", "total_pnl", False),
        ("fills", "fills_per_day", False),
        ("calm", "max_drawdown", True),
    ],
)
def test_it_ranks_by_the_measure_that_is_named(by: str, key: str, least_first: bool) -> None:
    told = json.loads(run("--json", "--top=99", f"--by={by}"))
    found = [D(each[key]) for each in told["best"]]
    assert found == sorted(found, reverse=not least_first)
    assert len(set(found)) > 1
    assert by in MEASURES


def test_the_table_shows_what_was_varied_and_what_was_refused() -> None:
    """Sixty cells would lose on every round trip: they are no advice."""
    told = run("--top=2", grids="6,60")
    assert "4 grids replayed, 4 refused" in told
    lines = told.splitlines()
    (at,) = [number for number, line in enumerate(lines) if line.strip().startswith("#")]
    assert lines[at].split()[:5] == ["#", "lower", "grids", "spacing", "return"]
    assert [line.split()[0] for line in lines[at + 1 : at + 3]] == ["1", "2"]
    assert "a round trip would lose" in told
    assert lines[at + 3] == ""


def test_values_and_ranges() -> None:
    assert several("grids", "5") == ["5"]
    assert several("lower", "1:2:0.25,3,2") == ["1", "1.25", "1.5", "1.75", "2", "3"]
    assert several("sizing", "base,quote") == ["base", "quote"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"grids": "2:1000:1", "lower": "90000:90010:5"}, "5,994 combinations; up to 2,000"),
        ({"lower": "1:9999:0.001"}, "more than 2,000 values; use a wider step"),
        ({"grids": "9:6:1"}, "--grids '9:6:1' begins above its end"),
        ({"grids": "6:9"}, "accepted are 5, 5,10,20 and 5:20:5"),
        ({"grids": "6:9:0"}, "--grids must be a number from"),
        ({"grids": "6.5"}, "--grids must be a whole number from 1 to 1000"),
        ({"lower": "x"}, "--lower must be a number"),
        ({"spacing": "random"}, "--spacing 'random' is not known; accepted: arithmetic, geometric"),
        ({"grids": "60,70"}, "none of 8 grids can be built; most often --grids: a round trip"),
        ({"candles": "no.csv"}, "--candles: no.csv: cannot be read"),
    ],
)
def test_refusals_name_the_option_and_what_is_accepted(changes: dict[str, str], says: str) -> None:
    with pytest.raises(CommandError) as refusal:
        run(**changes)
    assert says in str(refusal.value)


def test_a_bar_is_shown_on_a_terminal_and_needs_no_servers() -> None:
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, str(MANAGE), "optimize", *words(**RANGES), "--json"],
        stdout=subprocess.PIPE, stderr=theirs, check=True, timeout=120,
        env=os.environ | {"DATABASE_URL": "postgres://nobody@127.0.0.1:9/none"},
    )  # fmt: skip
    os.close(theirs)
    drawn = os.read(ours, 100_000).decode()
    os.close(ours)
    assert "grids" in drawn
    assert "█" in drawn
    assert json.loads(done.stdout)["replayed"] == 12
