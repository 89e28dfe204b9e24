"""The kill switch's page: nothing without its words, and a halt that holds with them."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from bots import roles
from bots.books import ledger
from integrations.bybit.gateway import Gateway
from risk import halts
from tests.simulator.fixture import RunningSimulator


@pytest.mark.django_db(transaction=True)
def test_the_words_are_needed_and_then_it_holds(
    exchange: Gateway, simulator: RunningSimulator
) -> None:
    simulator.step({"BTCUSDT": "97000"})
    ledger.open_books(exchange)
    roles.ensure_groups()
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    assert b"KILL ALL" in client.get("/kill/").content
    assert client.post("/kill/", {"word": "kill all"}).status_code == 400
    assert halts.killed() is None
    answer = client.post("/kill/", {"word": "KILL ALL", "reason": "drill"}, follow=True)
    halt = halts.killed()
    assert halt is not None
    assert (halt.reason, halt.opened_by, halt.sell) == ("drill", "boss", False)
    assert b"Everything is stopped" in answer.content
