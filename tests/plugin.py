"""Pytest plugin: a throw-away PostgreSQL and Redis, up before Django's settings load."""

import atexit
import os
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

from gridtrader.folder import Hold
from gridtrader.hosting import serving
from gridtrader.services import lock_of, of_folder

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


def _start() -> None:
    for name in [name for name in os.environ if name.startswith(OUTSIDE)]:
        del os.environ[name]
    home = Path(tempfile.mkdtemp(prefix="gridtrader-tests-"))
    stack = ExitStack()
    atexit.register(stack.close)
    stack.callback(shutil.rmtree, home, ignore_errors=True)
    for server in of_folder(home, durable=False):
        hold = Hold.take(lock_of(home, server.name))
        assert hold is not None, "a fresh folder has no other user"
        stack.enter_context(serving(server, hold))
    os.environ["GRIDTRADER_ENV_FILE"] = os.devnull
    os.environ["GRIDTRADER_DATA_DIR"] = str(home)
    os.environ["DJANGO_SETTINGS_MODULE"] = "gridtrader.settings"


if "PYTEST_XDIST_WORKER" not in os.environ:  # workers use the servers of their parent
    _start()
