"""The exchange's key and secret are found nowhere after a day with everything that goes wrong."""

import logging
from dataclasses import replace

import pytest
import requests
from django.test import Client
from pytest_django import Settings

from bots import runner, seeds, tasks
from bots.models import Bot
from bots.roles import Role
from bots.safety.agreement import Books
from gridtrader.env import Secret
from integrations.bybit.account import gateway_from_settings
from integrations.bybit.simulator.auth import Keys
from integrations.bybit.simulator.server import Options
from market.exchange import ExchangeError
from tests.api.test_login import everything_stored
from tests.canary import what_redis_holds
from tests.factories import UserFactory
from tests.integrations.test_canary import logged
from tests.simulator.fixture import RunningSimulator

KEY, SECRET = "canary-key-0123456789abcdef", "canary-secret-0123456789abcdef"
PAGES = ("/", "/orders/", "/risk/", "/health/", "/audit/", "/bots/btc-usdt/", "/api/health")
TROUBLES = (
    {"kind": "code", "at": "/v5/*", "code": 10004},
    {"kind": "code", "at": "/v5/order/create*", "code": 10003},
    {"kind": "http", "status": 401},
    {"kind": "not_json", "at": "/v5/*"},
    {"kind": "lost_answer", "at": "/v5/*", "half": True},
    {"kind": "clock", "ms": 9_000},
)


def everything_happens(running: RunningSimulator) -> str:
    """Ticks, sweeps and the watchdog's looks under every trouble; what the errors said."""
    exchange, said = gateway_from_settings(), ""
    for trouble in ({}, *TROUBLES, {}):
        switches = {"off": "all", "on": [trouble] if trouble else []}
        requests.post(f"{running.rest_url}/sim/faults", json=switches, timeout=20)
        for work in (
            *(lambda bot=bot: runner.run_once(bot, exchange, lambda _: None) for bot in bots()),
            Books(exchange).check,
            lambda: exchange.cancel("BTCUSDT", "nobody"),
        ):
            try:
                work()
            except ExchangeError as error:
                said += f"{error!r}\n"
    for bot in bots():
        tasks.tick_bot.delay(bot)
    return said + repr(exchange)


def bots() -> list[int]:
    return list(Bot.objects.values_list("pk", flat=True)[:2])


def test_keys_are_found_nowhere(
    transactional_db: None, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    running = RunningSimulator(Options(keys=Keys(KEY, SECRET), speed=0))
    running.start()
    try:
        settings.BYBIT = replace(
            settings.BYBIT, rest_url=running.rest_url, key=Secret(KEY), secret=Secret(SECRET)
        )
        seeds.seed_bots()
        said = everything_happens(running)
        client = Client()
        client.force_login(UserFactory(role=Role.ADMIN, is_staff=True, is_superuser=True))
        pages = "".join(client.get(page).content.decode() for page in PAGES)
    finally:
        running.stop()
    assert "10004" in said
    assert "tick_bot" in what_redis_holds(), "the queue is among it"
    places = {
        "errors": said,
        "pages": pages,
        "log": logged(caplog.records),
        "database": everything_stored(),
        "redis": what_redis_holds(),
        "settings": repr(settings.BYBIT),
    }
    assert [name for name, text in places.items() if KEY in text or SECRET in text] == []
