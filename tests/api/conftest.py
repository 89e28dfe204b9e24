"""Callers of the API by role, and a bot to call about."""

from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

from bots.models import Bot
from bots.roles import Role
from tests.factories import (
    BotFactory,
    CellFactory,
    InstrumentFactory,
    PriceFactory,
    UserFactory,
    new_token,
)

Caller = Callable[[Role | None], APIClient]


@pytest.fixture
def caller(db: None) -> Caller:
    """Make a client with the token of a new account of that role; None is nobody."""

    def make(role: Role | None) -> APIClient:
        client = APIClient()
        if role is not None:
            user = UserFactory(username=f"the-{role}", role=role)
            client.credentials(HTTP_AUTHORIZATION=f"Token {new_token(user)}")
        return client

    return make


@pytest.fixture
def bot(db: None) -> Bot:
    """A running bot with one cell and a price."""
    InstrumentFactory()
    PriceFactory()
    bot = BotFactory(slug="btc-usdt", name="BTC/USDT")
    CellFactory(config=bot.config, index=0)
    return bot
