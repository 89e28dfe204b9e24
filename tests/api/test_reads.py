"""What the reads of the API answer."""

import csv
import io
import warnings
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings
from rest_framework.test import APIClient

from bots.api import errors as api_errors
from bots.models import Bot, Fill
from bots.roles import Role
from market.models import Price
from market.types import OrderStatus, Side
from risk import pulse
from risk.models import ApiCalls, Pulse
from tests.api.conftest import Caller
from tests.factories import NOON, BotFactory, FillFactory, OrderFactory, RoundTripFactory


@pytest.fixture
def viewer(caller: Caller) -> APIClient:
    return caller(Role.VIEWER)


def ids_of(answer: Any, name: str = "client_id") -> list[str]:
    return [row[name] for row in answer.json()["results"]]


def test_bots_come_as_on_the_dashboard(viewer: APIClient, bot: Bot) -> None:
    OrderFactory(bot=bot, price=Decimal(95_500))
    (card,) = viewer.get("/api/bots").json()["bots"]
    assert card == viewer.get("/api/bots/btc-usdt").json() | {"price": card["price"]}
    assert card["slug"] == "btc-usdt"
    assert card["state"] == "running"
    assert card["capital"] == "25000"
    assert card["price"]["last"] == "97000"
    assert card["resting"]["buys"] == 1


def test_cells_tell_what_they_want(viewer: APIClient, bot: Bot) -> None:
    answer = viewer.get("/api/bots/btc-usdt/cells").json()
    assert answer["bot"] == "btc-usdt"
    (cell,) = answer["cells"]
    assert (cell["low"], cell["high"], cell["wants"]) == ("95500", "96000", "Buy")


def test_an_order_is_a_row_of_plain_texts(viewer: APIClient, bot: Bot) -> None:
    order = OrderFactory(bot=bot, price=Decimal("0.00000416"), quantity=Decimal(12_000_000))
    (row,) = viewer.get("/api/orders").json()["results"]
    assert row["client_id"] == order.client_id
    assert row["price"] == "0.00000416"
    assert row["quantity"] == "12000000"
    assert row["filled"] == "0"
    assert row["bot"] == "btc-usdt"
    assert row["created_at"].endswith("Z")


def test_a_fill_names_its_order_and_fee(viewer: APIClient, bot: Bot) -> None:
    fill = FillFactory(order__bot=bot)
    (row,) = viewer.get("/api/fills").json()["results"]
    assert row["exec_id"] == fill.exec_id
    assert row["client_id"] == fill.order.client_id
    assert (row["fee"], row["fee_coin"]) == ("0.00002", "BTC")
    assert row["time"] == "2026-01-12T12:00:00Z"


def test_a_round_trip_tells_what_it_earned(viewer: APIClient, bot: Bot) -> None:
    RoundTripFactory(bot=bot)
    (row,) = viewer.get("/api/round-trips").json()["results"]
    assert (row["cost"], row["proceeds"], row["grid_profit"]) == ("1910", "1911", "1")


def test_lists_filter(viewer: APIClient, bot: Bot) -> None:
    other = BotFactory(slug="eth-usdt")
    resting = OrderFactory(bot=bot, side=Side.BUY).client_id
    done = OrderFactory(bot=bot, side=Side.SELL, status=OrderStatus.FILLED).client_id
    flying = OrderFactory(bot=other, side=Side.SELL, status=OrderStatus.SENT).client_id
    assert ids_of(viewer.get("/api/orders")) == [flying, done, resting]
    assert ids_of(viewer.get("/api/orders?bot=btc-usdt")) == [done, resting]
    assert ids_of(viewer.get("/api/orders?side=buy")) == [resting]
    assert ids_of(viewer.get("/api/orders?status=open")) == [resting]
    assert ids_of(viewer.get("/api/orders?status=closed&bot=btc-usdt")) == [done]
    assert ids_of(viewer.get("/api/orders?status=in-flight")) == [flying]
    assert ids_of(viewer.get("/api/orders?status=FILLED")) == [done]


@pytest.mark.parametrize(
    ("query", "field", "accepted"),
    [
        ("orders?status=done", "status", "in-flight, open, closed, NEW"),
        ("orders?side=long", "side", "Buy, Sell"),
        ("fills?status=OPEN", "status", "bot, side, from, to, cursor, limit"),
        ("round-trips?side=Buy", "side", "bot, from, to, cursor, limit"),
        ("fills?limit=0", "limit", "from 1 to 1000"),
        ("fills?limit=x", "limit", "from 1 to 1000"),
        ("fills?limit=1001", "limit", "from 1 to 1000"),
        ("fills?side=Buy&side=Sell", "side", "once"),
        ("fills?from=noon", "from", "ISO 8601"),
        ("fills?from=2026-01-02&to=2026-01-01", "from", "not be after"),
        ("bots?state=asleep", "state", "running"),
        ("bots?symbol=btc", "symbol", "BTCUSDT"),
        ("bots/btc-usdt?deep=1", "deep", "none"),
        ("risk?since=1", "since", "none"),
    ],
)
def test_a_wrong_filter_says_what_is_right(
    viewer: APIClient, bot: Bot, query: str, field: str, accepted: str
) -> None:
    answer = viewer.get(f"/api/{query}")
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["code"] == "invalid"
    assert accepted in error["message"]
    assert accepted in error["fields"][field][0]


def test_what_does_not_exist_is_not_found(viewer: APIClient, bot: Bot) -> None:
    for address in ("fills?bot=xrp-usdt", "export/fills.csv?bot=xrp-usdt"):
        answer = viewer.get(f"/api/{address}")
        assert answer.status_code == 404
        assert "accepted: btc-usdt" in answer.json()["error"]["fields"]["bot"][0]


def test_lists_are_of_a_time(viewer: APIClient, bot: Bot) -> None:
    for hour in (10, 11, 12):
        FillFactory(order__bot=bot, time=NOON.replace(hour=hour), exec_id=f"at-{hour}")
    query = {"from": "2026-01-12T11:00:00Z", "to": "2026-01-12T13:00:00%2B01:00"}
    text = "&".join(f"{name}={value}" for name, value in query.items())
    assert ids_of(viewer.get(f"/api/fills?{text}"), "exec_id") == ["at-12", "at-11"]


def test_bots_page_and_filter(viewer: APIClient, bot: Bot) -> None:
    BotFactory(slug="eth-usdt", symbol="ETHUSDT", position=1)
    BotFactory(slug="old", state=Bot.State.STOPPED, position=2)

    def slugs(address: str) -> list[str]:
        return [card["slug"] for card in viewer.get(address).json()["bots"]]

    assert slugs("/api/bots?state=stopped") == ["old"]
    assert slugs("/api/bots?symbol=ETHUSDT") == ["eth-usdt"]
    first = viewer.get("/api/bots?limit=2").json()
    assert [card["slug"] for card in first["bots"]] == ["btc-usdt", "eth-usdt"]
    assert slugs(first["next"]) == ["old"]


@pytest.mark.parametrize("name", ["fills", "orders", "round-trips"])
def test_a_list_comes_as_a_file_too(viewer: APIClient, bot: Bot, name: str) -> None:
    FillFactory.create_batch(3, order__bot=bot, order__reason="=1+1")
    RoundTripFactory.create_batch(3, bot=bot, inventory_pnl=Decimal("-1.5"))
    FillFactory(order__bot=BotFactory(slug="other"))
    rows = viewer.get(f"/api/{name}?bot=btc-usdt").json()["results"]
    answer = viewer.get(f"/api/export/{name}.csv?bot=btc-usdt")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"] == f'attachment; filename="gridtrader-{name}.csv"'
    assert answer.is_async, "it is sent while it is read"
    with warnings.catch_warnings(action="ignore"):  # this client is not async
        text = b"".join(answer).decode()
    lines = list(csv.DictReader(io.StringIO(text)))
    assert len(lines) == len(rows) == 3
    for line, row in zip(lines, rows, strict=True):
        told = {key: "" if value is None else str(value) for key, value in row.items()}
        assert line == told | ({"reason": "'=1+1"} if "reason" in told else {})


def test_lists_page_by_cursor_without_loss_while_rows_come_in(viewer: APIClient, bot: Bot) -> None:
    FillFactory.create_batch(5, order__bot=bot)
    expected = list(Fill.objects.order_by("-id").values_list("exec_id", flat=True))
    page = viewer.get("/api/fills?limit=2")
    seen = ids_of(page, "exec_id")
    FillFactory(order__bot=bot)
    while address := page.json()["next"]:
        page = viewer.get(address)
        seen += ids_of(page, "exec_id")
    assert seen == expected


@pytest.mark.parametrize("cursor", ["nonsense", ""])
def test_a_wrong_cursor_is_told(viewer: APIClient, bot: Bot, cursor: str) -> None:
    answer = viewer.get(f"/api/fills?cursor={cursor}")
    assert answer.status_code == 404
    assert "cursor" in answer.json()["error"]["message"].lower()


def test_a_page_costs_the_same_whatever_its_length(
    viewer: APIClient, bot: Bot, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    FillFactory.create_batch(8)
    with django_assert_max_num_queries(3):  # token, roles, rows
        assert len(ids_of(viewer.get("/api/fills"), "exec_id")) == 8


def test_an_unknown_bot_names_the_known_ones(viewer: APIClient, bot: Bot) -> None:
    for address in ("/api/bots/xrp-usdt", "/api/bots/xrp-usdt/cells"):
        answer = viewer.get(address)
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "not_found"
        assert "btc-usdt" in answer.json()["error"]["message"]


def test_nowhere_answers_in_the_same_shape(viewer: APIClient) -> None:
    for address in ("/api/", "/api/grids", "/api/bots/", "/api/bots/a/b/c"):
        answer = viewer.get(address)
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "not_found"


def test_an_address_with_a_line_end_is_nowhere_too(viewer: APIClient) -> None:
    answer = viewer.get("/api/bots/a%0Ab/cells")
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/json")
    assert answer.json()["error"]["code"] == "not_found"


# --- health --------------------------------------------------------------------------------------


@pytest.fixture
def loops(db: None) -> None:
    """Beat and watchdog live."""
    pulse.beat(pulse.BEAT, pulse.WATCHDOG)


@pytest.mark.usefixtures("loops")
def test_health_tells_strangers_one_word(caller: Caller, bot: Bot) -> None:
    bot.looked_at = timezone.now()
    bot.save()
    assert caller(None).get("/api/health").json() == {"status": "ok"}
    assert caller(Role.KILLER).get("/api/health").json() == {"status": "ok"}


@pytest.mark.usefixtures("loops")
def test_health_tells_readers_its_parts(viewer: APIClient, bot: Bot) -> None:
    bot.looked_at = timezone.now()
    bot.save()
    found = viewer.get("/api/health").json()
    assert found["status"] == "ok"
    assert {name: part["status"] for name, part in found["parts"].items()} == {
        "database": "ok", "redis": "ok", "worker": "ok", "stream": "ok", "candles": "ok",
        "beat": "ok", "watchdog": "ok", "exchange": "ok",
    }  # fmt: skip
    assert found["parts"]["exchange"]["mode"] == "paper"
    assert found["parts"]["worker"]["age_s"] < 15
    assert all(0 <= pair["lag_s"] < 60 for pair in found["parts"]["candles"]["pairs"].values())
    assert found["parts"]["candles"]["pairs"]


def test_a_worker_that_sleeps_degrades_health(viewer: APIClient, bot: Bot) -> None:
    bot.looked_at = timezone.now() - timedelta(seconds=60)
    bot.save()
    found = viewer.get("/api/health").json()
    assert found["status"] == "degraded"
    assert found["parts"]["worker"]["status"] == "degraded"
    assert found["parts"]["stream"]["status"] == "ok"


def test_a_stream_that_is_silent_degrades_health(viewer: APIClient, bot: Bot) -> None:
    Price.objects.update(received_at=timezone.now() - timedelta(seconds=60))
    found = viewer.get("/api/health").json()
    assert found["parts"]["stream"]["status"] == "degraded"
    assert "nothing new" in found["parts"]["stream"]["reason"]


@pytest.mark.parametrize("loop", ["beat", "watchdog"])
@pytest.mark.usefixtures("loops")
def test_a_loop_that_stands_still_degrades_health(viewer: APIClient, bot: Bot, loop: str) -> None:
    Pulse.objects.filter(name=loop).update(at=timezone.now() - timedelta(seconds=60))
    found = viewer.get("/api/health").json()
    assert found["status"] == "degraded"
    assert found["parts"][loop]["status"] == "degraded"


@pytest.mark.parametrize(
    ("failures", "status"), [(0, "ok"), (1, "ok"), (50, "degraded"), (100, "down")]
)
def test_the_exchange_is_as_well_as_its_answers(
    viewer: APIClient, bot: Bot, failures: int, status: str
) -> None:
    ApiCalls.objects.create(at=timezone.now(), calls=100, failures=failures)
    part = viewer.get("/api/health").json()["parts"]["exchange"]
    assert (part["status"], part["calls"], part["failures"]) == (status, 100, failures)


def test_nothing_runs_nothing_sleeps(viewer: APIClient, bot: Bot) -> None:
    Bot.objects.update(state=Bot.State.STOPPED)
    assert viewer.get("/api/health").json()["parts"]["worker"]["status"] == "ok"


def test_health_without_redis_is_degraded(
    viewer: APIClient, bot: Bot, settings: Settings, unused_tcp_port: int
) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{unused_tcp_port}/0"
    found = viewer.get("/api/health").json()
    assert found["status"] == "degraded"
    assert found["parts"]["redis"]["status"] == "down"


@pytest.fixture
def no_database(transactional_db: None, unused_tcp_port: int) -> Iterator[None]:
    """PostgreSQL out of reach: nobody listens where it is looked for."""
    place = connection.settings_dict
    port = place["PORT"]
    connection.close()
    place["PORT"] = unused_tcp_port
    try:
        yield
    finally:
        connection.close()
        place["PORT"] = port


@pytest.mark.parametrize("login", [{}, {"HTTP_AUTHORIZATION": "Token x"}])
def test_health_without_the_database_is_down(no_database: None, login: dict[str, str]) -> None:
    answer = APIClient(**login).get("/api/health")
    assert answer.status_code == 503
    assert answer.json() == {"status": "down"}


def test_a_read_without_the_database_is_unavailable(no_database: None) -> None:
    answer = APIClient(HTTP_AUTHORIZATION="Token x").get("/api/bots")
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "unavailable"


def test_an_error_of_ours_keeps_the_shape_and_tells_no_detail() -> None:
    answer = api_errors.handle(KeyError("a secret detail"), {})
    assert answer.status_code == 500
    assert answer.data["error"]["code"] == "internal_error"
    assert "secret" not in answer.data["error"]["message"]


def test_no_secret_is_in_health(viewer: APIClient, bot: Bot) -> None:
    text = viewer.get("/api/health").content.decode()
    assert settings.DATABASES["default"]["PASSWORD"] not in text
    assert settings.BYBIT.key.reveal() not in text
