"""manage.py kill on the whole running system, while a part of it stands still."""

import json
import os
import signal
import urllib.request
from collections.abc import Iterator

import pytest

from gridtrader.folder import port_of
from tests.system.stack import Stack, until, using

pytestmark = pytest.mark.timeout(240)

SPEED = 60
REARM = """
from bots.safety import rearming
from integrations.bybit.account import gateway_from_settings
from risk import halts
rearming.rearm(gateway_from_settings(), by="tests", reason="next test")
print(halts.killed())
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("kill") / "var", SPEED)
    stack.start()
    yield stack
    if stack.process.poll() is None:
        stack.stop()
    until(lambda: not using(stack.folder), 10, "no process is left")


def resting(stack: Stack) -> int:
    """Orders of ours on the exchange, as the simulator itself tells."""
    port = port_of(stack.folder, "simulator")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/sim/state", timeout=10) as answer:
        orders = json.load(answer)["orders"]
    return sum(
        row["orderStatus"] in {"New", "PartiallyFilled"} and row["orderLinkId"].startswith("g")
        for row in orders
    )


def trade(stack: Stack) -> None:
    """Let trading go on, until orders rest."""

    def goes_on() -> bool:
        return "None" in stack.manage("shell", "-v0", "-c", REARM).stdout

    until(goes_on, 60, "the kill is lifted")
    until(lambda: resting(stack) > 40, 90, "orders rest")


def pause(stack: Stack, name: str, number: int) -> None:
    pid = stack.pid(name)
    assert pid is not None
    os.kill(pid, number)


def test_a_kill_with_all_at_work(stack: Stack) -> None:
    trade(stack)
    done = stack.manage("kill", "--reason", "test", timeout=60)
    assert done.returncode == 0, done.stderr
    assert "DONE" in done.stdout
    assert resting(stack) == 0


@pytest.mark.parametrize("name", ["redis", "worker", "web", "watchdog", "stream"])
def test_a_kill_while_a_part_stands_still(stack: Stack, name: str) -> None:
    trade(stack)
    pause(stack, name, signal.SIGSTOP)
    try:
        done = stack.manage("kill", "--reason", f"no {name}", timeout=60)
        assert done.returncode == 0, done.stderr
        assert resting(stack) == 0
    finally:
        pause(stack, name, signal.SIGCONT)
    for _ in range(20):
        assert resting(stack) == 0, "what woke up again sends nothing"


def test_a_kill_while_the_database_stands_still_cancels_and_is_committed_later(
    stack: Stack,
) -> None:
    trade(stack)
    pid = stack.pid("postgres")
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)  # no new connection is answered
    try:
        done = stack.manage("kill", "--reason", "no database", timeout=90)
        assert "DONE" in done.stdout, done.stderr
        assert done.returncode == 3
        assert "no halt is committed" in done.stderr
        assert resting(stack) == 0
    finally:
        os.kill(pid, signal.SIGCONT)
    flag = stack.folder / "kill.pending"
    until(lambda: not flag.exists(), 30, "the watchdog commits the halt")
    shell = "from risk import halts; print(halts.killed().reason)"
    assert stack.manage("shell", "-v0", "-c", shell).stdout.strip() == "no database"
    assert resting(stack) == 0


def test_the_audit_trail_of_all_that_is_whole(stack: Stack) -> None:
    verified = stack.manage("audit", "--verify")
    assert verified.returncode == 0, verified.stderr
