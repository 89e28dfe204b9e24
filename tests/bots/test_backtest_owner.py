"""A backtest belongs to who asked for it: others look, an admin may end it."""

import pytest
from django.test import Client

from bots.models import Backtest
from bots.roles import Role
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def run() -> Backtest:
    return Backtest.objects.create(
        symbol="DOGEUSDT", lower="0.129", upper="0.145", grids=18, capital=1500, asked_by="ann"
    )


def visitor(name: str, role: Role) -> Client:
    client = Client()
    client.force_login(UserFactory(username=name, role=role))
    return client


@pytest.mark.parametrize(
    ("name", "role", "may"),
    [
        ("ann", Role.TRADER, True),
        ("bob", Role.TRADER, False),
        ("eve", Role.VIEWER, False),
        ("root", Role.ADMIN, True),
    ],
)
def test_only_its_owner_or_an_admin_cancels_a_run(
    run: Backtest, name: str, role: Role, may: bool
) -> None:
    client = visitor(name, role)
    page = client.get(f"/backtests/{run.pk}/")
    assert page.status_code == 200
    assert ('value="cancel"' in page.content.decode()) is may
    answer = client.post(f"/backtests/{run.pk}/change/", {"do": "cancel"})
    assert answer.status_code == (302 if may else 403)
    run.refresh_from_db()
    assert run.state == (Backtest.State.CANCELLED if may else Backtest.State.WAITING)


def test_who_was_a_trader_once_ends_nothing_any_more(run: Backtest) -> None:
    client = visitor("ann", Role.VIEWER)
    assert client.post(f"/backtests/{run.pk}/change/", {"do": "cancel"}).status_code == 403
