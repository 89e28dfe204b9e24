"""The reading of risk: what is at stake, what watches, what stops, and what did before."""

import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.utils import timezone

from bots.reports import risk as reading
from bots.safety import guarding
from bots.safety.stoploss import STOP_LOSS, TRAILING_STOP
from market.types import OrderStatus, Side
from risk import catalogue, halts, policy
from risk.guards import Level, Reading
from risk.models import Halt
from tests.factories import BotFactory, CellFactory, OrderFactory

pytestmark = pytest.mark.django_db(transaction=True)
D = Decimal
ROOT = Path(__file__).resolve().parents[2]


def test_what_is_at_stake_counts_every_state_of_a_buy_at_its_limit() -> None:
    bot = BotFactory(slug="btc", config__capital=D(1_000))
    CellFactory(config=bot.config, held=D("0.01"), cost=D(300), quantity=D("0.01"), low=D(30_000))
    alive = [OrderStatus.NEW, OrderStatus.SENT, OrderStatus.UNKNOWN, OrderStatus.OPEN,
             OrderStatus.PARTIAL, OrderStatus.CANCEL_SENT, OrderStatus.CANCEL_UNKNOWN]  # fmt: skip
    for status in alive:
        OrderFactory(bot=bot, status=status, price=D(50), quantity=D(1))
    OrderFactory(bot=bot, status=OrderStatus.FILLED, price=D(50), quantity=D(1), filled=D(1))
    OrderFactory(bot=bot, status=OrderStatus.CANCELLED, price=D(50), quantity=D(1), filled=D(0))
    OrderFactory(bot=bot, side=Side.SELL, price=D(50), quantity=D(1))
    doge = BotFactory(slug="doge", symbol="DOGEUSDT", config__capital=D(500))
    OrderFactory(bot=doge, price=D("0.1"), quantity=D(1_000))

    found = reading.report()["exposure"]
    btc, other = found["bots"]
    assert (btc["bot"], btc["used"], btc["limit"], btc["share"]) == ("btc", "700", "1000", "0.7")
    assert (btc["held"], btc["committed"], btc["orders"]) == ("300", "400", len(alive) + 1)
    assert (other["used"], other["share"]) == ("100", "0.2")
    assert [(pair["symbol"], pair["used"]) for pair in found["pairs"]] == [
        ("BTCUSDT", "700"), ("DOGEUSDT", "100"),
    ]  # fmt: skip
    assert found["total"]["used"] == "800"
    assert found["total"]["orders"] == len(alive) + 2
    assert found["total"]["sent_in_a_minute"] == len(alive) + 4


def test_a_guard_tells_what_it_did_and_what_follows_and_what_is_tripped_comes_first() -> None:
    bot = BotFactory(slug="btc")
    guarding.note(Reading("clock", "all", D(4), D(1000), "ms", Level.CLEAR))
    guarding.note(
        Reading(
            "volatility", "pair:BTCUSDT", D("0.04"), D("0.03"), "share a minute", Level.TRIPPED,
            "buys withheld", no_buys=True, until=1_700_000_000_000,
        )
    )  # fmt: skip
    guarding.note(Reading("ticks", bot.subject, D(31), D(30), "s", Level.TRIPPED, no_buys=True))
    found = reading.report()
    assert [(g["name"], g["about"], g["state"]) for g in found["guards"]] == [
        ("ticks", "btc", "tripped"),
        ("volatility", "BTCUSDT", "tripped"),
        ("clock", "all", "clear"),
    ]
    wild = found["guards"][1]
    assert (wild["value"], wild["limit"], wild["did"]) == ("0.04", "0.03", "buys withheld")
    assert wild["until"] == "2023-11-14T22:13:20.000Z"
    assert "more than 3 %" in wild["trips"]
    assert wild["clears"].startswith("15 min of market time")
    assert [(e["name"], e["about"], e["state"]) for e in found["events"]] == [
        ("ticks", "btc", "tripped"),
        ("volatility", "BTCUSDT", "tripped"),
    ]


def test_words_follow_the_thresholds() -> None:
    policy.change({"breaker_return": D("0.025"), "breaker_minutes": 20}, by="ann", may_loosen=True,
                  reason="x")  # fmt: skip
    kind = catalogue.told(policy.current())["volatility"]
    assert "more than 2.5 % in a minute" in kind.trips
    assert kind.clears.startswith("20 min")


def test_every_guard_that_the_code_names_is_in_the_catalogue() -> None:
    """A guard without words would stand on the page without an explanation."""
    named = set()
    for path in (
        "risk/guards.py",
        "bots/safety/agreement.py",
        "bots/safety/watching.py",
        "bots/safety/stoploss.py",
    ):
        text = (ROOT / path).read_text(encoding="utf-8")
        named |= set(
            re.findall(r'(?:Reading|silence|overdue|differences)\(\s*"([^"]+)"', text)
            + re.findall(r'_note_silence\(\s*"([^"]+)"', text)
        )
    named |= {STOP_LOSS, TRAILING_STOP, "BTC gate"}  # named by a constant, and after a coin
    assert named == {kind.name for kind in catalogue.KINDS}


def test_limits_say_what_they_are_and_which_way_is_looser() -> None:
    found = {each["name"]: each for each in reading.report()["thresholds"]}
    assert found.keys() == set(policy.thresholds())
    assert found["collar"]["value"] == found["collar"]["default"] == "0.1"
    assert found["collar"]["is_share"]
    assert found["collar"]["looser"] == "larger"
    assert found["breaker_minutes"]["looser"] == "smaller"
    assert all(each["help"] for each in found.values())


def test_kills_of_the_past_tell_how_long_they_took() -> None:
    halt = halts.arm(reason="smoke", by="ann")
    began = timezone.now() - timedelta(minutes=1)
    Halt.objects.update(
        state="DONE",
        committed_at=began,
        sent_at=began + timedelta(milliseconds=300),
        first_empty_at=began + timedelta(milliseconds=700),
        done_at=began + timedelta(milliseconds=6_300),
    )
    halts.lift(halt, by="bob", reason="seen")
    found = reading.report()
    assert found["halts"] == []
    (kill,) = found["kills"]
    assert (kill["reason"], kill["opened_by"], kill["lifted_by"]) == ("smoke", "ann", "bob")
    assert kill["ms"] == {"sent": 300, "first_empty": 700, "done": 6_300}
    assert found["drills"] == []
