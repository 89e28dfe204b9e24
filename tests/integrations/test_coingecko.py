"""The market's overview, from a double of CoinGecko over real sockets to the page."""

import logging
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import unescape

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from bots.reports.overview import spoken
from bots.roles import Role
from gridtrader.env import Secret
from integrations import tasks
from integrations.coingecko import overview
from integrations.models import Lane, StoredOverview
from market.merge import record_candles
from tests.factories import BotFactory, InstrumentFactory, PriceFactory, UserFactory
from tests.integrations.fake_coingecko import COINS, HOURS, FakeCoinGecko
from tests.market.bars import bars

pytestmark = pytest.mark.django_db
KEY = "canary-coingecko-0123456789abcdef"
D = Decimal


@pytest.fixture
def gecko(settings: Settings) -> Iterator[FakeCoinGecko]:
    with FakeCoinGecko(KEY) as service:
        settings.COINGECKO_BASE_URL = service.url
        yield service


def due() -> None:
    """As if the pause were over."""
    Lane.objects.filter(name=overview.LANE).update(not_before=timezone.now())


def seconds_to_next() -> float:
    state = overview.latest()
    assert state.next_at is not None
    return (state.next_at - timezone.now()).total_seconds()


def test_every_figure_comes_through_to_the_last_digit(gecko: FakeCoinGecko) -> None:
    assert overview.refresh()
    told = overview.latest().overview
    assert told is not None
    assert [coin.symbol for coin in told.coins] == ["BTC", "MNT", "DOGE", "PEPE"]
    for coin, facts in zip(told.coins, COINS.values(), strict=True):
        _, name, price, change, volume, cap = facts
        assert (coin.name, coin.price, coin.change_24h) == (name, D(price), D(change))
        assert (coin.volume_24h, coin.market_cap) == (D(volume), D(cap))
        assert len(coin.week) == HOURS
        assert abs(coin.week[0] / coin.price - 1) < D("1e-9")
        assert coin.updated_at == datetime(2026, 1, 12, 14, 3, 7, 512_000, tzinfo=UTC)
    assert told.market.market_cap == D("3431234567890.12")
    assert told.market.volume_24h == D("121234567890.5")
    assert told.market.change_24h == D("-1.20456")
    assert told.coins[0].dominance == told.market.dominance["BTC"] == D("56.83471")
    assert told.coins[2].dominance == D("35700000000") / D("3431234567890.12") * 100
    assert len(gecko.requests) == 2


def test_it_is_asked_once_in_ten_minutes_and_never_by_who_looks(gecko: FakeCoinGecko) -> None:
    assert overview.refresh()
    assert 590 < seconds_to_next() <= 600
    for _ in range(3):
        tasks.refresh_overview()
        overview.latest()
    assert len(gecko.requests) == 2
    due()
    tasks.refresh_overview()
    assert len(gecko.requests) == 4
    assert StoredOverview.objects.count() == 1


def test_the_key_goes_in_the_header_of_its_kind(gecko: FakeCoinGecko, settings: Settings) -> None:
    settings.COINGECKO_API_KEY = Secret(KEY)
    assert overview.refresh()
    assert {headers.get("x-cg-demo-api-key") for headers in gecko.headers} == {KEY}
    assert not any(KEY in path for path in gecko.requests)


def test_a_wrong_key_is_told_and_shown_nowhere(
    gecko: FakeCoinGecko, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.COINGECKO_API_KEY = Secret("wrong-" + KEY)
    with caplog.at_level(logging.DEBUG):
        assert not overview.refresh()
    state = overview.latest()
    assert "does not know the key of COINGECKO_API_KEY (401)" in state.trouble
    assert 3_500 < seconds_to_next() <= 3_600
    assert KEY not in caplog.text + state.trouble


@pytest.mark.parametrize(
    ("asked", "wait"), [("60", 60), ("119", 119), ("999999999", 6 * 3600), (None, 600), ("x", 600)]
)
def test_a_429_is_obeyed_and_what_was_known_stays(
    gecko: FakeCoinGecko, asked: str | None, wait: int
) -> None:
    assert overview.refresh()
    before = overview.latest().overview
    due()
    gecko.limit(asked)
    assert not overview.refresh()
    assert wait - 5 < seconds_to_next() <= wait
    state = overview.latest()
    assert (state.overview, state.trouble) == (before, "CoinGecko's rate limit is reached")
    assert not overview.refresh()
    assert len(gecko.requests) == 3
    due()
    assert overview.refresh()
    assert overview.latest().trouble == ""


FAULTS: dict[str, tuple[Callable[[FakeCoinGecko], None], str]] = {
    "500": (lambda gecko: gecko.fail(500), "failed with 500"),
    "503 with a wait": (lambda gecko: gecko.fail(503, Retry_After="30"), "failed with 503"),
    "403": (lambda gecko: gecko.fail(403, "<html>"), "forbids"),
    "redirect": (lambda gecko: gecko.fail(302, Location="http://127.0.0.1:9/"), "refuses (302)"),
    "cut": (lambda gecko: gecko.cut(), "not reached"),
    "no JSON": (lambda gecko: gecko.fail(200, "<html>"), "cannot be read"),
    "NaN": (lambda gecko: gecko.fail(200, '[{"id":"bitcoin","x":NaN}]'), "cannot be read"),
    "other shape": (lambda gecko: gecko.fail(200, '{"a": 1}'), "cannot be read"),
    "nothing": (lambda gecko: gecko.fail(200, "[]"), "none of our coins"),
    "endless": (lambda gecko: gecko.fail(200, " " * 3_000_000), "too long"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_failure_is_told_and_what_was_known_stays(gecko: FakeCoinGecko, name: str) -> None:
    assert overview.refresh()
    before = overview.latest().overview
    due()
    happen, told = FAULTS[name]
    happen(gecko)
    assert not overview.refresh()
    state = overview.latest()
    assert state.overview == before
    assert told in state.trouble
    assert seconds_to_next() > 20


@pytest.mark.parametrize("wrong", ["0", "-1", '"98412"', "true", "[]"])
def test_a_price_that_cannot_be_true_is_not_kept(gecko: FakeCoinGecko, wrong: str) -> None:
    price = COINS["bitcoin"][2].encode()
    gecko.change = lambda body: body.replace(
        b'"current_price":' + price, b'"current_price":' + wrong.encode()
    )
    assert not overview.refresh()
    assert overview.latest().overview is None


def test_what_is_not_told_of_a_young_coin_is_left_open(gecko: FakeCoinGecko) -> None:
    gecko.coins["pepe"] = ["pepe", "Pepe", "4.162e-06", "null", "null", "null"]
    del gecko.coins["mantle"]
    assert overview.refresh()
    told = overview.latest().overview
    assert told is not None
    young = told.coins[-1]
    assert [coin.symbol for coin in told.coins] == ["BTC", "DOGE", "PEPE"]
    assert (young.change_24h, young.volume_24h, young.market_cap, young.dominance) == (None,) * 4


def test_nobody_there_is_tried_again_soon(settings: Settings) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        settings.COINGECKO_BASE_URL = f"http://127.0.0.1:{free.getsockname()[1]}"
    assert not overview.refresh()
    assert overview.latest().trouble == "CoinGecko is not reached"
    assert 50 < seconds_to_next() <= 60


def test_a_host_alone_is_completed(gecko: FakeCoinGecko, settings: Settings) -> None:
    settings.COINGECKO_BASE_URL = gecko.url.removesuffix("/api/v3")
    assert overview.refresh()


def test_two_processes_never_ask_at_once(gecko: FakeCoinGecko) -> None:
    overview.refresh()
    Lane.objects.update(not_before=None, lease_until=timezone.now() + timedelta(seconds=30))
    assert not overview.refresh()
    assert len(gecko.requests) == 2


def test_off_asks_nobody(gecko: FakeCoinGecko, settings: Settings) -> None:
    settings.COINGECKO_BASE_URL = ""
    assert not overview.refresh()
    assert gecko.requests == []
    assert not overview.latest().on


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 seconds"), (1, "1 second"), (59, "59 seconds"), (60, "1 minute"), (7199, "1 hour"),
     (7200, "2 hours"), (200_000, "2 days")],
)  # fmt: skip
def test_ages_in_words(seconds: float, words: str) -> None:
    assert spoken(timedelta(seconds=seconds)) == words


@pytest.fixture
def viewer(db: None) -> Client:
    client = Client()
    client.force_login(UserFactory(role=Role.VIEWER))
    return client


def shown(viewer: Client) -> str:
    """The page as it reads."""
    html = unescape(viewer.get("/market/").content.decode())
    return html.replace("\N{NO-BREAK SPACE}", " ")


def test_the_page_shows_coins_their_age_and_our_record(
    gecko: FakeCoinGecko, viewer: Client
) -> None:
    InstrumentFactory()
    PriceFactory()
    BotFactory(slug="btc-usdt", name="BTC/USDT")
    record_candles(bars(range(-10, 0)))
    overview.refresh()
    StoredOverview.objects.update(fetched_at=timezone.now() - timedelta(minutes=3))
    asked = len(gecko.requests)
    html = shown(viewer)
    assert len(gecko.requests) == asked
    for words in (
        "figures are 3 minutes old", "98,412.51<", "0.0₅4162", "1.95 T", "3.43 T",
        "+1.52", "−7.50", "BTC 56.83 %", "ETH 11.71 %", "Bitcoin over 7 days", "BTCUSDT",
        'data-live="bots.btc-usdt.price.last"',
    ):  # fmt: skip
        assert words in html, words
    assert html.count('class="mini week') == 4


def test_stale_figures_are_shown_with_their_age_and_why(
    gecko: FakeCoinGecko, viewer: Client
) -> None:
    overview.refresh()
    StoredOverview.objects.update(fetched_at=timezone.now() - timedelta(minutes=45))
    due()
    gecko.fail(503)
    overview.refresh()
    html = shown(viewer)
    assert "figures are 45 minutes old" in html
    assert "CoinGecko failed with 503." in html
    assert 'data-level="warn"' in html
    assert "98,412.51" in html


def test_the_page_without_coingecko_says_so(viewer: Client, settings: Settings) -> None:
    assert "CoinGecko is not asked." in shown(viewer)
    settings.COINGECKO_BASE_URL = "http://127.0.0.1:9"
    assert "has told nothing yet" in shown(viewer)
    assert Client().get("/market/").status_code == 302
