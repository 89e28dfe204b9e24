"""What manage.py does: finds the data folder and its servers, then runs one Django command."""

import os
import sys
from contextlib import nullcontext
from pathlib import Path

from django.conf import settings
from django.core.management import execute_from_command_line

from gridtrader.env import EnvError
from gridtrader.hosting import borrowed
from gridtrader.services import ServiceError

# Commands that talk to no database, or must not wait for one. `up` starts the servers itself.
SERVERLESS = frozenset(
    (
        "up", "simulator", "backtest", "optimize", "kill", "watchdog",
        "help", "version", "check", "diffsettings",
    )
)  # fmt: skip


def take_data_dir(arguments: list[str]) -> list[str]:
    """Move `--data-dir PATH` into the environment, before the settings read it."""
    rest: list[str] = []
    words = iter(arguments)
    for word in words:
        name, equals, value = word.partition("=")
        if name != "--data-dir":
            rest.append(word)
            continue
        value = value if equals else next(words, "")
        if not value:
            raise EnvError("--data-dir has no value; accepted: the path of a folder")
        os.environ["GRIDTRADER_DATA_DIR"] = str(Path(value).resolve())
    return rest


def needs_servers(arguments: list[str]) -> bool:
    """Say whether a command line is one that talks to the database."""
    asks_for_help = {"-h", "--help", "--version"} & set(arguments)
    return bool(arguments) and arguments[0] not in SERVERLESS and not asks_for_help


def run(arguments: list[str]) -> None:
    """Run one command with the servers that it needs."""
    wanted = {
        "postgres": settings.DATABASE_IS_EMBEDDED,
        "redis": settings.REDIS_IS_EMBEDDED,
    }
    names = [name for name, embedded in wanted.items() if embedded]
    servers = borrowed(settings.DATA_DIR, names) if needs_servers(arguments) else nullcontext()
    with servers:
        execute_from_command_line(["manage.py", *arguments])


def main() -> None:
    """Turn what the user can mend into one line and a non-zero exit."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gridtrader.settings")
    try:
        run(take_data_dir(sys.argv[1:]))
    except (EnvError, ServiceError) as error:
        sys.stderr.write(f"gridtrader: {error}\n")
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
