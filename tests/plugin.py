"""Pytest plugin: a throw-away PostgreSQL and Redis, up before Django's settings load.

With several test processes (`-n`) each has its own pair; the one that hands tests out has none.
"""

import atexit
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from gridtrader.folder import Hold
from gridtrader.hosting import serving
from gridtrader.services import Server, lock_of, of_folder
from tests.timescale.server import TimescalePostgres

# What a developer's shell or .env may hold and no test may see.
OUTSIDE = (
    "BYBIT_",
    "NOTION_",
    "COINGECKO_",
    "NOTIFY_",
    "TRADINGVIEW_",
    "PAPER_",
    "GRIDTRADER_MODE",
    "GRIDTRADER_HOST",
    "GRIDTRADER_PORT",
    "DATABASE_URL",
    "REDIS_URL",
    "SECRET_KEY",
    "DEBUG",
    "ALLOWED_HOSTS",
    "CSRF_TRUSTED_ORIGINS",
    "BEHIND_HTTPS",
)


# Every secret of the tests begins so, and is hunted for (tests/canary.py).
MARK = "canary-"
KEPT = ("postgres.password", "redis.password", "secret_key", "bybit.key", "bybit.secret")

# The folder of a PostgreSQL with TimescaleDB (tests/timescale/build.sh), used instead of our own.
TIMESCALE = os.environ.get("TIMESCALE_SERVER", "")

_running: dict[str, tuple[Server, ExitStack]] = {}


def restart(name: str) -> None:
    """Stop a server of the tests, as fast as it goes, and start it on the same port and files.

    Only from the main thread: the kernel ends a server when the thread that started it ends.
    """
    server, up = _running[name]
    up.close()
    _serve(server)


def _serve(server: Server) -> None:
    hold = Hold.take(lock_of(server.home, server.name))
    assert hold is not None, "the folder has no other user"
    up = ExitStack()
    up.enter_context(serving(server, hold))
    _running[server.name] = server, up


def _stop() -> None:
    for _, up in _running.values():
        up.close()


def _isolate() -> Path:
    """Settings for tests, in a folder that is gone at the end."""
    for name in [name for name in os.environ if name.startswith(OUTSIDE)]:
        del os.environ[name]
    os.environ["COINGECKO_BASE_URL"] = "off"  # no test asks a real service
    home = Path(tempfile.mkdtemp(prefix="gridtrader-tests-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    os.environ["GRIDTRADER_ENV_FILE"] = os.devnull
    os.environ["GRIDTRADER_DATA_DIR"] = str(home)
    os.environ["DJANGO_SETTINGS_MODULE"] = "gridtrader.settings"
    return home


def _keep(home: Path) -> None:
    """Make up the secrets of a data folder, each with the mark."""
    for name in KEPT:
        path = home / name
        path.touch(mode=0o600)
        text = f"{MARK}{name.replace('.', '-')}-{secrets.token_urlsafe(48)}"
        path.write_text(text, encoding="ascii")


def start() -> None:
    """Servers of this process alone; they end with it."""
    home = _isolate()
    _keep(home)
    postgres, redis = of_folder(home, durable=False)
    atexit.register(_stop)
    _serve(TimescalePostgres.like(postgres, Path(TIMESCALE)) if TIMESCALE else postgres)
    _serve(redis)


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Iterator[None]:
    """A wrapper goes before pytest-django, which loads the settings here."""
    hands_out = early_config.known_args_namespace.numprocesses
    if hands_out and "PYTEST_XDIST_WORKER" not in os.environ:
        _isolate()
    else:
        start()
    yield
