"""The data folder: locks, remembered ports and secrets that were made up once."""

import fcntl
import json
import os
import random
import secrets
import socket
import stat
import tempfile
import time
from pathlib import Path

from gridtrader.env import EnvError, Secret

# Below the range from which Linux takes the source ports of outgoing connections: a client that
# keeps knocking while a server restarts could otherwise be given the server's own port.
PORTS = range(20000, 32000)

# Others may pass through the data folder, not list it; its files are readable to us alone. It is
# PostgreSQL that has to pass, where root must run it as another user.
PASSABLE = 0o711


def prepare(path: Path) -> Path:
    """Make the data folder if need be and prove that it can be written; raises EnvError."""
    try:
        path.mkdir(mode=PASSABLE, parents=True, exist_ok=True)
        # Root may write where permission bits say no; the bits are still somebody's wish.
        if not path.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):
            raise PermissionError(0, "nobody has write permission")
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        reason = "it is a file" if path.is_file() else error.strerror
        raise EnvError(
            f"data folder {path} cannot be written: {reason}; "
            "accepted: a folder with write permission (GRIDTRADER_DATA_DIR or --data-dir)"
        ) from None
    return path


def kept_secret(path: Path) -> Secret:
    """Return the secret kept in a file of mode 0600, made up at the first call."""
    if not path.exists():
        path.parent.mkdir(mode=PASSABLE, parents=True, exist_ok=True)
        # mkstemp makes mode 0600; link never overwrites, so of two first callers one wins.
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass  # the other one's secret is as good
        finally:
            Path(draft).unlink()
    return Secret(path.read_text(encoding="ascii").strip())


def is_free(host: str, port: int) -> bool:
    """Say whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def free_port() -> int:
    """Return a port of the loopback address on which nobody listens."""
    for port in random.SystemRandom().sample(PORTS, 500):
        if is_free("127.0.0.1", port):
            return port
    raise EnvError(f"no free port between {PORTS.start} and {PORTS.stop - 1} on 127.0.0.1")


def port_of(folder: Path, name: str, *, fresh: bool = False) -> int:
    """Return the port remembered for a server; a new one at the first call or when fresh."""
    memory = folder / "ports.json"
    folder.mkdir(mode=PASSABLE, parents=True, exist_ok=True)
    with (folder / "ports.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        ports = _read_ports(memory)
        if fresh or name not in ports:
            ports[name] = free_port()
            draft = memory.with_suffix(".new")
            draft.touch(mode=0o600)
            draft.write_text(json.dumps(ports, indent=1), encoding="ascii")
            draft.replace(memory)
        return ports[name]


def _read_ports(memory: Path) -> dict[str, int]:
    try:
        found = json.loads(memory.read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: port for name, port in found.items() if isinstance(port, int)}


class Hold:
    """A lock file that the kernel lets go when its last holder dies, so it never goes stale.

    A program started with the file descriptor passed on keeps the lock for as long as it lives,
    even when the process that took it is gone.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.descriptor = descriptor

    @classmethod
    def take(cls, path: Path, *, patience: float = 0, shared: bool = False) -> "Hold | None":
        """Take the lock, waiting up to so many seconds; None when another one keeps it."""
        path.parent.mkdir(mode=PASSABLE, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        kind = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(descriptor, kind)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    os.close(descriptor)
                    return None
                time.sleep(0.02)
            else:
                return cls(path, descriptor)

    def write(self, text: str) -> None:
        """Leave a note for whoever finds the lock taken."""
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, text.encode(), 0)

    def release(self) -> None:
        """Let the lock go, as far as this process is concerned."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
