"""Fixtures for all tests: fast password hashes, the exchange, and no session left behind."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from django.conf import LazySettings, settings
from django.db import DEFAULT_DB_ALIAS, connection
from django.test.utils import setup_databases, teardown_databases
from hypothesis import settings as properties
from pytest_django import DjangoDbBlocker

from bots.books import fees
from gridtrader.env import Secret
from integrations.bybit.account import gateway_from_settings
from integrations.bybit.gateway import Gateway
from tests import thorough
from tests.canary import hunt, no_canary
from tests.simulator.fixture import RunningSimulator, simulator

__all__ = ["hunt", "no_canary", "simulator"]

properties.load_profile(thorough.HOUSE)

# What takes long and is run by `make test-all`: outages waited through, processes killed at every
# step, clients that are not ours, the whole fault catalogue, random fault runs; `make acceptance`
# and `make shots` have commands of their own.
SLOW = (
    "tests/acceptance/",
    "tests/browser/test_shots.py",
    "tests/api/test_deploy_at_once.py",
    "tests/clients/",
    "tests/contract/",
    "tests/faults/",
    "tests/integrations/test_outbox_deaths.py",
    "tests/market/test_outages.py",
    "tests/risk/test_kill_hurt.py",
    "tests/risk/test_kill_points.py",
    "tests/system/test_kill.py",
    "tests/tasks/test_twice.py",
    "tests/tasks/test_worker.py",
)

# What is dear beside what it guards: run before a change is accepted (.ci/run), and by
# `make test-all`, so that `make test` stays a matter of minutes.
HEAVY = (
    "tests/api/test_matrix.py::test_a_route",
    "tests/backtest/test_command.py",
    "tests/backtest/test_examples.py",
    "tests/backtest/test_optimize.py",
    "tests/bots/test_handover.py",
    "tests/bots/test_old_database.py",
    "tests/bots/test_targets.py",
    "tests/bots/test_trailing.py",
    "tests/browser/test_about.py",
    "tests/browser/test_backtests.py",
    "tests/browser/test_bot_page.py",
    "tests/browser/test_market.py",
    "tests/browser/test_risk.py",
    "tests/bybit/test_on_simulator.py::test_a_hundred_and_twenty",
    "tests/bybit/test_canary.py",
    "tests/integrations/test_canary.py",
    "tests/integrations/test_notion.py::test_a_refusal_is_repeated_later_and_makes_one_row",
    "tests/simulator/test_command.py",
    "tests/simulator/test_live.py",
    "tests/simulator/test_tape.py::test_a_synthetic_tape",
    "tests/simulator/test_tape.py::test_the_seed_alone",
    "tests/simulator/test_venue.py",
    "tests/system/test_whole.py::test_a_second_start",
    "tests/system/test_whole.py::test_kill_9",
    "tests/system/test_whole.py::test_trading_went_on",
    "tests/test_security.py",
    "tests/test_services.py",
    "tests/test_supervisor.py",
)

# What waits longest comes first, so that the processes of a run end together.
LONG = ("tests/system/", "tests/browser/", "tests/risk/", "tests/bots/")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow or heavy by where it lies; hand out long files first."""
    for item in items:
        if item.nodeid.startswith(SLOW):
            item.add_marker("slow")
        if item.nodeid.startswith(HEAVY):
            item.add_marker("heavy")
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


def pytest_configure() -> None:
    """Hash passwords quickly."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None,
    django_db_modify_db_settings: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[None]:
    """A database with our tables, whichever tests ask for it: pytest-django's own counts only tests
    that ask by its fixtures. Tests may empty trail and ledger; sessions of threads are ended."""
    with django_db_blocker.unblock():
        made = setup_databases(verbosity=0, interactive=False, aliases={DEFAULT_DB_ALIAS})
        with connection.cursor() as cursor:
            cursor.execute(
                "ALTER TABLE risk_auditrow DISABLE TRIGGER risk_audit_refuse_truncate;"
                "ALTER TABLE bots_booking DISABLE TRIGGER bots_booking_refuse_truncate;"
                "ALTER TABLE bots_bookline DISABLE TRIGGER bots_bookline_refuse_truncate;"
                "ALTER TABLE bots_shift DISABLE TRIGGER bots_shift_refuse_truncate"
            )
    yield
    with django_db_blocker.unblock():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        teardown_databases(made, verbosity=0)


@pytest.fixture(autouse=True)
def asks_again() -> None:
    """Every test has an exchange of its own: what another one did not tell is asked for again."""
    fees.forget()


@pytest.fixture
def exchange(simulator: RunningSimulator, settings: LazySettings) -> Gateway:
    """The gateway of the settings, on a simulator whose time stands until a test steps it."""
    settings.BYBIT = replace(
        settings.BYBIT,
        rest_url=simulator.rest_url,
        ws_url=simulator.ws_url,
        ws_public_url=simulator.ws_url,
        key=Secret(simulator.key),
        secret=Secret(simulator.secret),
    )
    return gateway_from_settings()
