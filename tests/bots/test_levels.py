"""The levels of a bot's page: many are folded, each leads to its round trips; candles too."""

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from bots.models import Bot
from bots.reports import history, rungs
from bots.reports.history import Wish
from bots.roles import Role
from tests.factories import (
    BotFactory,
    CellFactory,
    InstrumentFactory,
    PriceFactory,
    RoundTripFactory,
    UserFactory,
)

CELLS = 40


def rows(count: int, here: int | None) -> list[dict[str, Any]]:
    """Levels as the page has them, the highest first; `here` counts from the lowest."""
    found = [{"number": n, "is_last_below": n == here} for n in range(count)]
    return found[::-1]


@pytest.mark.parametrize(
    ("here", "highest", "lowest"),
    [(50, 65, 36), (0, 29, 0), (None, 29, 0), (99, 99, 70), (97, 99, 70)],
)
def test_those_around_the_price_are_shown(here: int | None, highest: int, lowest: int) -> None:
    shown = [row["number"] for row in rungs.near(rows(100, here), 30)]
    assert (shown[0], shown[-1], len(shown)) == (highest, lowest, 30)
    assert here is None or here in shown


def test_few_are_never_folded() -> None:
    assert len(rungs.near(rows(30, 3), 30)) == 30


@pytest.fixture
def wide(db: None) -> Bot:
    """A bot of forty cells, a hundred quote each, with the price in the twentieth."""
    InstrumentFactory()
    PriceFactory(last=Decimal(92_050))
    bot: Bot = BotFactory(slug="wide", config__grids=CELLS, config__lower=90_000)
    for index in range(CELLS):
        low = Decimal(90_000 + 100 * index)
        CellFactory(config=bot.config, index=index, low=low, high=low + 100)
    RoundTripFactory(bot=bot, cell=20)
    RoundTripFactory(bot=bot, cell=21)
    return bot


@pytest.fixture
def client(db: None) -> Client:
    client = Client()
    client.force_login(UserFactory(role=Role.VIEWER))
    return client


def test_the_page_and_its_figure_fold_the_same_levels(wide: Bot, client: Client) -> None:
    page = client.get("/bots/wide/")
    shown = [row["price"] for row in page.context["levels"]]
    assert (len(shown), page.context["folded"]) == (30, 11)
    assert "11 levels far from the price are folded" in page.content.decode()
    figure = client.get("/bots/wide/figures/ladder/").json()
    assert [line["y0"] for line in figure["layout"]["shapes"]] == shown[::-1]
    assert figure["data"][0]["type"] == "scatter"
    low, high = map(Decimal, figure["layout"]["yaxis"]["range"])
    assert (low, high) == (Decimal(shown[-1]) - 50, Decimal(shown[0]) + 50)


def test_all_of_them_on_request_and_candles_too(wide: Bot, client: Client) -> None:
    page = client.get("/bots/wide/?levels=all")
    assert len(page.context["levels"]) == CELLS + 1
    assert "Fold the levels" in page.content.decode()
    figure = client.get("/bots/wide/figures/ladder/?levels=all&as=candles").json()
    assert len(figure["layout"]["shapes"]) == CELLS + 1
    assert figure["data"][0]["type"] == "candlestick"
    assert client.get("/bots/wide/?levels=some").status_code == 404
    assert client.get("/bots/wide/?as=clouds").status_code == 404


def test_a_level_leads_to_the_round_trips_that_sell_there(wide: Bot, client: Client) -> None:
    page = client.get("/bots/wide/").content.decode()
    assert "/orders/?tab=trips&amp;bot=wide&amp;cell=20" in page
    found = client.get("/orders/?tab=trips&bot=wide&cell=20").context["rows"]
    assert [row["cell"] for row in found] == [20]
    file = list(history.lines("trips", Wish(bot="wide", cell=21)))
    assert [line[2] for line in file] == ["cell", "21"]
    assert client.get("/orders/?tab=trips&cell=x").status_code == 404
