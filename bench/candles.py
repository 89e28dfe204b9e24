"""Candles: what taking them in costs over plain COPY, and what reading costs in a year's table.

With TIMESCALE_SERVER set to what tests/timescale/build.sh prints, on TimescaleDB.
"""

import io
import itertools
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import django

from gridtrader.folder import Hold
from gridtrader.hosting import serving
from gridtrader.services import lock_of, of_folder
from market.candlefile import CandleFile
from market.types import Candle, moment
from tests.timescale.server import TimescalePostgres

TAPES = Path(__file__).resolve().parents[1] / "market" / "tapes"
ROWS, ROUNDS = 20_000, 5
DAYS = (1, 10, 100, 365)
MINUTE, DAY = 60_000, 86_400_000
NOW = 1_767_225_600_000  # 2026-01-01 UTC; tables grow from here into the past
LOOKS = 40

Figures = dict[str, object]


def run() -> Iterator[Figures]:
    """One line of figures for each benchmark."""
    with database():
        from django.db import connection  # noqa: PLC0415 - settings need the server's address

        from market.storage import has_timescale  # noqa: PLC0415

        store = "timescaledb" if has_timescale() else "postgresql"
        for size in (1_000, 5_000):
            yield {"benchmark": "candles.ingest", "store": store} | ingest(size)
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE market_candle")
        for figures in growing():
            yield {"benchmark": "candles.read", "store": store} | figures
        yield {"benchmark": "candles.stream", "store": store} | streaming()


@contextmanager
def database() -> Iterator[None]:
    """A durable PostgreSQL of our own, migrated, as Django's database."""
    with tempfile.TemporaryDirectory(prefix="gridtrader-bench-") as home:
        folder = Path(home)
        folder.chmod(0o711)  # PostgreSQL runs as another user when root starts it
        postgres = of_folder(folder)[0]
        if programs := os.environ.get("TIMESCALE_SERVER"):
            postgres = TimescalePostgres.like(postgres, Path(programs))
        hold = Hold.take(lock_of(folder, postgres.name))
        if hold is None:
            raise RuntimeError("a fresh folder has another user")
        with serving(postgres, hold):
            os.environ |= {
                "GRIDTRADER_ENV_FILE": os.devnull, "GRIDTRADER_DATA_DIR": home,
                "DATABASE_URL": postgres.url, "DJANGO_SETTINGS_MODULE": "gridtrader.settings",
            }  # fmt: skip
            django.setup()
            from django.core.management import call_command  # noqa: PLC0415
            from django.db import connection  # noqa: PLC0415

            call_command("migrate", verbosity=0)
            try:
                yield
            finally:
                connection.close()


def recorded() -> dict[str, list[Candle]]:
    """The bundled bars of each pair, taken as minutes."""
    paths = sorted(TAPES.glob("*.csv.gz"))
    names = {path: path.name.split("-")[0] for path in paths}
    return {
        name: [replace(bar, interval="1") for bar in CandleFile(path, name)]
        for path, name in names.items()
    }


def minutes(tapes: dict[str, list[Candle]], start: int, end: int) -> Iterator[Candle]:
    """The bars of all pairs that open in [start, end), the tapes over and over."""
    for tape in tapes.values():
        for at, bar in zip(range(start, end, MINUTE), itertools.cycle(tape), strict=False):
            yield replace(bar, time=at)


def ingest(size: int) -> Figures:
    """Rows a second of our path, none and half of them there before, and of COPY, in turns."""
    tape = recorded()["BTCUSDT"]
    bars = list(minutes({"BTCUSDT": tape}, NOW, NOW + ROWS * MINUTE))
    paces: dict[str, list[float]] = {"copy": [], "new": [], "half_there": []}
    for _ in range(ROUNDS):
        paces["copy"].append(pace(bars, size, copy))
        paces["new"].append(pace(bars, size, merge))
        paces["half_there"].append(pace(bars, size, merge, before=bars[::2]))
    found = {name: statistics.median(values) for name, values in paces.items()}
    return {
        "batch": size,
        "rows": ROWS,
        "rows_per_s": {name: round(value) for name, value in found.items()},
        "over_copy": {
            name: round(found[name] / found["copy"], 2) for name in ("new", "half_there")
        },
    }


def pace(
    bars: Sequence[Candle],
    size: int,
    take: Callable[[Sequence[Candle]], None],
    before: Sequence[Candle] = (),
) -> float:
    """Rows a second into a table that holds `before`."""
    from django.db import connection  # noqa: PLC0415

    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE market_candle")
    merge(before)
    began = time.perf_counter()
    for at in range(0, len(bars), size):
        take(bars[at : at + size])
    return len(bars) / (time.perf_counter() - began)


def merge(bars: Sequence[Candle]) -> None:
    """Our path, checks and all."""
    from market.merge import record_candles  # noqa: PLC0415

    record_candles(bars)


def copy(bars: Sequence[Candle]) -> None:
    """The floor: formatted and copied, with neither check nor conflict."""
    from django.db import connection  # noqa: PLC0415

    text = "".join(
        f"{bar.symbol}\t{bar.interval}\t{moment(bar.time)}\t{bar.open:f}\t{bar.high:f}\t"
        f"{bar.low:f}\t{bar.close:f}\t{bar.volume:f}\t{bar.turnover:f}\t{bar.closed}\n"
        for bar in bars
    )
    with connection.cursor() as cursor:
        cursor.copy_expert("COPY market_candle FROM STDIN", io.StringIO(text))


def growing() -> Iterator[Figures]:
    """Latency of what pages ask for, while the table grows from a day to a year."""
    from django.db import connection  # noqa: PLC0415

    from market import rollups  # noqa: PLC0415

    tapes = recorded()
    start = NOW
    for days in DAYS:
        earlier = NOW - days * DAY
        before, began = peak_mb(), time.perf_counter()
        merge(minutes(tapes, earlier, start))  # type: ignore[arg-type]  # any iterable will do
        loaded = time.perf_counter() - began
        rows = (start - earlier) // MINUTE * len(tapes)
        began = time.perf_counter()
        for symbol in tapes:
            rollups.roll_up(symbol, earlier, start - 1)
        rolled_up = time.perf_counter() - began
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE market_candle")
            cursor.execute("ANALYZE market_rollup")
        start = earlier
        yield {
            "days": days,
            "rows": days * 1_440 * len(tapes),
            "load_rows_per_s": round(rows / loaded),
            "roll_up_s": round(rolled_up, 2),
            "memory_grew_mb": round(peak_mb() - before, 1),
            "p50_ms": latencies(list(tapes)),
        }


def latencies(symbols: Sequence[str]) -> dict[str, float]:
    """Medians, ms. `dashboard` is all that the dashboard reads of candles, for all pairs."""
    from bots.reports import spark  # noqa: PLC0415
    from market import series  # noqa: PLC0415
    from market.models import Price  # noqa: PLC0415

    now = moment(NOW - 1)
    price = Price(symbol="", last=1, bid=1, ask=1, time=now, received_at=now)
    first = symbols[0]
    asked: dict[str, Callable[[], object]] = {
        "dashboard": lambda: [spark.recent(symbol, price) for symbol in symbols],
        "minutes_200": lambda: series.read(first, "1", NOW, 200),
        "quarters_200": lambda: series.read(first, "15", NOW - 1, 200),
        "hours_200": lambda: series.read(first, "60", NOW - 1, 200),
        "days_365": lambda: series.read(first, "D", NOW - 1, 365),
    }
    return {name: round(median_ms(look), 2) for name, look in asked.items()}


def median_ms(look: Callable[[], object]) -> float:
    took = []
    for _ in range(LOOKS):
        began = time.perf_counter()
        look()
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


def streaming() -> Figures:
    """A stream's life: four open bars a write, each confirmed in the end, on the year's table."""
    tapes = recorded()
    count = 2_000
    merge(list(minutes(tapes, NOW, NOW + MINUTE)))
    before, began = peak_mb(), time.perf_counter()
    for number in range(count):
        bars = minutes(tapes, NOW + number // 10 * MINUTE, NOW + (number // 10 + 1) * MINUTE)
        merge([replace(bar, closed=number % 10 == 9) for bar in bars])  # noqa: PLR2004
    took = time.perf_counter() - began
    return {
        "writes": count,
        "ms_per_write": round(took / count * 1000, 2),
        "memory_grew_mb": round(peak_mb() - before, 1),
    }


def peak_mb() -> float:
    """The most memory this process has ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
