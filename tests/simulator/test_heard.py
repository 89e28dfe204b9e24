"""What the simulator remembers of requests: when each was signed, whatever became of it."""

import time
from typing import Any

import pytest
import requests
from pybit.unified_trading import HTTP

from tests.simulator.client import limit, refused
from tests.simulator.fixture import PATIENCE, RunningSimulator


def asked(running: RunningSimulator, **query: str) -> Any:
    answer = requests.get(f"{running.rest_url}/sim/requests", query, timeout=PATIENCE)
    return answer.json()["requests"] if answer.ok else answer.status_code


def test_every_signed_request_is_remembered_with_its_time(
    simulator: RunningSimulator, client: HTTP
) -> None:
    began = time.time() * 1000
    client.place_order(**limit(orderLinkId="a"))
    between = int(time.time() * 1000) + 1
    time.sleep(0.002)
    assert refused(client.place_order, **limit(orderLinkId="a")) == 170141
    client.get_open_orders(category="spot")
    client.get_server_time()  # names no time
    found = asked(simulator)
    paths = ["/v5/order/create", "/v5/order/create", "/v5/order/realtime"]
    assert [each["path"] for each in found] == paths
    assert all(began - 1 <= each["signed"] <= each["came"] for each in found)
    assert len(asked(simulator, at="/v5/order/create*")) == 2
    assert len(asked(simulator, at="/v5/order/create*", since=str(between))) == 1
    assert simulator.state()["open_orders"] == 1


@pytest.mark.parametrize("since", ["yesterday", "-1", "١"])
def test_a_time_that_is_none_is_refused(simulator: RunningSimulator, since: str) -> None:
    assert asked(simulator, since=since) == 400
