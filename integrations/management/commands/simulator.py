"""`manage.py simulator`: Bybit v5 on loopback, with play money and recorded prices."""

import asyncio
import json
import os
import secrets
import signal
from argparse import ArgumentParser
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from integrations.bybit.simulator.auth import Keys
from integrations.bybit.simulator.depth import Liquidity
from integrations.bybit.simulator.journal import JournalError
from integrations.bybit.simulator.live import Upstream
from integrations.bybit.simulator.server import Options, Simulator
from integrations.bybit.simulator.tape import TapeError
from integrations.bybit.simulator.wire import ApiError
from market.types import MalformedNumber, decimal

ENVIRONMENT = {"key": "BYBIT_API_KEY", "secret": "BYBIT_API_SECRET"}
MOST_SPEED = 100_000


class Command(BaseCommand):
    """Runs until SIGTERM or Ctrl-C. Needs no database."""

    help = "Run the Bybit v5 simulator."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8900, help="0 lets the system choose")
        parser.add_argument(
            "--tape",
            default="",
            help="folder or file of candles, synthetic:SEED[:revert|trend|crash|gap|frozen], or"
            " bybit for live prices",
        )
        parser.add_argument("--upstream-rest", default=Upstream().rest_url, help="of live prices")
        parser.add_argument("--upstream-ws", default=Upstream().ws_url, help="of live prices")
        parser.add_argument(
            "--speed", default="1", help="market seconds in one second; 0 waits for POST /sim/step"
        )
        parser.add_argument(
            "--balance",
            nargs="+",
            action="extend",
            metavar="COIN=AMOUNT",
            help="wallet of a new state, USDT=34000 by default; a state file keeps its own",
        )
        parser.add_argument("--maker", default="0.001", help="fee share of resting orders")
        parser.add_argument("--taker", default="0.001", help="fee share of taking orders")
        parser.add_argument("--state", type=Path, default=None, help="file that survives restarts")
        parser.add_argument(
            "--rate-limits", action="store_true", help="refuse what comes too often, as Bybit does"
        )
        parser.add_argument(
            "--depth",
            default="0",
            help="quote to be had at each price, growing again over 10 s; 0 is an endless book",
        )
        parser.add_argument(
            "--parts",
            default="1",
            help="executions of a resting order, one for each tick that price goes beyond it",
        )
        parser.add_argument(
            "--faults",
            type=Path,
            help="JSON file of fault switches, as POST /sim/faults takes them",
        )
        parser.add_argument("--key", default="", help="API key (or BYBIT_API_KEY)")
        parser.add_argument("--secret", default="", help="API secret (or BYBIT_API_SECRET)")

    def handle(self, *args: object, **given: Any) -> None:  # noqa: ANN401 - Django's signature
        try:
            asyncio.run(self._run(self._options(given)))
        except (TapeError, JournalError) as error:
            raise CommandError(str(error)) from error
        except ApiError as error:
            raise CommandError(f"--faults: {error.message}") from error
        except OSError as error:
            where = f"{given['host']}:{given['port']}"
            why = os.strerror(error.errno) if error.errno else str(error)
            raise CommandError(f"cannot listen on {where}: {why}") from error

    def _options(self, given: dict[str, Any]) -> Options:
        return Options(
            keys=self._keys(given),
            host=given["host"],
            port=given["port"],
            tape=given["tape"],
            speed=float(_number("--speed", given["speed"], Decimal(0), Decimal(MOST_SPEED))),
            balances=dict(_balance(text) for text in given["balance"] or ["USDT=34000"]),
            maker=_number("--maker", given["maker"], Decimal("-0.01"), Decimal("0.1")),
            taker=_number("--taker", given["taker"], Decimal(0), Decimal("0.1")),
            state=given["state"],
            liquidity=_liquidity(given),
            upstream=Upstream(given["upstream_rest"], given["upstream_ws"]),
            rate_limits=given["rate_limits"],
            faults=_faults(given["faults"]),
        )

    def _keys(self, given: dict[str, Any]) -> Keys:
        key, secret = (given[name] or _from_environment(name) for name in ENVIRONMENT)
        if bool(key) != bool(secret):
            raise CommandError("give both --key and --secret, or neither")
        if not key:
            key, secret = secrets.token_hex(9), secrets.token_hex(18)
            self.stdout.write(f"play-money key {key} secret {secret}")
        return Keys(key, secret)

    async def _run(self, options: Options) -> None:
        simulator = Simulator(options)
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await simulator.start()
        self.stdout.write(f"simulator: {simulator.url} ({simulator.venue.tape.name})")
        self.stdout.flush()
        waiting = [asyncio.create_task(stop.wait()), asyncio.create_task(simulator.wait())]
        done, pending = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await simulator.stop()
        for task in done:
            task.result()


def _faults(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        switches = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CommandError(f"--faults {file}: {error}") from error
    if not isinstance(switches, dict):
        raise CommandError(f'--faults {file} must hold an object such as {{"seed": 7, "on": []}}')
    return switches


def _from_environment(name: str) -> str:
    variable = ENVIRONMENT[name]
    if file := os.environ.get(f"{variable}_FILE"):
        try:
            return Path(file).read_text().strip()
        except OSError as error:
            raise CommandError(f"{variable}_FILE: {error}") from error
    return os.environ.get(variable, "")


def _liquidity(given: dict[str, Any]) -> Liquidity:
    depth = _number("--depth", given["depth"], Decimal(0), Decimal(10**9))
    parts = _number("--parts", given["parts"], Decimal(1), Decimal(100))
    if parts != int(parts):
        raise CommandError(f"--parts must be a whole number, not {parts}")
    return Liquidity(depth, int(parts))


def _number(option: str, text: str, least: Decimal, most: Decimal) -> Decimal:
    try:
        value = decimal(text)
    except MalformedNumber as error:
        raise CommandError(f"{option}: {error}") from error
    if not least <= value <= most:
        raise CommandError(f"{option} must lie between {least} and {most}, not {value}")
    return value


def _balance(text: str) -> tuple[str, Decimal]:
    coin, _, amount = text.partition("=")
    try:
        value = decimal(amount)
    except MalformedNumber:
        value = Decimal(-1)
    if not (coin.isalnum() and coin.isupper() and value >= 0):
        raise CommandError(f"--balance {text!r}: it must look like USDT=34000")
    return coin, value
