"""A fake Bybit and a gateway that talks to it."""

from collections.abc import Iterator

import pytest

from integrations.bybit.gateway import Gateway
from tests.bybit.fake_rest import FakeRest, fake_rest

KEY, SECRET = "kEy0fTheT3st", "s3cret0fTheT3st-never-shown"


@pytest.fixture
def bybit() -> Iterator[FakeRest]:
    with fake_rest() as fake:
        yield fake


@pytest.fixture
def gateway(bybit: FakeRest) -> Gateway:
    return Gateway(bybit.url, KEY, SECRET, timeout=(1.0, 0.5))
