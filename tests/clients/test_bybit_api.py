"""bybit-api of npm, run by node; it is installed once into a cache outside the repository."""

import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.npm import installed

HERE = Path(__file__).with_name("bybit_api")


@pytest.fixture(scope="module")
def modules():
    return installed(HERE)


def test_a_traders_day_with_orders_streams_and_a_restart(simulator, modules):
    where = {
        "REST": simulator.rest_url,
        "WS": simulator.ws_url,
        "KEY": simulator.key,
        "SECRET": simulator.secret,
        "NODE_PATH": str(modules),
    }
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            ["node", str(HERE / "script.cjs")],
            env=os.environ | where,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            for line in process.stdout:
                if line.strip() == "restart":
                    simulator.stop()
                    simulator.start()
                    process.stdin.write("back\n")
                    process.stdin.flush()
            code = process.wait(30)
        finally:
            process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()
        errors.seek(0)
        assert code == 0, errors.read()
