"""The pages that show what a change would do: an edit, a rebalance, a pause of all bots."""

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client
from rest_framework.test import APIClient

from bots.models import Backtest, Bot, GridConfig
from bots.roles import Role
from integrations.bybit.gateway import Gateway
from tests.api import test_edit, test_rebalance
from tests.factories import BotFactory, UserFactory
from tests.simulator.fixture import RunningSimulator

one_bot = test_edit.trader
two_bots = test_rebalance.trader

pytestmark = pytest.mark.django_db(transaction=True)


def visitor(role: Role = Role.TRADER) -> Client:
    client = Client()
    user = User.objects.filter(username=f"the-{role}").first()
    client.force_login(user or UserFactory(username=f"the-{role}", role=role))
    return client


def fields(client: Client, **changes: str) -> dict[str, str]:
    """The edit form as the page offers it, with some fields another way."""
    form = client.get("/bots/btc-usdt/edit/").context["form"]
    given = {name: form[name].value() for name in form.fields}
    return {name: value for name, value in given.items() if value not in (None, False)} | changes


def test_an_edit_shows_its_difference_first_and_then_does_it(
    one_bot: APIClient, exchange: Gateway, simulator: RunningSimulator
) -> None:
    client = visitor()
    wish = fields(client, capital="20000")
    shown = client.post("/bots/btc-usdt/edit/", wish | {"step": "card"})
    told = shown.content.decode()
    assert shown.status_code == 200
    assert re.search(r"<td>Capital</td>.*<del>\d+</del>.*<ins>20000</ins>", told)
    assert "6 orders cancelled" in told
    assert "6 orders placed" in told
    assert "6 orders left as they rest" in told
    assert GridConfig.objects.count() == 1, "a look changes nothing"
    same = client.post("/bots/btc-usdt/edit/", fields(client) | {"step": "go"})
    assert same.status_code == 400
    assert "Nothing is different" in same.content.decode()
    done = client.post("/bots/btc-usdt/edit/", wish | {"step": "go"})
    assert done.status_code == 302
    bot = Bot.objects.get()
    assert bot.next_config is not None
    assert (bot.next_config.capital, bot.next_config.created_by) == (20_000, "the-trader")
    assert visitor(Role.VIEWER).get("/bots/btc-usdt/edit/").status_code == 403


def test_a_preset_whose_bot_exists_already_offers_the_next_free_name(one_bot: APIClient) -> None:
    client = visitor()

    def offered(query: str) -> tuple[str, str]:
        form = client.get(f"/bots/new/?{query}").context["form"]
        return form["slug"].value(), form["name"].value()

    assert offered("preset=btc-usdt") == ("btc-usdt-2", "BTC/USDT 2")
    BotFactory(slug="btc-usdt-2")
    assert offered("preset=btc-usdt") == ("btc-usdt-3", "BTC/USDT 3")
    assert offered("preset=mnt-usdt") == ("mnt-usdt", "MNT/USDT")
    run = Backtest.objects.create(
        symbol="BTCUSDT", source="tape", lower=91_000, upper=94_500, grids=12, capital=900
    )
    assert offered(f"backtest={run.pk}") == ("btc-usdt-3", "BTC/USDT 3")


def test_a_rebalance_says_why_it_cannot_be(two_bots: APIClient) -> None:
    client = visitor()
    shown = client.get("/rebalance/")
    assert shown.status_code == 200
    assert re.search("minutes of (DOGE|PEPE)USDT are on record", shown.content.decode())
    assert client.post("/rebalance/").status_code == 409


def test_all_bots_pause_after_one_question(two_bots: APIClient) -> None:
    client = visitor()
    assert "Pause 2 bots?" in client.get("/pause/").content.decode()
    assert client.post("/pause/").status_code == 302
    assert set(Bot.objects.values_list("state", flat=True)) == {Bot.State.PAUSED}
    assert "No bot runs" in client.get("/pause/").content.decode()
    assert visitor(Role.VIEWER).post("/pause/").status_code == 403
