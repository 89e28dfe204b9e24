"""/metrics: the figures are those of the database and Redis, and only some may see them."""

from datetime import timedelta

import pytest
import redis
from django.conf import settings as live_settings
from django.db import connection
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from bots import tokens
from bots.models import Bot
from bots.outside import meters
from bots.roles import Role
from gridtrader.nudge import queue_name
from integrations.models import Parcel
from market.types import OrderStatus
from risk import pulse
from risk.calls import Tally
from risk.models import Guard, Halt
from tests.factories import FillFactory, OrderFactory, RoundTripFactory, UserFactory, new_token
from tests.integrations.test_alerts import alert

Figures = dict[tuple[str, tuple[str, ...]], float]


def scrape() -> Figures:
    """Every sample by its name and its labels' values (by label), read as Prometheus reads them."""
    answer = Client().get("/metrics")
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain; version=")
    return {
        (sample.name.removeprefix("gridtrader_"), tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.content.decode())
        for sample in family.samples
    }


def test_the_figures_are_those_of_the_database(bot: Bot) -> None:
    now = timezone.now()
    Bot.objects.update(epoch=41)
    for ms, status in (
        (80, OrderStatus.FILLED),
        (250, OrderStatus.FILLED),
        (700, OrderStatus.OPEN),
    ):
        order = OrderFactory(
            bot=bot, status=status, settled=status == OrderStatus.FILLED, sent_at=now,
            caused_at=now, acknowledged_at=now + timedelta(milliseconds=ms),
        )  # fmt: skip
    OrderFactory(bot=bot, status=OrderStatus.NEW)
    fill, _ = FillFactory.create_batch(2, order=order, bot=bot)
    RoundTripFactory(bot=bot)
    facts = {"value": 3, "limit": 2, "since": now, "checked_at": now}
    Guard.objects.create(name="volatility", subject="pair:BTCUSDT", state="tripped", **facts)
    Halt.objects.create(subject="all", reason="x", opened_by="y", kind=Halt.Kind.KILL)
    pulse.beat("feed:private")
    alert("pause")
    Parcel.objects.create(
        lane="notion", key="trip:1", payload={}, created_at=now - timedelta(hours=1), due_at=now
    )
    found = scrape()
    for name, labels, value in (
        ("ticks_total", ("btc-usdt",), 41),
        ("orders_sent_total", ("btc-usdt", "Buy"), 3),
        ("orders_closed_total", ("btc-usdt", "FILLED"), 2),
        ("orders_waiting", ("btc-usdt", "OPEN"), 1),
        ("orders_waiting", ("btc-usdt", "NEW"), 1),
        ("fills_total", ("btc-usdt", str(fill.is_maker), fill.side), 2),
        ("round_trips_total", ("btc-usdt",), 1),
        ("order_latency_seconds_bucket", ("btc-usdt", "0.05"), 0),
        ("order_latency_seconds_bucket", ("btc-usdt", "0.1"), 1),
        ("order_latency_seconds_bucket", ("btc-usdt", "0.3"), 2),
        ("order_latency_seconds_bucket", ("btc-usdt", "+Inf"), 3),
        ("order_latency_seconds_count", ("btc-usdt",), 3),
        ("guard_state", ("volatility", "pair:BTCUSDT"), 2),
        ("halts_open", ("KILL",), 1),
        ("bots", ("running",), 1),
        ("alerts_waiting", (), 1),
        ("outbox_waiting", ("notion",), 1),
        ("part_ok", ("database",), 1),
        ("part_ok", ("beat",), 0),
    ):
        assert found[name, labels] == value, name
    assert found["order_latency_seconds_sum", ("btc-usdt",)] == pytest.approx(1.03)
    assert 0 <= found["loop_age_seconds", ("feed:private",)] < 60
    assert 3600 <= found["outbox_oldest_seconds", ("notion",)] < 3700
    assert found["price_age_seconds", ("BTCUSDT",)] >= 0


def test_calls_of_several_processes_are_one_count_by_code(db: None) -> None:
    one, other = Tally(), Tally()
    for tally in (one, other):
        for code in (0, 0, 10016, None):
            tally.note(failed=code != 0, code=code)
        tally.write()
    found = scrape()
    assert [found["exchange_calls_total", (code,)] for code in ("0", "10016", "none")] == [4, 2, 2]


def test_the_queue_is_as_long_as_redis_says(db: None) -> None:
    link = redis.Redis.from_url(live_settings.REDIS_URL)
    link.delete(queue_name())
    link.rpush(queue_name(), "a", "b", "c")
    try:
        assert scrape()["queue_waiting", ()] == 3
    finally:
        link.delete(queue_name())


def test_without_redis_the_rest_is_told(bot: Bot, settings: Settings, unused_tcp_port: int) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{unused_tcp_port}/0"
    found = scrape()
    assert ("queue_waiting", ()) not in found
    assert found["part_ok", ("redis",)] == 0
    assert found["bots", ("running",)] == 1


@pytest.mark.django_db(transaction=True)
def test_without_the_database_it_says_that(unused_tcp_port: int) -> None:
    place = connection.settings_dict
    port = place["PORT"]
    connection.close()
    place["PORT"] = unused_tcp_port
    try:
        found = scrape()
    finally:
        connection.close()
        place["PORT"] = port
    assert found["part_ok", ("database",)] == 0
    assert not any(name == "bots" for name, _ in found)


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("192.0.2.7", {}, 403),
        ("", {}, 403),
        ("127.0.0.1", {"X-Forwarded-For": "192.0.2.7"}, 403),
        ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, 403),
        ("127.0.0.1", {"Forwarded": "for=192.0.2.7"}, 403),
        ("127.0.0.1", {"Via": "1.1 proxy"}, 403),
        ("192.0.2.7", {"Authorization": "Token wrong"}, 403),
        ("192.0.2.7", {"Authorization": "Bearer x"}, 403),
    ],
)
def test_who_sees_them(db: None, address: str, headers: dict[str, str], status: int) -> None:
    answer = Client(REMOTE_ADDR=address, headers=headers).get("/metrics")
    assert answer.status_code == status
    assert ("accepted: " in answer.content.decode()) == (status == 403)


@pytest.mark.parametrize(
    ("role", "status"), [(Role.VIEWER, 200), (Role.TRADER, 200), (Role.KILLER, 403)]
)
def test_a_token_that_may_read_sees_them_from_anywhere(db: None, role: Role, status: int) -> None:
    headers = {"Authorization": f"Token {new_token(UserFactory(role=role))}"}
    assert Client(REMOTE_ADDR="192.0.2.7", headers=headers).get("/metrics").status_code == status


def test_a_token_for_killing_alone_sees_nothing(db: None) -> None:
    key = tokens.make(UserFactory(role=Role.ADMIN), by="tests", scope=Role.KILLER)
    headers = {"Authorization": f"Token {key}"}
    assert Client(REMOTE_ADDR="192.0.2.7", headers=headers).get("/metrics").status_code == 403


def test_behind_a_proxy_everybody_needs_a_token(db: None, settings: Settings) -> None:
    settings.BEHIND_HTTPS = True
    assert Client(REMOTE_ADDR="127.0.0.1").get("/metrics").status_code == 403


def test_only_reads(db: None) -> None:
    assert Client().post("/metrics").status_code == 405


def test_money_is_not_told(bot: Bot) -> None:
    text = meters.scrape().decode()
    assert not any(word in text for word in ("equity", "profit", "capital", "balance"))
