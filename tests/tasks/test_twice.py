"""Every task of ours, twice and to two workers at once: nothing that counts is changed by that."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections
from pytest_django import Settings

from bots import tasks
from bots.models import Bot, CapitalMove, Cell, Fill, GridConfig, Order, RoundTrip
from bots.outside import tasks as outside
from gridtrader.celery import app
from integrations import tasks as fetching
from integrations.bybit.gateway import Gateway
from integrations.models import Alert, AlertEffect, Parcel
from risk.models import AuditRow, EquityPoint, Halt, LatencySample
from tests.factories import RoundTripFactory
from tests.integrations.test_alerts import alert
from tests.risk.conftest import four
from tests.simulator.fixture import RunningSimulator

__all__ = ["four"]  # a fixture of the kill's own tests

app.loader.import_default_modules()  # as a worker does

# What each task is given here; a new task without a line fails.
GIVEN: dict[str, Callable[[], tuple[Any, ...]]] = {
    "bots.tasks.tick_bot": lambda: (Bot.objects.earliest("pk").pk,),
    "bots.tasks.tick_all": tuple,
    "bots.tasks.sweep": tuple,
    "bots.tasks.refresh_instruments": tuple,
    "bots.tasks.record_equity": tuple,
    "bots.tasks.record_latency": tuple,
    "bots.tasks.keep_days": tuple,
    "bots.tasks.keep_standing": tuple,
    "bots.tasks.run_backtest": lambda: (0,),  # nobody asked for that one
    "bots.tasks.share_capital": tuple,
    "bots.outside.tasks.apply_alert": lambda: (Alert.objects.earliest("pk").pk,),
    "bots.outside.tasks.apply_alerts": tuple,
    "bots.outside.tasks.write_journals": tuple,
    "bots.outside.tasks.send_notifications": tuple,
    "bots.outside.tasks.forget_old": tuple,
    "integrations.tasks.repair_gaps": tuple,
    "integrations.tasks.refresh_overview": tuple,
    "integrations.tasks.backfill": lambda: ("BTCUSDT", "1", 0, 60_000),
    "market.tasks.roll_up": tuple,
    "market.tasks.forget": tuple,
}

# What may not change: money, orders, states, what was told and done. No leases, no times of looks.
FACTS: dict[type[Any], tuple[str, ...]] = {
    Order: ("client_id", "order_id", "status", "filled", "settled"),
    Fill: ("exec_id", "booked"),
    RoundTrip: ("config", "cell", "trip", "grid_profit"),
    Cell: ("config", "index", "trip", "side", "attempt", "held", "cost", "sold", "reason"),
    Bot: ("slug", "state", "reason", "config", "next_config"),
    GridConfig: ("bot", "version", "capital"),
    CapitalMove: ("coin", "amount"),
    Halt: ("subject", "reason", "lifted_at"),
    Alert: ("name", "state", "reason", "done_at"),
    AlertEffect: ("alert", "bot", "state"),
    Parcel: ("lane", "key", "processed_at"),
    AuditRow: ("number",),
    EquityPoint: ("time", "equity"),
    LatencySample: ("client_id", "time"),
}


def facts() -> dict[str, list[tuple[Any, ...]]]:
    return {
        model.__name__: sorted(model.objects.values_list(*names), key=repr)
        for model, names in FACTS.items()
    }


def test_every_task_has_its_line() -> None:
    assert {name for name in app.tasks if not name.startswith("celery.")} == set(GIVEN)


def test_a_task_that_comes_twice_or_to_two_at_once_changes_nothing_more(
    four: None,
    exchange: Gateway,
    simulator: RunningSimulator,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.COINGECKO_BASE_URL = "http://127.0.0.1:1"
    monkeypatch.setattr(tasks, "_gateway", exchange)
    monkeypatch.setattr(fetching, "_gateway", exchange)
    monkeypatch.setattr(outside, "_exchange", exchange)
    simulator.step({"BTCUSDT": "95900", "DOGEUSDT": "0.134"})
    alert("pause", "MNTUSDT")
    RoundTripFactory(bot=Bot.objects.earliest("pk"))

    def run(name: str, given: tuple[Any, ...]) -> None:
        app.tasks[name](*given)

    def elsewhere(name: str, given: tuple[Any, ...]) -> None:
        try:
            run(name, given)
        finally:
            connections.close_all()

    def to_rest() -> None:
        """What a first run of everything leads to, until nothing moves."""
        before = None
        while before != (before := facts()):
            for name in ("sweep", "tick_bot"):
                for bot in Bot.objects.all():
                    run(f"bots.tasks.{name}", (bot.pk,) if name == "tick_bot" else ())

    to_rest()
    changed = []
    for name, given in GIVEN.items():
        asked = given()
        run(name, asked)
        to_rest()
        once = facts()
        run(name, asked)
        twins = [threading.Thread(target=elsewhere, args=(name, asked)) for _ in range(2)]
        for twin in twins:
            twin.start()
        for twin in twins:
            twin.join()
        now = facts()
        changed += [(name, model) for model in once if once[model] != now[model]]
    assert changed == []
    assert AlertEffect.objects.count() == 1
    assert Fill.objects.exists()
    assert RoundTrip.objects.exists()
