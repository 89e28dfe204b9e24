"""A kill at every single point of a deploy and its ticks: each statement, each request."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from django.db import connection, connections
from django.utils import timezone
from psycopg2.extensions import TRANSACTION_STATUS_IDLE

from bots import control, runner, seeds
from bots.books import reconcile
from bots.grid.levels import GridSpec
from bots.models import Bot, Fill, Order
from bots.safety import course, killing
from bots.safety.tending import Tender
from integrations.bybit.gateway import Gateway
from integrations.bybit.session import Session
from market.exchange import ExchangeError
from risk.models import Halt
from tests.rig.waiting import until
from tests.risk.conftest import PRICES, open_ours, signed_late
from tests.simulator.fixture import RunningSimulator

pytestmark = pytest.mark.timeout(3600)

PARTS = 8  # each takes every eighth point
SMALL = replace(seeds.BOTS[0], spec=GridSpec(Decimal(96_000), Decimal(98_000), 4, Decimal(100)))


class Crash(Exception):
    """The process dies here."""


def is_within_transaction() -> bool:
    """Whether the server has begun one for this thread: it does with the first statement."""
    raw = connection.connection
    return raw is not None and raw.info.transaction_status != TRANSACTION_STATUS_IDLE


class Strike:
    """A kill by somebody else at the n-th point that this thread comes to.

    Afterwards the thread `dies` right there, or goes on as if nothing had happened. Within a
    transaction it never dies: that would be the same as before its first statement.
    """

    def __init__(self, number: int, exchange: Gateway, *, dies: bool) -> None:
        self._left, self._exchange, self._dies = number, exchange, dies
        self._thread = threading.get_ident()
        self.at = ""

    def point(self, what: str) -> None:
        if self.at or threading.get_ident() != self._thread:
            return
        if self._dies and is_within_transaction():
            return
        if self._left:
            self._left -= 1
            return
        self.at = what
        killer = threading.Thread(target=self._kill)
        killer.start()
        killer.join()
        if self._dies:
            raise Crash

    def _kill(self) -> None:
        try:
            killing.kill(
                self._exchange, reason=self.at[:100], by="ann",
                enough=killing.seen_empty_within(10),
            )  # fmt: skip
        finally:
            connections.close_all()

    @contextmanager
    def everywhere(self, patch: pytest.MonkeyPatch) -> Iterator[None]:
        """Between any two statements or commits, before each turn and after each answer.

        Not between the turn and its signature: who is stopped there is fenced by recv_window, and
        caught at the second look.
        """

        def statement(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
            if not is_within_transaction():
                self.point(f"before {sql}")
            came = execute(sql, *rest)
            if is_within_transaction() and not sql.startswith(("SAVEPOINT", "RELEASE")):
                self.point(f"after {sql}")
            return came

        with patch.context() as patched, connection.execute_wrapper(statement):
            for name, moment in (("turn", "before"), ("send", "after")):
                patched.setattr(Session, name, self._around(getattr(Session, name), name, moment))
            yield

    def _around(self, real: Callable[..., Any], name: str, moment: str) -> Callable[..., Any]:
        def hurt(session: Session, *given: Any, **options: Any) -> Any:
            if moment == "before":
                self.point(f"before {name} {given[:1]}")
            came = real(session, *given, **options)
            if moment == "after":
                self.point(f"after {name} {given[:1]}")
            return came

        return hurt


def live(number: int, simulator: RunningSimulator, exchange: Gateway) -> None:
    """Deploy, build, rest; one buy is filled and its sell rests."""
    wish = replace(SMALL, slug=f"bot-{number}", name=f"Bot {number}")
    bot = control.deploy(wish, by="tests")
    for _ in range(2):
        runner.run_once(bot.pk, exchange, lambda _: None)
    simulator.step({"BTCUSDT": "96400"})
    reconcile.sweep(exchange)
    runner.run_once(bot.pk, exchange, lambda _: None)


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("dies", [True, False], ids=["dies", "goes on"])
def test_a_kill_at_every_point_leaves_nothing_and_nothing_comes(
    transactional_db: None, simulator: RunningSimulator, exchange: Gateway, *,
    dies: bool, part: int, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(course, "SECOND_LOOK", timedelta(milliseconds=400))
    for number in count(part, PARTS):
        simulator.step(PRICES)
        strike = Strike(number, exchange, dies=dies)
        try:
            with strike.everywhere(monkeypatch):
                live(number, simulator, exchange)
        except (Crash, ExchangeError):
            pass
        if not strike.at:
            break
        settled(strike.at, simulator, exchange)
    assert Fill.objects.exists(), "some of them came far enough to trade"
    assert number > (40 if dies else 100), "points were passed"


def settled(at: str, simulator: RunningSimulator, exchange: Gateway) -> None:
    """The watchdog ends the kill; ticks that come later place nothing. Then all is as at first."""
    halt = Halt.objects.get(lifted_at=None)
    Halt.objects.update(tended_at=timezone.now() - timedelta(minutes=1))
    tender = Tender(exchange)

    def done() -> bool:
        tender.tend()
        halt.refresh_from_db()
        return halt.state == Halt.State.DONE

    until(done, 20, f"DONE after a kill {at}")
    assert open_ours(simulator) == [], at
    Bot.objects.update(lease_until=None)
    reconcile.sweep(exchange)
    for bot in Bot.objects.exclude(state=Bot.State.STOPPED):
        runner.run_once(bot.pk, exchange, lambda _: None)
    assert open_ours(simulator) == [], at
    assert signed_late(simulator, halt) == [], at
    Halt.objects.update(lifted_at=timezone.now())
    Bot.objects.update(state=Bot.State.STOPPED)
    Order.objects.update(settled=True)
