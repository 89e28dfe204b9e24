"""The whole system under test: `manage.py up` in a folder of its own, and its processes."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

from gridtrader.services import tethered
from tests.rig.waiting import until

ROOT = Path(__file__).resolve().parents[2]

# How each process of ours is known by its command line.
MARKS = {
    "postgres": "bin/postgres -D",
    "redis": "redis-server",
    "simulator": "manage.py simulator",
    "web": "daphne",
    "worker": "gridtrader worker",
    "beat": "gridtrader beat",
    "stream": "manage.py stream",
    "watchdog": "manage.py watchdog",
}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Stack:
    """One `manage.py up`; can be stopped, started again, and hurt."""

    def __init__(self, folder: Path, speed: int, tape: str = "") -> None:
        self.folder = folder
        self.port = free_port()
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("GRIDTRADER_", "DJANGO"))}
        self.env = {
            **clean,
            "GRIDTRADER_ENV_FILE": os.devnull,
            "GRIDTRADER_DATA_DIR": str(folder),
            "PAPER_SPEED": str(speed),
            **({"PAPER_TAPE": tape} if tape else {}),
        }
        self.log = folder.with_suffix(".log")

    def start(self) -> None:
        command = [sys.executable, "manage.py", "up", "--port", str(self.port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                tethered(command, signal.SIGTERM),  # nothing outlives a test run that is killed
                cwd=ROOT, env=self.env, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        try:
            until(self._answers, 120, f"the page answers; see {self.log}")
        except AssertionError:
            self.stop()
            raise

    def _answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text(encoding="utf-8")[-3000:]
        return self.health() == 200

    def health(self) -> int:
        try:
            address = f"http://127.0.0.1:{self.port}/api/health"
            with urllib.request.urlopen(address, timeout=2) as answer:
                return answer.status
        except OSError:
            return 0

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(20)

    def manage(self, *words: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a management command beside the running system."""
        return subprocess.run(
            [sys.executable, "manage.py", *words], cwd=ROOT, env=self.env,
            capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip

    def pid(self, name: str) -> int | None:
        """The process id of a child, by what it runs."""
        return next(
            (pid for pid, line in descendants(self.process.pid).items() if MARKS[name] in line),
            None,
        )

    def kill(self, name: str) -> int:
        """kill -9 a child; answers the process id it had."""
        pid = self.pid(name)
        assert pid is not None, f"{name} does not run"
        os.kill(pid, signal.SIGKILL)
        return pid

    def executions(self) -> int:
        printed = self.manage("reconcile", "--dry-run").stdout
        return int(next(line for line in printed.splitlines() if "executions" in line).split()[1])


def descendants(root: int) -> dict[int, str]:
    """Command lines of all live processes below one."""
    parents, lines = {}, {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            status = (entry / "stat").read_text().rpartition(")")[2].split()
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if status[0] != "Z":
            parents[int(entry.name)], lines[int(entry.name)] = int(status[1]), line
    found: dict[int, str] = {}
    for pid in parents:
        above = pid
        while above in parents and above != root:
            above = parents[above]
        if above == root and pid != root:
            found[pid] = lines[pid]
    return found


def using(folder: Path) -> dict[int, str]:
    """Live processes that name this folder in their command line or environment."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            line = (entry / "cmdline").read_bytes()
            environment = (entry / "environ").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in line + environment:
            found[int(entry.name)] = line.replace(b"\0", b" ").decode()
    return found
