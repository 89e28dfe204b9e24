"""The supervisor: order of the start, restarts, a clean stop, and nothing left behind."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gridtrader.child import Backoff
from gridtrader.folder import Hold, free_port
from tests.test_env import ROOT, manage

LADDER = """
import sys, time
from functools import partial
from pathlib import Path
from signal import SIGINT, SIGKILL, SIGTERM
from gridtrader.child import Backoff, Child, Log
from gridtrader.services import tethered
from gridtrader.supervisor import StartError, Step, Supervisor

room, extra = Path(sys.argv[1]), sys.argv[2]

def child(name, body, **more):
    words = "import os, signal, sys, time; from pathlib import Path"
    text = f"{words}; room = Path({str(room)!r})\\n{body}"
    more.setdefault("ready", (room / f"{name}.ready").exists)
    return Child(name, tethered([sys.executable, "-u", "-c", text], SIGKILL), **more)

def lives(name):
    return (
        f"(room / '{name}.pid').write_text(str(os.getpid()))\\n"
        f"signal.signal(signal.SIGTERM, lambda *_: (print('bye'), sys.exit(0)))\\n"
        f"print('hello'); (room / '{name}.ready').touch()\\n"
        "while True: time.sleep(60)"
    )

after_base = "assert (room / 'base.ready').exists(); print('done')"
steps = [
    Step([child("base", lives("base"))]),
    Step([child("prepare", after_base, ready=None)], once=True),
    Step([child("left", lives("left")), child("right", lives("right"))]),
]
steps += eval(extra)
supervisor = Supervisor(steps, log=Log(), backoff=Backoff(first=0.05, longest=0.4))
try:
    supervisor.run(lambda: supervisor.say("all up"))
except StartError as error:
    sys.exit(f"error: {error}")
"""


class Run:
    """A supervisor in a process of its own, with what it has written so far."""

    def __init__(self, room: Path, extra: str) -> None:
        self.room = room
        self.log = room / "log"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", LADDER, str(room), extra],
                cwd=ROOT,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def text(self) -> str:
        return self.log.read_text()

    def until(self, what: Callable[[], object], seconds: float = 15.0) -> None:
        deadline = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < deadline, self.text()
            time.sleep(0.02)

    def pid(self, name: str) -> int:
        return int((self.room / f"{name}.pid").read_text() or 0)

    def alive(self) -> list[str]:
        pids = {path.stem: path.read_text() for path in self.room.glob("*.pid")}
        return [name for name, pid in pids.items() if pid and runs(int(pid))]


def runs(pid: int) -> bool:
    """Say whether a process lives (a zombie does not)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """Start supervisors and see that none outlives its test."""
    started: list[Run] = []

    def make(extra: str = "[]", wait_for: str = "all up") -> Run:
        run = Run(tmp_path, extra)
        started.append(run)
        run.until(lambda: wait_for in run.text())
        return run

    yield make
    for run in started:
        run.process.kill()
        run.process.wait()
        run.until(lambda run=run: not run.alive())


def order(text: str) -> list[str]:
    """Return the order in which processes spoke."""
    return re.findall(r"^(\w+) *\| (?:hello|done|all up)$", text, re.MULTILINE)


def test_steps_come_up_in_order(start):
    run = start()
    spoke = order(run.text())
    assert spoke[:2] == ["base", "prepare"]
    assert sorted(spoke[2:4]) == ["left", "right"]
    assert spoke[4:] == ["up"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_all_in_reverse_order(start, number: signal.Signals):
    run = start()
    run.process.send_signal(number)
    assert run.process.wait(10) == 0
    assert run.alive() == []
    byes = re.findall(r"^(\w+) *\| bye$", run.text(), re.MULTILINE)
    assert byes[-1] == "base"
    assert sorted(byes) == ["base", "left", "right"]
    assert run.text().rstrip().endswith("stopped")


def test_killed_children_come_back_and_others_stay(start):
    run = start()
    stays = run.pid("right")
    for name in ("left", "base"):
        before = run.pid(name)
        os.kill(before, signal.SIGKILL)
        run.until(lambda name=name, before=before: run.pid(name) not in {0, before})
        assert f"{name} was ended by SIGKILL" in run.text()
    assert run.pid("right") == stays
    assert runs(stays)


def test_a_crash_loop_is_reported_and_never_given_up(start):
    extra = """[Step([child("moody", "print('ouch'); sys.exit(3)", ready=None)])]"""
    run = start(extra)
    run.until(lambda: "for the 7th time in a row" in run.text())
    assert "moody ended with exit code 3 for the 5th time in a row" in run.text()
    assert sorted(run.alive()) == ["base", "left", "right"]


def test_a_child_that_never_comes_up_ends_the_start_with_its_words(start):
    extra = """[Step([child("broken", "sys.exit('tape: no such file')")])]"""
    run = start(extra, wait_for="error:")
    assert run.process.wait(10) == 1
    assert run.text().rstrip().endswith("error: broken ended with exit code 1: tape: no such file")
    assert run.alive() == []


def test_a_preparation_that_fails_ends_the_start(start):
    extra = """[Step([child("seed", "sys.exit('no')", ready=None)], once=True)]"""
    run = start(extra, wait_for="error:")
    assert run.process.wait(10) == 1
    assert "error: seed ended with exit code 1: no" in run.text()


def test_a_child_that_is_never_ready_ends_the_start(start):
    extra = """[Step([child("mute", "time.sleep(60)")], patience=0.3)]"""
    run = start(extra, wait_for="error:")
    assert run.process.wait(10) == 1
    assert "error: mute is not ready after 0.3 s" in run.text()


def test_a_stop_during_the_start_is_a_clean_stop(start):
    run = start("""[Step([child("mute", "print('hm'); time.sleep(60)")])]""", wait_for="hm")
    run.process.send_signal(signal.SIGTERM)
    assert run.process.wait(10) == 0
    assert run.alive() == []


def test_a_child_that_will_not_stop_is_killed(start):
    stubborn = lives_on("stubborn")
    run = start(f"""[Step([child("stubborn", {stubborn!r})], grace=0.3)]""")
    run.process.send_signal(signal.SIGTERM)
    assert run.process.wait(10) == 0
    assert "stubborn did not end within 0.3 s and is killed" in run.text()
    assert run.alive() == []


def lives_on(name: str) -> str:
    """Return the body of a child that ignores the signal to stop, and has a child itself."""
    return (
        "import subprocess\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "own = subprocess.Popen(['sleep', '60'])\n"
        "(room / 'grandchild.pid').write_text(str(own.pid))\n"
        f"(room / '{name}.pid').write_text(str(os.getpid()))\n"
        f"(room / '{name}.ready').touch()\n"
        "while True: time.sleep(60)"
    )


def test_nothing_is_left_when_the_supervisor_is_killed(start):
    run = start()
    assert sorted(run.alive()) == ["base", "left", "right"]
    run.process.kill()
    run.process.wait()
    run.until(lambda: run.alive() == [], seconds=3)


def test_backoff_grows_to_its_bound():
    waits = [Backoff(first=0.2, longest=30).wait(failures) for failures in range(1, 40)]
    assert waits[:3] == [0.2, 0.4, 0.8]
    assert waits[-1] == 30
    assert Backoff().wait(0) == Backoff().wait(1)


def test_up_refuses_a_taken_port(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = manage(tmp_path / "var", "up", "--port", str(port))
    assert done.returncode != 0
    assert done.stdout == ""
    assert done.stderr == (
        f"CommandError: port {port} of 127.0.0.1 is taken; "
        "choose another with --port or GRIDTRADER_PORT\n"
    )


def test_up_refuses_a_data_folder_in_use_and_ignores_a_stale_lock(tmp_path: Path):
    home = tmp_path / "var"
    lock = Hold.take(home / "up.lock")
    assert lock is not None
    lock.write("4711")
    done = manage(home, "up")
    assert done.returncode != 0
    assert len(done.stderr.splitlines()) == 1
    assert "is run by another `manage.py up` (pid 4711)" in done.stderr
    lock.release()  # the file stays, as after a crash
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = manage(home, "up", "--port", str(taken.getsockname()[1]))
    assert "is taken" in done.stderr


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({"DATABASE_URL": "postgres://u:hush@127.0.0.1:1/db"}, "DATABASE_URL: connection to"),
        ({"REDIS_URL": "redis://:hush@127.0.0.1:1"}, "REDIS_URL: Error 111 connecting"),
    ],
)
def test_up_refuses_a_given_server_that_is_not_there(
    tmp_path: Path, variables: dict[str, str], line: str
):
    done = manage(tmp_path / "var", "up", "--port", str(free_port()), **variables)
    assert done.returncode != 0
    assert len(done.stderr.splitlines()) == 1
    assert line in done.stderr
    assert "hush" not in done.stderr


def test_data_dir_is_an_option_of_every_command(tmp_path: Path):
    done = manage(tmp_path / "a", "check", "--data-dir", str(tmp_path / "b"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "b" / "secret_key").exists()
    assert not (tmp_path / "a").exists()
    done = manage(tmp_path / "a", "check", "--data-dir")
    assert done.stderr == "gridtrader: --data-dir has no value; accepted: the path of a folder\n"
