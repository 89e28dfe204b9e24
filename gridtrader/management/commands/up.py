"""`manage.py up`: everything that the product needs, in the foreground, until it is stopped."""

import os
from argparse import ArgumentParser

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from bots.seeds import OPERATOR, PASSWORD_FILE
from gridtrader.child import Log
from gridtrader.env import EnvError
from gridtrader.folder import Hold
from gridtrader.lineup import Lineup
from gridtrader.services import ServiceError
from gridtrader.supervisor import StartError, Supervisor

PORTS = range(1, 65536)


class Command(BaseCommand):
    """Start servers, simulator, web, worker, beat and stream; restart what ends; stop cleanly."""

    help = "Run everything in the foreground: servers, simulator, web, worker, beat, stream."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, help="web port (GRIDTRADER_PORT, 8000)")
        parser.add_argument("--data-dir", help="data folder (GRIDTRADER_DATA_DIR, var)")

    def handle(self, *args: object, port: int | None, **options: object) -> None:
        home = settings.DATA_DIR
        port = settings.PORT if port is None else port
        if port not in PORTS:
            raise CommandError(f"--port is {port}; accepted: a whole number from 1 to 65535")
        alone = Hold.take(home / "up.lock")
        if alone is None:
            other = (home / "up.lock").read_text(encoding="ascii") or "unknown"
            raise CommandError(
                f"data folder {home} is run by another `manage.py up` (pid {other}); "
                "stop that one or choose another --data-dir"
            )
        alone.write(str(os.getpid()))
        try:
            lineup = Lineup(home, port)
            supervisor = Supervisor(lineup.steps(), log=Log())
            supervisor.run(lambda: self._announce(supervisor, lineup))
        except (StartError, ServiceError, EnvError) as error:
            raise CommandError(str(error)) from None

    def _announce(self, supervisor: Supervisor, lineup: Lineup) -> None:
        supervisor.say(f"GridTrader ({settings.MODE}) is ready: {lineup.url}")
        password = lineup.home / PASSWORD_FILE
        if password.exists():
            supervisor.say(f"login: user {OPERATOR}, first password in {password}")
        supervisor.say("Ctrl-C stops everything; the next start goes on where this one stopped")
