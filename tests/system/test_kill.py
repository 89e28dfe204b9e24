"""manage.py kill on the whole running system, while a part of it stands still."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from gridtrader.folder import port_of
from tests.rig.waiting import until
from tests.system.stack import ROOT, Stack, using

pytestmark = pytest.mark.timeout(480)

# Prices that never move wildly: a volatility breaker would withhold orders that are waited for.
SPEED, TAPE = 10, "synthetic:7"
SIGNED_WITHIN_MS = 250
OUTAGE_S = 120
REARM = """
from bots.safety import rearming
from integrations.bybit.account import gateway_from_settings
from risk import halts
rearming.rearm(gateway_from_settings(), by="tests", reason="next test")
print(halts.killed())
"""


MOMENTS = """
import json
from django.utils import timezone
from risk.models import Halt
halt = Halt.objects.filter(kind="KILL").latest("id")
moments = halt.committed_at, halt.lifted_at or timezone.now()
print(json.dumps([round(at.timestamp() * 1000) for at in moments]))
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("kill") / "var", SPEED, TAPE)
    stack.start()
    yield stack
    if stack.process.poll() is None:
        stack.stop()
    until(lambda: not using(stack.folder), 10, "no process is left")


def simulator(stack: Stack, path: str, body: object = None) -> Any:
    """Ask the simulator itself: its own paths are there whatever its faults."""
    url = f"http://127.0.0.1:{port_of(stack.folder, 'simulator')}{path}"
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data), timeout=10) as answer:
        return json.load(answer)


def resting(stack: Stack) -> int:
    """Orders on the exchange, as the simulator itself tells."""
    return int(simulator(stack, "/sim/clock")["open_orders"])


def shell(stack: Stack, code: str) -> str:
    return stack.manage("shell", "-v0", "-c", code).stdout.strip()


def signed_late(stack: Stack) -> list[int]:
    """By how many ms after the newest kill's commit orders were signed, until it was lifted."""
    committed, lifted = json.loads(shell(stack, MOMENTS))
    since = committed + SIGNED_WITHIN_MS + 1
    found = simulator(stack, f"/sim/requests?at=/v5/order/create*&since={since}")["requests"]
    return [each["signed"] - committed for each in found if each["signed"] < lifted]


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
    assert signed_late(stack) == []


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
    assert signed_late(stack) == []


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
    assert shell(stack, "from risk import halts; print(halts.killed().reason)") == "no database"
    assert resting(stack) == 0
    assert signed_late(stack) == []


def test_a_kill_while_the_exchange_is_down_for_two_minutes(stack: Stack) -> None:
    """INCOMPLETE within seconds, tried on all the while, empty soon after the exchange is back."""
    trade(stack)
    simulator(stack, "/sim/faults", {"on": [{"kind": "unreachable", "seconds": OUTAGE_S}]})
    back = time.monotonic() + OUTAGE_S
    killing = subprocess.Popen(
        [sys.executable, "manage.py", "kill", "--reason", "no exchange"], cwd=ROOT, env=stack.env,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        state = "from risk import halts; h = halts.killed(); print(h.state if h else '')"
        until(lambda: shell(stack, state) == "INCOMPLETE", 40, "INCOMPLETE is shown")
        assert time.monotonic() < back, "while the exchange is down"
        assert resting(stack) > 40, "nothing can be cancelled yet"
        alarm = "alert: INCOMPLETE and goes on: open orders are not to be seen"
        assert alarm in stack.log.read_text(encoding="utf-8")
        until(lambda: time.monotonic() > back, OUTAGE_S, "the exchange is back")
        until(lambda: resting(stack) == 0, 30, "all is cancelled once it is back")
        said, _ = killing.communicate(timeout=60)
    finally:
        killing.kill()
    assert killing.returncode == 0, said
    assert "DONE" in said
    assert resting(stack) == 0
    assert signed_late(stack) == []


def hand(stack: Stack) -> None:
    """Somebody rests an order by hand."""
    deed = {"kind": "foreign_order", "symbol": "BTCUSDT", "side": "Buy", "away": "0.05"}
    simulator(stack, "/sim/faults", {"do": [deed]})


def test_a_drill_is_measured_and_trading_goes_on(stack: Stack) -> None:
    trade(stack)
    hand(stack)
    before = resting(stack)
    done = stack.manage("kill", "--drill", "--reason", "monthly", timeout=120)
    assert "trading goes on" in done.stdout, done.stdout + done.stderr
    (path,) = (stack.folder / "drills").iterdir()
    assert str(path) in done.stdout
    report = json.loads(path.read_text())
    assert report["state"] == "DONE"
    assert report["cancelled"] > 40
    assert signed_late(stack) == []
    assert (done.returncode == 0) == (not report["broken"]), "a promise not kept is an exit code"
    assert shell(stack, "from risk import halts; print(halts.killed())") == "None"
    until(lambda: resting(stack) >= before - 5, 90, "orders rest again")


def test_a_kill_of_foreign_orders_too(stack: Stack) -> None:
    """Only where it is asked for: what was left alone before goes as well."""
    trade(stack)
    hand(stack)
    plain = stack.manage("kill", "--reason", "ours", timeout=60)
    assert plain.returncode == 0, plain.stderr
    assert resting(stack) >= 1, "what others placed is left alone"
    done = stack.manage("kill", "--foreign", "--reason", "all of it", timeout=60)
    assert done.returncode == 0, done.stderr
    assert "DONE" in done.stdout
    assert resting(stack) == 0
    assert signed_late(stack) == []


def test_the_audit_trail_of_all_that_is_whole(stack: Stack) -> None:
    verified = stack.manage("audit", "--verify")
    assert verified.returncode == 0, verified.stderr
    words = "from risk.models import AuditRow as A; print(*sorted(set(A.objects.values_list("
    origins = shell(stack, words + "'origin', flat=True))), sep=chr(10))").splitlines()
    assert {"manage.py kill", "manage.py seed"} <= set(origins)
    assert all(each.startswith(("manage.py ", "task ", "kill.pending")) for each in origins)
