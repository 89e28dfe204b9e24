# ruff: noqa: INP001 - a script beside its data, never imported
"""Cuts the bundled tapes out of raw recordings: `python market/tapes/make_tapes.py FOLDER`.

Standard library only, and deterministic: the same recordings give the same bytes.
"""

import csv
import gzip
import io
import math
import sys
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

HERE = Path(__file__).parent
HEADER = ["open_time_ms", "open", "high", "low", "close", "volume", "turnover"]
CUTS = [  # recording, first bar, number of bars, divide prices by, tick, name of the tape
    (
        "BTCUSDT-1m-binance-spot-20241130T2300-20241229T2259.csv.gz",
        1735049400000, 3864, 1, "0.01", "BTCUSDT-1m-binance-spot-20241224T1410.csv.gz",
    ),
    (
        "DOGEUSDT-1m-binance-perp-20260104T0000-20260115T2359.csv.gz",
        1767855600000, 7835, 1, "0.00001", "DOGEUSDT-1m-binance-perp-20260108T0700.csv.gz",
    ),
    (
        "1000PEPEUSDT-5m-binance-perp-20250704T1155-20251130T2355.csv.gz",
        1764011400000, 1567, 1000, "0.000000001",
        "PEPEUSDT-5m-binance-perp-from-1000PEPE-20251124T1910.csv.gz",
    ),
]  # fmt: skip
SCALED = (
    "MNTUSDT-5m-bybit-perp-20251014T0915-20251017T2025.csv.gz",
    "MNTUSDT-5m-scaled-from-bybit-perp-20251014T0915.csv.gz",
)
MIDDLE, REACH, TICK = 1.08, 0.032, Decimal("0.0001")


def read(file: Path) -> list[list[str]]:
    """The rows below the header."""
    with gzip.open(file, "rt", newline="") as text:
        return list(csv.reader(text))[1:]


def on_tick(price: Decimal, tick: Decimal) -> Decimal:
    return (price / tick).to_integral_value(ROUND_HALF_EVEN) * tick


def text(number: Decimal) -> str:
    digits = format(number, "f")
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def cut(rows: list[list[str]], divisor: int, tick: Decimal) -> list[list[str]]:
    """Prices divided and put on the tick; volume is multiplied, turnover stays."""
    return [
        [
            row[0],
            *(text(on_tick(Decimal(price) / divisor, tick)) for price in row[1:5]),
            text(Decimal(row[5]) * divisor),
            text(Decimal(row[6])) if row[6:] and row[6] else "",
        ]
        for row in rows
    ]


def scaled(rows: list[list[str]]) -> list[list[str]]:
    """The real path's shape inside another range.

    In logarithms: the straight trend from the first open to the last close is taken out, what
    remains is shrunk until it reaches REACH from its middle, and put around MIDDLE. Volume is kept.
    """
    first, last = math.log(float(rows[0][1])), math.log(float(rows[-1][4]))
    slope = (last - first) / len(rows)
    shapes = [
        [math.log(float(price)) - first - slope * (bar + share)
         for price, share in zip(row[1:5], (0, 0.5, 0.5, 1), strict=True)]
        for bar, row in enumerate(rows)
    ]  # fmt: skip
    top = max(max(shape) for shape in shapes)
    bottom = min(min(shape) for shape in shapes)
    shrink = 2 * REACH / (top - bottom)
    made = []
    for row, shape in zip(rows, shapes, strict=True):
        prices = [
            on_tick(Decimal(MIDDLE * math.exp(shrink * (x - (top + bottom) / 2))), TICK)
            for x in shape
        ]
        opened, high, low, close = prices
        high, low = max(prices), min(prices)
        volume = Decimal(row[5])
        turnover = on_tick(volume * sum((opened, high, low, close)) / 4, TICK)
        made.append([row[0], *map(text, (opened, high, low, close)), text(volume), text(turnover)])
    return made


def write(name: str, rows: list[list[str]]) -> None:
    plain = io.StringIO()
    csv.writer(plain, lineterminator="\n").writerows([HEADER, *rows])
    packed = gzip.compress(plain.getvalue().encode(), 9, mtime=0)
    (HERE / name).write_bytes(packed)
    prices = [Decimal(cell) for row in rows for cell in row[1:5]]
    report = f"{name}: {len(rows)} bars, {min(prices)} to {max(prices)}, from {rows[0][1]}"
    sys.stdout.write(f"{report} to {rows[-1][4]}, {len(packed)} bytes\n")


def main(folder: Path) -> None:
    for source, start, count, divisor, tick, name in CUTS:
        rows = read(folder / source)
        first = next(number for number, row in enumerate(rows) if int(row[0]) == start)
        write(name, cut(rows[first : first + count], divisor, Decimal(tick)))
    source, name = SCALED
    write(name, scaled(read(folder / source)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
