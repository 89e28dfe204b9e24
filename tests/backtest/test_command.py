"""`manage.py backtest`: the promised options and figures, refusals, the bar and the chart."""

import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from bots.progress import shown
from tests.backtest.cases import CANDLES, CASES

MANAGE = Path(__file__).parents[2] / "manage.py"
FILE = str(CANDLES / f"{CASES[0].file}.csv.gz")
GIVEN = {
    "symbol": "BTCUSDT",
    "candles": FILE,
    "lower": "95500",
    "upper": "100000",
    "grids": "18",
    "capital": "20000",
}
KEYS = [
    "candles", "fills", "buys", "sells", "round_trips", "quantity", "levels", "grid_profit",
    "inventory_pnl", "fees_quote", "base", "quote", "equity", "total_pnl", "max_drawdown",
    "apr_grid", "apr_total", "fills_per_day", "out_of_range_share",
]  # fmt: skip


def words(**changes):
    given = GIVEN | changes
    return [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]


def run(*flags, **changes):
    told = io.StringIO()
    call_command("backtest", *words(**changes), *flags, stdout=told)
    return told.getvalue()


def test_json_is_all_that_is_printed_and_needs_no_servers():
    done = subprocess.run(
        [sys.executable, str(MANAGE), "backtest", *words(), "--json"],
        capture_output=True, text=True, check=True, timeout=60,
        env=os.environ | {"DATABASE_URL": "postgres://nobody@127.0.0.1:9/none"},
    )  # fmt: skip
    told = json.loads(done.stdout)
    assert list(told) == KEYS
    assert done.stderr == ""
    assert told["candles"] == 600
    assert isinstance(told["equity"], str)
    assert told["apr_grid"] is None


def test_every_option_has_its_effect():
    plain = json.loads(run("--json"))
    for changes in (
        {"spacing": "geometric"}, {"sizing": "quote"}, {"maker": "0.0002"}, {"reserve": "0.2"},
        {"tick": "60"}, {"lot": "0.001"},
        {"from": "2024-12-05T20:00"}, {"to": "2024-12-06"}, {"to": "1733443200000"},
    ):  # fmt: skip
        assert json.loads(run("--json", **changes)) != plain, changes
    coarse = {
        "symbol": "PEPEUSDT", "candles": CANDLES / f"{CASES[6].file}.csv.gz",
        "tick": "0.00000001", "lower": "0.0000128", "upper": "0.0000154", "grids": "40",
    }  # fmt: skip
    told = [run("--json", **coarse, **way) for way in ({}, {"path": "color"}, {"fill": "touch"})]
    assert len(set(told)) == 3
    above = json.loads(run("--json", lower="102000", upper="110000"))
    taken = json.loads(run("--json", lower="102000", upper="110000", taker="0.002"))
    assert above["base"] != taken["base"]


def test_times_are_utc_and_the_end_is_not_included():
    part = json.loads(run("--json", **{"from": "2024-12-05T20:00", "to": "2024-12-05T20:10"}))
    assert part["candles"] == 10
    east = {"from": "2024-12-05T21:00+01:00", "to": "2024-12-05T20:10Z"}
    assert json.loads(run("--json", **east)) == part


def test_the_published_example(tmp_path):
    bars = tmp_path / "bars.csv"
    header = "open_time_ms,open,high,low,close,volume\n"
    bars.write_text(f"{header}1767225600000,54000,61500,54000,61500,1\n")
    told = json.loads(
        run(
            "--json", candles=bars, lower="45000", upper="65000", grids="5", capital="23610",
            lot="0.00000001",
        )
    )  # fmt: skip
    assert told["quantity"] == "0.08795882"
    assert told["grid_profit"] == "341.10959754"
    assert told["inventory_pnl"] == "263.87646"


def test_a_report_for_people():
    told = run()
    assert told.startswith("BTCUSDT: arithmetic grid of 18 cells from 95500 to 100000, 20000 USDT")
    assert "The grid " in told


def test_other_pairs_need_their_steps():
    with pytest.raises(CommandError, match=r"--tick is needed for SUIUSDT.*BTCUSDT, DOGEUSDT"):
        run(symbol="SUIUSDT")
    with pytest.raises(CommandError, match="--min-notional is needed"):
        run(symbol="SUIUSDT", tick="0.01", lot="0.00001")
    steps = {"tick": "0.01", "lot": "0.00001", "min_notional": "5"}
    assert json.loads(run("--json", symbol="suiusdt", **steps))["fills"] > 0
    with pytest.raises(CommandError, match="--symbol XYZ must be a pair that ends with"):
        run(symbol="XYZ", **steps)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"lower": "x"}, "--lower must be a number from .* not 'x'"),
        ({"lower": "-1"}, "--lower must be a number from"),
        ({"lower": "NaN"}, "--lower must be a number from"),
        ({"lower": "100000"}, "--upper: the upper price must be above the lower"),
        ({"grids": "0"}, "--grids must be a number from 1 to 1000, not '0'"),
        ({"grids": "2.5"}, "--grids must be a whole number from 1 to 1000, not 2.5"),
        ({"grids": "1000", "upper": "95501"}, "--grids: 1000 grids are too fine for BTCUSDT"),
        ({"capital": "50"}, "--capital: 50 USDT over 18 grids buys 0.000027 BTC a cell"),
        ({"capital": "0"}, "--capital must be a number from"),
        ({"reserve": "1"}, "--reserve must be a number from 0 to 0.99, not '1'"),
        ({"maker": "0.1"}, "--maker must be a number from -0.01 to 0.01, not '0.1'"),
        ({"taker": "-0.1"}, "--taker must be a number from 0 to 0.01"),
        ({"tick": "0"}, "--tick must be a number from"),
        ({"tick": "300000"}, "--lower: 95500 is nearer to zero"),
        ({"lot": "0"}, "--lot must be a number from"),
        ({"min_notional": "-5"}, "--min-notional must be a number from 0"),
        ({"path": "best"}, "argument --path: invalid choice: 'best'"),
        ({"spacing": "log"}, "argument --spacing: invalid choice: 'log'"),
        ({"from": "yesterday"}, "--from 'yesterday' is not a time; accepted: 2026-01-31"),
        ({"from": "2024-12-06", "to": "2024-12-05"}, "--to must be later than --from"),
        ({"to": "2020-01-01"}, "--candles: .* no candle in the chosen time"),
        ({"candles": "/nowhere.csv"}, "--candles: nowhere.csv: cannot be read"),
        ({"candles": str(MANAGE)}, "--candles: manage.py: no column open_time_ms"),
    ],
)
def test_refusals_name_the_argument_and_what_is_accepted(changes, why):
    with pytest.raises(CommandError, match=why):
        run(**changes)


def test_a_chart_is_written(tmp_path):
    chart = tmp_path / "chart.svg"
    run(chart=chart)
    assert chart.read_text().startswith("<svg ")
    with pytest.raises(CommandError, match=r"--chart .*: No such file or directory"):
        run(chart=tmp_path / "none" / "chart.svg")


def test_the_bar_shows_on_a_terminal_and_is_wiped():
    main, terminal = pty.openpty()
    done = subprocess.run(
        [sys.executable, str(MANAGE), "backtest", *words(), "--json"],
        stdout=subprocess.PIPE, stderr=terminal, check=True, timeout=60,
    )  # fmt: skip
    os.close(terminal)
    drawn = os.read(main, 65536).decode()
    os.close(main)
    json.loads(done.stdout)
    assert "candles" in drawn
    assert drawn.endswith("\r\x1b[K")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_bar_goes_when_the_work_fails():
    def broken():
        yield 1
        raise ValueError

    screen = Terminal()
    with pytest.raises(ValueError):  # noqa: PT011 - ours
        list(shown(broken(), lambda: 0.5, "bars", screen))
    assert "50%  0 bars" in screen.getvalue()
    assert screen.getvalue().endswith("\r\x1b[K")
    silent = io.StringIO()
    assert list(shown([1, 2], lambda: 0.5, "bars", silent)) == [1, 2]
    assert silent.getvalue() == ""
