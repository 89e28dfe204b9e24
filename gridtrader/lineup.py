"""Which processes make the running product, and in which order they come up."""

import http.client
import os
import sys
from functools import partial
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals

import psycopg2
import redis
from django.conf import settings

from gridtrader import folder
from gridtrader.child import Child
from gridtrader.folder import Hold
from gridtrader.hosting import PATIENCE, on_free_port
from gridtrader.services import Postgres, Redis, ServiceError, lock_of, tethered
from gridtrader.supervisor import Step

MANAGE = Path(settings.BASE_DIR) / "manage.py"
ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - addresses to ask, not to bind


class Lineup:
    """The steps of `up` on one data folder and one web port."""

    def __init__(self, home: Path, port: int) -> None:
        self.home = home
        self.port = port
        self.host = ANYWHERE.get(settings.HOST, settings.HOST)
        self.env = os.environ | {
            "GRIDTRADER_DATA_DIR": str(home),
            "GRIDTRADER_PORT": str(port),
            "DJANGO_SETTINGS_MODULE": "gridtrader.settings",
            "PYTHONUNBUFFERED": "1",
        }
        # Kept by every process of ours that is no server: while one lives, nobody starts anew.
        self.hold = _take(home / "processes.lock", "processes of an earlier start still run")

    @property
    def url(self) -> str:
        """Where the pages are."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/"

    def steps(self) -> list[Step]:
        """Return the steps in their order; raises ServiceError when one cannot work."""
        if not folder.is_free(settings.HOST, self.port):
            raise ServiceError(
                f"port {self.port} of {settings.HOST} is taken; "
                "choose another with --port or GRIDTRADER_PORT"
            )
        _check_given_servers()
        servers = self._servers()
        first = [Step(servers, grace=2.0)] if servers else []
        prepare = [self._command("migrate", "--noinput", "-v0"), self._command("seed")]
        once = [Step([command], once=True, patience=120.0, grace=0.5) for command in prepare]
        simulator = [Step([self._simulator()], grace=2.0)] if self._runs_simulator() else []
        return [*first, *once, *simulator, Step(self._applications(), patience=60.0, grace=4.5)]

    def _runs_simulator(self) -> bool:
        return settings.BYBIT.own_simulator_port is not None

    def _servers(self) -> list[Child]:
        embedded = {
            Postgres.name: settings.DATABASE_IS_EMBEDDED,
            Redis.name: settings.REDIS_IS_EMBEDDED,
        }
        return [self._server(name) for name, wanted in embedded.items() if wanted]

    def _server(self, name: str) -> Child:
        lock = _take(lock_of(self.home, name), f"another command runs the {name} of {self.home}")
        server = on_free_port(self.home, name)
        server.prepare()
        return Child(
            name,
            server.argv(),
            ready=server.ready,
            stop_signal=server.stop_signal,
            keep=[lock.descriptor],
        )

    def _simulator(self) -> Child:
        port = folder.port_of(self.home, "simulator")
        if not folder.is_free("127.0.0.1", port):
            port = folder.port_of(self.home, "simulator", fresh=True)
        state = self.home / "simulator"
        state.mkdir(mode=0o700, exist_ok=True)
        listen = ["--host", "127.0.0.1", "--port", str(port)]
        prices = ["--tape", settings.PAPER_TAPE, "--speed", format(settings.PAPER_SPEED, "f")]
        wallet = ["--balance", "USDT=34000", "--state", str(state / "state.json")]
        child = self._command("simulator", *listen, *prices, *wallet, fatal=SIGTERM)
        given = ("BYBIT_API_KEY_FILE", "BYBIT_API_SECRET_FILE")  # of an exchange, not of paper
        child.env = {name: text for name, text in self.env.items() if name not in given} | {
            "BYBIT_API_KEY": settings.BYBIT.key.reveal(),
            "BYBIT_API_SECRET": settings.BYBIT.secret.reveal(),
        }
        child.ready = partial(_answers, "127.0.0.1", port, "/v5/market/time")
        return child

    def _applications(self) -> list[Child]:
        bind = ["-b", settings.HOST, "-p", str(self.port), "-v", "0", "--server-name", "gridtrader"]
        proxy = ["--proxy-headers"] if settings.BEHIND_HTTPS else []
        web = self._module("daphne", *bind, *proxy, "gridtrader.asgi:application", name="web")
        web.ready = partial(_answers, self.host, self.port, settings.LOGIN_URL)
        celery = partial(self._module, "celery", "-q", "-A", "gridtrader")
        alone = ["--without-gossip", "--without-mingle"]  # one worker has nobody to talk to
        threads = ["-P", "threads", "-c", "4"]
        scheduler = ["-S", "gridtrader.beat:OneBeat"]
        return [
            web,
            celery("worker", "-l", "info", *threads, *alone, name="worker"),
            celery("beat", "-l", "warning", *scheduler, "--pidfile=", name="beat"),
            self._command("stream"),
            self._command("watchdog"),
        ]

    def _command(self, name: str, *arguments: str, fatal: Signals = SIGKILL) -> Child:
        return self._child(name, [str(MANAGE), name, *arguments], fatal)

    def _module(self, module: str, *arguments: str, name: str) -> Child:
        # Celery warns of pickled tasks when root runs it; ours are JSON only.
        quiet = ["-W", "ignore:You're running the worker with superuser privileges"]
        return self._child(name, [*quiet, "-m", module, *arguments], SIGKILL)

    def _child(self, name: str, python: list[str], fatal: Signals) -> Child:
        """Make a child that gets the signal `fatal` when we die without stopping it."""
        argv = tethered([sys.executable, *python], fatal)
        return Child(name, argv, env=self.env, keep=[self.hold.descriptor])


def _take(path: Path, complaint: str) -> Hold:
    hold = Hold.take(path, patience=PATIENCE)
    if hold is None:
        raise ServiceError(f"{complaint}; stop that process or choose another --data-dir")
    return hold


def _answers(host: str, port: int, path: str) -> bool:
    """Say whether an HTTP server there gives any answer that is no failure of its own."""
    line = http.client.HTTPConnection(host, port, timeout=2)
    try:
        line.request("GET", path)
        return line.getresponse().status < http.client.INTERNAL_SERVER_ERROR
    except (OSError, http.client.HTTPException):
        return False
    finally:
        line.close()


def _check_given_servers() -> None:
    """Try the servers that the environment names; raises ServiceError in one line."""
    if not settings.DATABASE_IS_EMBEDDED:
        database = settings.DATABASES["default"]
        try:
            psycopg2.connect(
                host=database["HOST"],
                port=database["PORT"] or None,
                user=database["USER"],
                password=database["PASSWORD"],
                dbname=database["NAME"],
                connect_timeout=5,
            ).close()
        except psycopg2.OperationalError as error:
            raise ServiceError(f"DATABASE_URL: {' '.join(str(error).split())}") from None
    if not settings.REDIS_IS_EMBEDDED:
        try:
            redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=5).ping()
        except redis.RedisError as error:
            raise ServiceError(f"REDIS_URL: {error}") from None
