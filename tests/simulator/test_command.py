"""`manage.py simulator` as a process: readiness, kill -9, clean stops, and bad input."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests

from tests.simulator.client import http, limit
from tests.simulator.fixture import KEYS

MANAGE = Path(__file__).parents[2] / "manage.py"
PATIENCE = 30  # s
KEYS_IN_ENVIRONMENT = {"BYBIT_API_KEY": KEYS.key, "BYBIT_API_SECRET": KEYS.secret}


class Process:
    """A simulator process with a state file."""

    def __init__(self, state, *options):
        command = [sys.executable, str(MANAGE), "simulator", "--port", "0", "--state", str(state)]
        self.process = subprocess.Popen(
            [*command, *options],
            env=os.environ | KEYS_IN_ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.line = self.process.stdout.readline()
        assert self.line.startswith("simulator: http://"), self.line + self.process.stdout.read()
        self.url = self.line.split()[1]
        where = SimpleNamespace(rest_url=self.url, key=KEYS.key, secret=KEYS.secret)
        self.client = http(where, timeout=PATIENCE)

    def state(self):
        return requests.get(f"{self.url}/sim/state", timeout=PATIENCE).json()

    def step(self, **prices):
        requests.post(f"{self.url}/sim/step", json={"prices": prices}, timeout=PATIENCE)

    def end(self, number):
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        self.process.stdout.close()
        return code


@pytest.fixture
def start(tmp_path):
    processes = []

    def begin(*options):
        processes.append(Process(tmp_path / "state.jsonl", *options))
        return processes[-1]

    yield begin
    for each in processes:
        if each.process.poll() is None:
            each.end(signal.SIGKILL)


def test_kill_9_loses_nothing_that_was_answered(start):
    first = start("--speed", "0", "--balance", "USDT=5000", "BTC=0.5")
    for number in range(5):
        first.client.place_order(**limit(price=str(96300 - 50 * number), qty="0.001"))
    first.step(BTCUSDT="96200")
    first.client.place_order(**limit(orderLinkId="last", price="90000", qty="0.001"))
    before = first.state()
    assert (len(before["orders"]), len(before["executions"])) == (6, 2)
    assert first.end(signal.SIGKILL) == -signal.SIGKILL
    second = start("--speed", "0")
    assert second.state() == before


def test_time_goes_on_after_kill_9_and_never_back(start):
    first = start("--speed", "600")
    for number in range(20):
        first.client.place_order(**limit(price=str(96380 - 2 * number), qty="0.001"))
    deadline = time.monotonic() + PATIENCE
    while len(first.state()["executions"]) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    before = first.state()
    first.end(signal.SIGKILL)
    after = start("--speed", "600").state()
    assert 0 <= after["clock"] - before["clock"] < 30 * 600_000
    fills = [fill["execId"] for fill in after["executions"]]
    assert fills[: len(before["executions"])] == [fill["execId"] for fill in before["executions"]]
    assert len(set(fills)) == len(fills)
    times = [int(fill["execTime"]) for fill in after["executions"]]
    assert times == sorted(times)


def test_sigterm_stops_at_once_and_keeps_the_exact_time(start):
    first = start("--speed", "60")
    asked = time.monotonic()
    assert first.end(signal.SIGTERM) == 0
    assert time.monotonic() - asked < 2
    assert start("--speed", "60").state()["clock"] > 0


def run(*options):
    command = [sys.executable, str(MANAGE), "simulator", "--port", "0", *options]
    done = subprocess.run(
        command, env=os.environ | KEYS_IN_ENVIRONMENT, capture_output=True, text=True,
        timeout=PATIENCE, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr.strip()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--tape", "/nowhere"], "tape /nowhere does not exist"),
        (["--tape", "bybit", "--upstream-rest", "http://127.0.0.1:9"], "live prices"),
        (["--balance", "USDT"], "must look like USDT=34000"),
        (["--balance", "USDT=-1"], "must look like USDT=34000"),
        (["--speed", "fast"], "--speed: 'fast' is not a decimal number"),
        (["--speed", "-1"], "--speed must lie between"),
        (["--maker", "2"], "--maker must lie between"),
        (["--parts", "1.5"], "--parts must be a whole number"),
        (["--depth", "-1"], "--depth must lie between"),
        (["--state", "/proc/none/state"], "cannot be used"),
    ],
)
def test_bad_input_is_one_clear_line_and_a_failure(options, complaint):
    code, said = run(*options)
    assert code != 0
    assert complaint in said
    assert "\n" not in said


def test_a_taken_port_is_one_clear_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, said = run("--port", port)
    assert code != 0
    assert said == f"CommandError: cannot listen on 127.0.0.1:{port}: Address already in use"


def test_a_state_moved_by_hand_does_not_run_by_itself(start, tmp_path):
    first = start("--speed", "0")
    first.step(BTCUSDT="90000")
    first.end(signal.SIGTERM)
    code, said = run("--speed", "60", "--state", str(tmp_path / "state.jsonl"))
    assert code != 0
    assert "driven by hand" in said


def test_faults_come_from_a_file(start, tmp_path):
    switches = tmp_path / "faults.json"
    switches.write_text('{"seed": 7, "on": [{"kind": "code", "code": 10016, "at": "*/cancel"}]}')
    simulator = start("--speed", "0", "--faults", str(switches))
    shown = requests.get(f"{simulator.url}/sim/faults", timeout=PATIENCE).json()
    assert shown["seed"] == 7
    assert [one["kind"] for one in shown["on"]] == ["code"]


def test_faults_that_are_not_understood_are_told(tmp_path):
    switches = tmp_path / "faults.json"
    switches.write_text('{"on": [{"kind": "rain"}]}')
    done = subprocess.run(
        [sys.executable, str(MANAGE), "simulator", "--port", "0", "--faults", str(switches)],
        env=os.environ | KEYS_IN_ENVIRONMENT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "--faults: a switch needs a kind, one of unreachable" in done.stderr
