"""Candle files: what is read, and what is refused with its line and column named."""

import gzip
from decimal import Decimal

import pytest

from market.candlefile import CandleFile, CandleFileError
from tests.backtest.cases import CANDLES, CASES

HEADER = "open_time_ms,open,high,low,close,volume"
START = 1_767_225_600_000
GOOD = [f"{START},100,110,90,105,7", f"{START + 60_000},105,105,105,105,0"]


@pytest.fixture
def write(tmp_path):
    def write(*rows, header=HEADER, name="bars.csv"):
        text = "\n".join([header, *rows]) + "\n"
        path = tmp_path / name
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return path

    return write


def read(path, **limits):
    return list(CandleFile(path, "BTCUSDT", **limits))


@pytest.mark.parametrize("name", ["bars.csv", "bars.csv.gz"])
def test_plain_and_packed_are_the_same(write, name):
    first, second = read(write(*GOOD, name=name))
    assert (first.time, first.open, first.high) == (START, Decimal(100), Decimal(110))
    assert (first.low, first.close, first.volume) == (Decimal(90), Decimal(105), Decimal(7))
    assert first.symbol == "BTCUSDT"
    assert second.time == START + 60_000


def test_turnover_is_read_or_estimated(write):
    header = f"{HEADER},turnover"
    given, empty = read(write(f"{GOOD[0]},708.5", f"{GOOD[1]},", header=header))
    assert (given.turnover, empty.turnover) == (Decimal("708.5"), 0)
    (estimated,) = read(write(GOOD[0]))
    assert estimated.turnover == 7 * Decimal("101.25")


def test_columns_are_found_by_name(write):
    header = "\ufeffclose,open_time_ms,open,high,low,volume,trades"
    (bar,) = read(write(f"105,{START},100,110,90,7,33", header=header))
    assert (bar.open, bar.close) == (Decimal(100), Decimal(105))


def test_a_time_range_keeps_bars_that_open_in_it(write):
    path = write(*GOOD)
    assert [bar.time for bar in read(path, since=START + 1)] == [START + 60_000]
    assert [bar.time for bar in read(path, until=START + 60_000)] == [START]
    with pytest.raises(CandleFileError, match="reaches from 2026-01-01 00:00 to 2026-01-01 00:01"):
        read(path, since=START + 60_001)


def test_the_share_goes_from_nothing_to_all():
    case = CASES[0]
    file = CandleFile(CANDLES / f"{case.file}.csv.gz", "BTCUSDT")
    assert file.share == 0
    shares = [file.share for _ in file]
    assert shares == sorted(shares)
    assert 0 < shares[-1] <= 1
    assert file.share == 1


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (f"{START},100,110,90,105,7", r"line 4: opens at \d+, which is not after the row before"),
        (f"{START + 60_000},100,110,90,105,7", r"line 4: .* sort the rows"),
        ("1767225720,1,1,1,1,1", "line 4: open_time_ms 1767225720 is not a time in milliseconds"),
        (f"{START}000,1,1,1,1,1", "line 4: open_time_ms .* is not a time in milliseconds"),
        ("soon,1,1,1,1,1", "line 4: open_time_ms 'soon' is not a whole number"),
        (f"{START + 120_000},1,x,1,1,1", "line 4: high 'x' is not a finite number"),
        (f"{START + 120_000},1,1,,1,1", "line 4: low '' is not a finite number"),
        (f"{START + 120_000},NaN,1,1,1,1", "line 4: open 'NaN' is not a finite number"),
        (f"{START + 120_000},sNaN,1,1,1,1", "line 4: open 'sNaN' is not a finite number"),
        (f"{START + 120_000},1,Infinity,1,1,1", "line 4: prices must be finite"),
        (f"{START + 120_000},1,1,1,1,NaN", "line 4: volume 'NaN' is not a finite number"),
        (f"{START + 120_000},1,1,0,1,1", "line 4: prices must be finite and above zero"),
        (f"{START + 120_000},5,4,3,4,1", "line 4: high and low must enclose open and close"),
        (f"{START + 120_000},4,5,3,2,1", "line 4: high and low must enclose open and close"),
        (f"{START + 120_000},4,5,3,4,-1", "line 4: volume must be finite and not negative"),
        (f"{START + 120_000},4,5,3", "line 4: 4 columns; 6 are needed"),
        ("", "line 4: 0 columns; 6 are needed"),
    ],
)
def test_a_row_that_cannot_be_true_is_refused_by_line(write, row, why):
    with pytest.raises(CandleFileError, match=f"^bars.csv {why}"):
        read(write(*GOOD, row))


def test_a_bad_turnover_is_named(write):
    with pytest.raises(CandleFileError, match="line 2: turnover 'much' is not a finite number"):
        read(write(f"{GOOD[0]},much", header=f"{HEADER},turnover"))


def test_missing_columns_are_named(write):
    with pytest.raises(CandleFileError, match="no column low, volume; the first line must be"):
        read(write(header="open_time_ms,open,high,close"))
    with pytest.raises(CandleFileError, match="no column open_time_ms"):
        read(write(*GOOD, header=""))


def test_files_that_cannot_be_read(write, tmp_path):
    with pytest.raises(CandleFileError, match="no candles in it"):
        read(write())
    with pytest.raises(CandleFileError, match=r"none.csv: cannot be read .No such file"):
        read(tmp_path / "none.csv")
    with pytest.raises(CandleFileError, match=r"cannot be read .Is a directory"):
        read(tmp_path)
    packed = write(*GOOD, name="bars.csv.gz")
    whole = packed.read_bytes()
    for broken in (whole[:-12], whole[:12] + b"\xff\xff" + whole[14:], b"open_time_ms"):
        packed.write_bytes(broken)
        with pytest.raises(CandleFileError, match=r"bars.csv.gz"):
            read(packed)
    latin = tmp_path / "latin.csv"
    latin.write_bytes(b"open_time_ms,\xe9")
    with pytest.raises(CandleFileError, match=r"latin.csv: cannot be read"):
        read(latin)


def test_reading_can_stop_early():
    bars = iter(CandleFile(CANDLES / f"{CASES[0].file}.csv.gz", "BTCUSDT"))
    assert next(bars).symbol == "BTCUSDT"
    bars.close()
