"""A site whose exchange is a simulator, and whose limits let a flood of calls in."""

from collections.abc import Iterator

import pytest

from integrations.bybit.simulator.server import Options
from tests.rig.web import serving
from tests.simulator.fixture import KEYS, RunningSimulator

NO_LIMIT = str(10**6)


@pytest.fixture(scope="module")
def site(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address."""
    simulator = RunningSimulator(Options(keys=KEYS, speed=1))
    simulator.start()
    variables = {
        "BYBIT_REST_URL": simulator.rest_url,
        "BYBIT_WS_URL": simulator.ws_url,
        "BYBIT_API_KEY": KEYS.key,
        "BYBIT_API_SECRET": KEYS.secret,
        "API_READS_A_MINUTE": NO_LIMIT,
        "API_COMMANDS_A_MINUTE": NO_LIMIT,
    }
    with serving(tmp_path_factory.mktemp("site"), **variables) as address:
        yield address
    simulator.stop()
