"""Runs the embedded servers of a data folder for as long as somebody needs them."""

import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from gridtrader.folder import Hold, is_free, port_of
from gridtrader.services import Server, ServiceError, lock_of, named

PATIENCE = 20.0  # seconds for a server to answer, or for its predecessor to be gone
STOPPING = 10.0  # seconds until a server that was asked to end is killed


def start(server: Server, hold: Hold, output: int | IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a server whose lock we hold; it keeps the lock too, and ends when this process ends."""
    return subprocess.Popen(
        server.argv(),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C is for us, we stop the servers in order
        pass_fds=[hold.descriptor],
    )


def stop(process: subprocess.Popen[bytes], server: Server) -> None:
    """Ask a server to end and see that it does."""
    process.send_signal(server.stop_signal)
    try:
        process.wait(STOPPING)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def serving(server: Server, hold: Hold) -> Iterator[None]:
    """Keep a server up inside the block; raises ServiceError when it does not come up."""
    server.prepare()
    notes = server.home / f"{server.name}.log"
    notes.touch(mode=0o600)
    with notes.open("wb") as output:
        process = start(server, hold, output)
    try:
        deadline = time.monotonic() + PATIENCE
        while not server.ready():
            if process.poll() is not None or time.monotonic() > deadline:
                last = notes.read_text(errors="replace").strip().splitlines()[-1:] or ["silent"]
                raise ServiceError(f"{server.name} does not start: {last[0]} (see {notes})")
            time.sleep(0.02)
        yield
    finally:
        stop(process, server)
        hold.release()


def on_free_port(home: Path, name: str) -> Server:
    """Return a server whose lock we hold; it moves where a stranger listens on its port."""
    if not is_free("127.0.0.1", port_of(home, name)):
        port_of(home, name, fresh=True)
    return named(home, name)


@contextmanager
def _found_or_started(home: Path, name: str) -> Iterator[bool]:
    """Yield whether the server is ours; another process's server is used as it stands."""
    deadline = time.monotonic() + PATIENCE
    while True:
        hold = Hold.take(lock_of(home, name))
        if hold is not None:
            with serving(on_free_port(home, name), hold):
                yield True
            return
        if named(home, name).ready():
            yield False
            return
        if time.monotonic() > deadline:
            raise ServiceError(f"{name} of data folder {home} is held but does not answer")
        time.sleep(0.05)


@contextmanager
def borrowed(home: Path, names: Collection[str]) -> Iterator[None]:
    """Use the named servers of a data folder; those that were not up run until the block ends.

    A server is not taken from under another command which borrowed it meanwhile: the one who
    started it waits until the last borrower is done.
    """
    borrowers = home / "borrowers.lock"
    mine = Hold.take(borrowers, shared=True, patience=PATIENCE)
    if mine is None:
        raise ServiceError(f"the servers of data folder {home} are being stopped; try again")
    with ExitStack() as stack:
        ours = [stack.enter_context(_found_or_started(home, name)) for name in names]
        try:
            yield
        finally:
            mine.release()
            if any(ours):
                alone = Hold.take(borrowers)
                if alone is None:
                    sys.stderr.write("waiting for another command to finish with the servers\n")
                    alone = Hold.take(borrowers, patience=float("inf"))
                if alone is not None:
                    stack.callback(alone.release)
