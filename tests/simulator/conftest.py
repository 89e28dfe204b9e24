"""Fixtures of the simulator's tests."""

from collections.abc import Iterator

import pytest
from pybit.unified_trading import HTTP

from tests.simulator.client import Streams, http
from tests.simulator.fixture import RunningSimulator, simulator

__all__ = ["simulator"]


@pytest.fixture
def client(simulator: RunningSimulator) -> HTTP:
    return http(simulator)


@pytest.fixture
def streams(simulator: RunningSimulator) -> Iterator[Streams]:
    opened = Streams(simulator)
    yield opened
    opened.close()
