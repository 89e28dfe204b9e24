"""Secrets that are set for a test, alerts to send, and a bot that they concern."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from pytest_django import Settings

from bots.models import Bot
from gridtrader.env import Secret
from tests.factories import BotFactory, CellFactory, InstrumentFactory, PriceFactory

SECRET = "canary-webhook-0123456789abcdefghijklmnop"
OLDER = "canary-before-0123456789abcdefghijklmnopq"
Send = Callable[..., HttpResponse]


@pytest.fixture
def bot(db: None) -> Bot:
    """A running bot with one cell and a price."""
    InstrumentFactory()
    PriceFactory()
    bot = BotFactory(slug="btc-usdt", name="BTC/USDT")
    CellFactory(config=bot.config, index=0)
    return bot


def facts(**others: Any) -> dict[str, Any]:
    """An alert as TradingView fills it in; a field set to None is left out."""
    now = datetime.now(UTC)
    body = {
        "secret": SECRET,
        "id": f"BTCUSDT-5-{now:%Y-%m-%dT%H:%M:%SZ}-pause",
        "time": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "symbol": "BTCUSDT",
        "action": "pause",
        **others,
    }
    return {name: value for name, value in body.items() if value is not None}


@pytest.fixture
def send(settings: Settings) -> Send:
    """Post an alert: fields to change, or a whole body as bytes."""
    settings.TRADINGVIEW_WEBHOOK_SECRETS = [Secret(SECRET), Secret(OLDER)]
    client = Client()

    def post(raw: bytes | None = None, kind: str = "application/json", **fields: Any) -> Any:
        body = json.dumps(facts(**fields)).encode() if raw is None else raw
        return client.post("/api/tv-alert", body, content_type=kind)

    return post
