"""Reading tapes: the bundled sample, synthetic ones, and each way a tape can be wrong."""

import gzip
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from integrations.bybit.simulator import synthetic
from integrations.bybit.simulator.pairs import load_pairs
from integrations.bybit.simulator.tape import BUNDLED, TapeError, open_tape, read_recording

PAIRS = load_pairs()
HEADER = "open_time_ms,open,high,low,close,volume,turnover\n"
MINUTE = 60_000
DAY = 24 * 60 * MINUTE
T0 = 1_735_732_800_000


def lines(start, count=3, price=100):
    return HEADER + "".join(
        f"{start + n * MINUTE},{price},{price + 1},{price - 1},{price},5,500\n"
        for n in range(count)
    )


def write(folder: Path, **files: str) -> str:
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text)
    return str(folder)


def test_the_bundled_sample_is_small_and_starts_inside_each_grid():
    files = [file for file in BUNDLED.iterdir() if file.name.endswith(".csv.gz")]
    assert sum(file.stat().st_size for file in files) < 1_000_000
    ranges = {
        "BTCUSDT": ("95500", "99000"),
        "MNTUSDT": ("1.04", "1.12"),
        "DOGEUSDT": ("0.129", "0.145"),
        "PEPEUSDT": ("0.00000416", "0.00000479"),
    }
    tape = open_tape("", PAIRS)
    assert tape.name == "bundled sample"
    assert set(tape.paths) == set(ranges)
    for file in files:
        recording = read_recording(file, PAIRS)
        low, high = map(float, ranges[recording.pair.symbol])
        inside = sum(low <= float(bar.close) <= high for bar in recording.candles)
        assert low < float(recording.candles[0].open) < high
        assert inside / len(recording.candles) > 0.85
        drift = recording.candles[-1].close / recording.candles[0].open - 1
        assert abs(drift) < 0.002  # of each pass, on which the next goes on
        assert len(recording.candles) * recording.interval > 2.5 * DAY


def test_bitcoin_on_the_bundled_sample_never_reaches_its_stop_loss():
    (file,) = BUNDLED.glob("BTCUSDT*")
    assert min(bar.low for bar in read_recording(file, PAIRS).candles) > 94800


def test_a_synthetic_tape_is_the_same_for_the_same_seed():
    first, again, other = (open_tape(f"synthetic:{seed}", PAIRS) for seed in (7, 7, 8))
    assert first.print == again.print != other.print
    assert set(first.paths) == set(PAIRS)


def closes(kind):
    bars = synthetic.candles(f"synthetic:5:{kind}", PAIRS)["BTCUSDT"]
    assert bars[0].open == bars[-1].close
    assert len(bars) == 7 * 24 * 60
    assert not any(list(bar.faults()) for bar in bars)
    return bars


def jumps(bars):
    """How far each bar opens from the close before it, as a share of the price."""
    return [float(after.open / before.close - 1) for before, after in pairwise(bars)]


def test_a_trend_keeps_its_direction_for_hours_and_leaves_no_gaps():
    bars = closes("trend")
    hours = [bars[n : n + 60] for n in range(0, 6 * 24 * 60, 60)]
    rose = [hour[-1].close > hour[0].open for hour in hours]
    turns = sum(one is not two for one, two in pairwise(rose))
    assert turns < len(hours) / 4
    assert not any(jumps(bars))
    assert max(bar.high for bar in bars) > Decimal("1.08") * bars[0].open


def test_a_crash_is_one_jump_through_many_levels():
    down = [jump for jump in jumps(closes("crash")) if jump]
    assert 4 <= len(down) <= 8
    assert all(-0.25 <= jump <= -0.12 for jump in down)


def test_gaps_come_several_times_an_hour_and_both_ways():
    found = [jump for jump in jumps(closes("gap")) if jump]
    assert 400 < len(found) < 1_200
    assert max(found) > 0.01
    assert min(found) < -0.01


def test_frozen_prices_never_move():
    bars = closes("frozen")
    assert {(bar.open, bar.high, bar.low, bar.close, bar.volume) for bar in bars} == {
        (97200, 97200, 97200, 97200, 0)
    }


def test_the_seed_alone_means_what_it_always_meant():
    assert open_tape("synthetic:7", PAIRS).print == open_tape("synthetic:7:revert", PAIRS).print
    assert open_tape("synthetic:7", PAIRS).print == "887bb10ef508154a"


def test_files_that_share_time_keep_it(tmp_path):
    source = write(tmp_path, BTCUSDT=lines(T0), MNTUSDT=lines(T0 + MINUTE))
    tape = open_tape(source, PAIRS)
    assert tape.start == T0 + MINUTE
    assert tape.name == tmp_path.name


def test_files_that_share_no_time_are_moved_to_one_start(tmp_path):
    source = write(tmp_path, BTCUSDT=lines(T0, price=90), MNTUSDT=lines(T0 + DAY + 7 * MINUTE))
    tape = open_tape(source, PAIRS)
    assert tape.start == T0 + DAY
    assert {symbol: path.at(tape.start) for symbol, path in tape.paths.items()} == {
        "BTCUSDT": 9000,
        "MNTUSDT": 1_000_000,
    }


def test_a_single_packed_file_is_a_tape(tmp_path):
    file = tmp_path / "BTCUSDT-1m.csv.gz"
    file.write_bytes(gzip.compress(lines(T0).encode()))
    assert list(open_tape(str(file), PAIRS).paths) == ["BTCUSDT"]


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({}, "holds no candle file"),
        ({"XYZUSDT": lines(T0)}, "must start with a pair"),
        ({"BTCUSDT": "time,price\n"}, "the header must be"),
        ({"BTCUSDT": HEADER}, "no candles"),
        ({"BTCUSDT": HEADER + "1,2,3\n"}, "line 2: not a candle"),
        ({"BTCUSDT": HEADER + "1,9,8,7,9,1,1\n"}, "high and low must enclose"),
        ({"BTCUSDT": lines(T0) + f"{T0},1,1,1,1,1,1\n"}, "line 5: time does not go forward"),
        ({"BTCUSDT-a": lines(T0), "BTCUSDT-b": lines(T0)}, "2 files for BTCUSDT"),
    ],
)
def test_a_wrong_folder_is_refused_with_one_clear_line(tmp_path, files, complaint):
    with pytest.raises(TapeError, match=complaint) as caught:
        open_tape(write(tmp_path, **files), PAIRS)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("/nowhere/at/all", "does not exist"),
        ("synthetic:x", "whole number"),
        ("synthetic:", "whole number"),
        ("synthetic:7:panic", "'panic' is none of revert, trend, crash, gap, frozen"),
    ],
)
def test_a_wrong_name_is_refused(source, complaint):
    with pytest.raises(TapeError, match=complaint):
        open_tape(source, PAIRS)


def test_a_broken_archive_is_refused(tmp_path):
    (tmp_path / "BTCUSDT.csv.gz").write_bytes(gzip.compress(lines(T0).encode())[:-12])
    with pytest.raises(TapeError, match="cannot be read"):
        open_tape(str(tmp_path), PAIRS)
