"""The watchdog process: carries kills on and judges the guards, without Celery and Redis."""

import logging
import signal
import threading
import time
from collections.abc import Callable

from django.core.management.base import BaseCommand
from django.db import connection

from bots.safety import guarding, watching
from bots.safety.agreement import Books
from bots.safety.course import DATABASE_AWAY
from bots.safety.tending import Tender
from integrations.bybit.account import gateway_from_settings
from market.exchange import ExchangeError
from risk import pulse
from risk.calls import Tally

log = logging.getLogger(__name__)

KILLS_S, GUARDS_S, BOOKS_S = 0.2, 1.0, 15.0  # between two rounds


class Command(BaseCommand):
    """Three loops that do not wait for each other, until told to stop."""

    help = "Carry kills on to their end and judge the guards."

    def handle(self, *args: object, **options: object) -> None:
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        tally = Tally()
        exchange = gateway_from_settings(alone=True, told=guarding.counted_in(tally))
        tender = Tender(exchange)
        watch, books = watching.Watch(), Books(exchange)

        def guard() -> None:
            watch.judge()
            pulse.beat(pulse.WATCHDOG)  # the gate heeds it: risk/guard.py
            tally.write()

        def compare() -> None:
            books.check()
            pulse.beat(f"{pulse.WATCHDOG}:books")

        loops = [
            threading.Thread(target=_repeat, args=(guard, GUARDS_S, stopping), daemon=True),
            threading.Thread(target=_repeat, args=(compare, BOOKS_S, stopping), daemon=True),
        ]
        for loop in loops:
            loop.start()
        self.stdout.write("watching")
        _repeat(tender.tend, KILLS_S, stopping, away=tender.tend_blindly)
        for loop in loops:
            loop.join(2.0)


def _repeat(
    work: Callable[[], None],
    every: float,
    stopping: threading.Event,
    away: Callable[[], None] = lambda: None,
) -> None:
    """Do a piece of work again and again; `away` instead while there is no database."""
    told = False
    while not stopping.is_set():
        began = time.monotonic()
        try:
            work()
            told = False
        except DATABASE_AWAY as error:
            connection.close()
            if not told:
                log.warning("the database failed the watchdog: %s", " ".join(str(error).split()))
            told = True
            away()
        except ExchangeError as error:
            log.warning("the watchdog has no exchange: %s", error)
        except Exception:  # a fault of ours must not end what watches; its pulse stops and says so
            log.critical("ALARM the watchdog failed and goes on", exc_info=True)
        stopping.wait(max(every - (time.monotonic() - began), 0.01))
