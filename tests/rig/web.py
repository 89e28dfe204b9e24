"""A web server of its own process on the test database, as in production but for the port."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import connection

from gridtrader.services import tethered
from tests.canary import LEFT_BEHIND

ROOT = Path(__file__).resolve().parents[2]
START_S = 30


@contextmanager
def serving(folder: Path, **variables: str) -> Iterator[str]:
    """Daphne, with more variables in its environment if need be; gives its address."""
    with started(folder, **variables) as (address, _):
        yield address


@contextmanager
def started(
    folder: Path, port: int = 0, **variables: str
) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """The same on a port that was given, if one was; its process is given too, to be hurt."""
    environment = {
        **os.environ,
        "DATABASE_URL": "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(
            **connection.settings_dict
        ),
        "REDIS_URL": settings.REDIS_URL,
        "PYTHONUNBUFFERED": "1",
        **variables,
    }
    daphne = [sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", str(port)]
    command = tethered([*daphne, "gridtrader.asgi:application"], signal.SIGKILL)
    log = folder / "daphne.log"  # a pipe that nobody empties would fill
    LEFT_BEHIND.append(log)
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        try:
            yield f"http://127.0.0.1:{_port(process, log)}", process
        finally:
            process.kill()  # it keeps nothing, and a page that hangs must not hold the tests up
            process.wait()


def _port(process: "subprocess.Popen[bytes]", log: Path) -> int:
    """The port that daphne says it got; its log is the only place where it stands."""
    patience = time.monotonic() + START_S
    while time.monotonic() < patience and process.poll() is None:
        said = log.read_text(encoding="utf-8")
        if found := re.search(r"Listening on TCP address 127\.0\.0\.1:(\d+)", said):
            return int(found[1])
        time.sleep(0.05)
    raise AssertionError(f"daphne did not start:\n{log.read_text(encoding='utf-8')}")
