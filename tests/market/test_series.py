"""Longer bars are exactly what their minutes say, whatever they were made of."""

import csv
import io
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import AsyncClient
from rest_framework.test import APIClient

from bots.roles import Role
from market import rollups, series
from market.candlefile import CandleFile
from market.intervals import LENGTH_MS, UnknownInterval, opening
from market.merge import record_candles
from market.models import Rollup
from market.types import Candle, milliseconds, moment
from tests.factories import InstrumentFactory, PriceFactory, UserFactory, new_token
from tests.market.bars import MINUTE, NOON, bar, bars, kept

pytestmark = pytest.mark.django_db
DAY = 24 * 60


def folded(minutes: Sequence[Candle], interval: str) -> list[Candle]:
    """The bars of an interval, by hand."""
    groups: dict[int, list[Candle]] = {}
    for each in minutes:
        groups.setdefault(opening(interval, each.time), []).append(each)
    return [
        Candle(
            "BTCUSDT", interval, start, parts[0].open, max(part.high for part in parts),
            min(part.low for part in parts), parts[-1].close, sum(part.volume for part in parts),
            sum(part.turnover for part in parts),
            closed=parts[-1].time + MINUTE == start + LENGTH_MS[interval],
        )
        for start, parts in sorted(groups.items())
    ]  # fmt: skip


@pytest.mark.parametrize("interval", ["3", "30", "60", "240", "720", "D", "W"])
@pytest.mark.parametrize("rolled_up", [False, True])
def test_bars_made_of_minutes(interval: str, rolled_up: bool) -> None:
    minutes = bars(range(-9 * DAY, 200))
    record_candles(minutes)
    if rolled_up:
        rollups.roll_up("BTCUSDT", minutes[0].time, minutes[-1].time)
    found = series.read("BTCUSDT", interval, minutes[-1].time, 1_000)
    assert list(found) == folded(minutes, interval)[-1_000:]


def test_what_was_rolled_up_outlives_its_minutes() -> None:
    minutes = bars(range(-3 * DAY, 0))
    record_candles(minutes)
    rollups.roll_up("BTCUSDT", minutes[0].time, minutes[-1].time)
    before = series.read("BTCUSDT", "240", NOON, 100)
    from market.models import Candle as Row

    Row.objects.filter(time__lt=moment(NOON - DAY * MINUTE)).delete()
    rollups.roll_up("BTCUSDT", minutes[0].time, minutes[-1].time)
    assert series.read("BTCUSDT", "240", NOON, 100) == before


def test_a_late_minute_mends_hour_and_day() -> None:
    minutes = bars(range(2 * DAY))
    record_candles([each for each in minutes if each.time != NOON + 90 * MINUTE])
    rollups.roll_up("BTCUSDT", NOON, minutes[-1].time)
    hours = Rollup.objects.filter(interval="60", minutes__lt=60)
    assert [milliseconds(hour.time) for hour in hours] == [NOON + 60 * MINUTE]
    record_candles([bar(90)])
    rollups.roll_up("BTCUSDT", NOON + 90 * MINUTE, NOON + 90 * MINUTE)
    assert not hours.all().exists()
    assert list(series.read("BTCUSDT", "D", minutes[-1].time, 9)) == folded(minutes, "D")
    assert rollups.roll_up("BTCUSDT", NOON, minutes[-1].time) == 0  # nothing is written twice


def test_the_exchanges_own_bars_come_first() -> None:
    own = bar(0, interval="60", volume=Decimal(12_345))
    record_candles([*bars(range(120)), own])
    first, second = series.read("BTCUSDT", "60", NOON + 119 * MINUTE, 2)
    assert (first, second) == (own, folded(bars(range(60, 120)), "60")[0])


def test_limits_and_bounds() -> None:
    record_candles(bars(range(100)))
    read = series.read
    assert [each.time for each in read("BTCUSDT", "1", NOON + 50 * MINUTE, 3)] == [
        NOON + number * MINUTE for number in (48, 49, 50)
    ]
    bounded = read("BTCUSDT", "5", NOON + 21 * MINUTE, 99, NOON + 6 * MINUTE)
    assert [each.time for each in bounded] == [NOON + n * MINUTE for n in (10, 15, 20)]
    assert read("BTCUSDT", "5", NOON, 9, NOON + MINUTE) == []
    assert read("MNTUSDT", "60", NOON, 9) == []
    with pytest.raises(UnknownInterval, match="accepted: 1, 3"):
        read("BTCUSDT", "2", NOON, 9)


@pytest.fixture
def key() -> str:
    InstrumentFactory()
    PriceFactory(time=moment(NOON + 100 * MINUTE))
    return new_token(UserFactory(role=Role.VIEWER))


@pytest.fixture
def viewer(key: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {key}")
    return client


def test_the_api_pages_backwards(viewer: APIClient) -> None:
    record_candles(bars(range(101)))
    seen, to = [], None
    while True:
        query = {"symbol": "BTCUSDT", "limit": 40} | ({"to": to} if to else {})
        answer = viewer.get("/api/candles", query).json()
        seen = answer["candles"] + seen
        to = answer["older"]
        if to is None:
            break
    assert len(seen) == 101
    assert seen[0] == {
        "time": "2026-01-12T12:00:00.000Z", "open": "97000.0625", "high": "97038.3125",
        "low": "96999.3125", "close": "97037.0625", "volume": "0.125",
        "turnover": "12129.6328125", "closed": True,
    }  # fmt: skip


def test_the_api_takes_both_kinds_of_time_and_longer_intervals(viewer: APIClient) -> None:
    record_candles(bars(range(101)))
    iso = viewer.get(
        "/api/candles?symbol=BTCUSDT&interval=5&from=2026-01-12T12:30:00Z&to=2026-01-12T12:40"
    ).json()
    ms = viewer.get(
        f"/api/candles?symbol=BTCUSDT&interval=5&from={NOON + 30 * MINUTE}&to={NOON + 40 * MINUTE}"
    ).json()
    assert iso == ms
    assert [each["time"][11:16] for each in iso["candles"]] == ["12:30", "12:35", "12:40"]


@pytest.mark.parametrize(
    ("query", "field", "told"),
    [
        ("", "symbol", "required"),
        ("symbol=NOPEUSDT", "symbol", "accepted: BTCUSDT"),
        ("symbol=BTCUSDT&interval=2", "interval", "accepted: 1, 3, 5"),
        ("symbol=BTCUSDT&limit=1001", "limit", "1000"),
        ("symbol=BTCUSDT&from=yesterday", "from", "ISO 8601"),
        ("symbol=BTCUSDT&from=2026-01-02&to=2026-01-01", "from", "not be after"),
        ("symbol=BTCUSDT&since=1", "since", "unknown"),
    ],
)
def test_the_api_says_what_it_accepts(viewer: APIClient, query: str, field: str, told: str) -> None:
    answer = viewer.get(f"/api/candles?{query}")
    assert answer.status_code == (404 if "NOPE" in query else 400)
    assert told in " ".join(answer.json()["error"]["fields"][field])


def test_strangers_see_no_candles() -> None:
    assert APIClient().get("/api/candles?symbol=BTCUSDT").status_code == 401
    assert APIClient().get("/api/export/candles.csv?symbol=BTCUSDT").status_code == 401


@pytest.mark.django_db(transaction=True)
async def test_an_export_is_a_candle_file_that_comes_back(key: str, tmp_path: Path) -> None:
    from asgiref.sync import sync_to_async

    await sync_to_async(record_candles)([*bars(range(100)), bar(100, closed=False)])
    answer = await AsyncClient().get(
        "/api/export/candles.csv?symbol=BTCUSDT", headers={"authorization": f"Token {key}"}
    )
    assert answer.status_code == 200
    assert answer["Content-Disposition"] == 'attachment; filename="BTCUSDT-1.csv"'
    text = b"".join([part async for part in answer.streaming_content]).decode()
    assert len(list(csv.DictReader(io.StringIO(text)))) == 100
    path = tmp_path / "out.csv"
    path.write_text(text)
    assert [each.time for each in CandleFile(path, "BTCUSDT")] == [b.time for b in bars(range(100))]
    again = await sync_to_async(imported)(path)
    assert again == bars(range(100), symbol="MNTUSDT")


def imported(path: Path) -> list[Candle]:
    call_command("backfill", "--symbol", "MNTUSDT", "--file", str(path), stderr=io.StringIO())
    assert Rollup.objects.filter(symbol="MNTUSDT", interval="60").count() == 2
    return kept("MNTUSDT")
