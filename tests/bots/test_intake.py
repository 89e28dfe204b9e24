"""Which pairs the stream follows: those of all bots, and those that bots look at."""

import pytest

from bots import intake
from bots.intake import Intake
from tests.factories import BotFactory

pytestmark = pytest.mark.django_db


def test_a_pair_is_followed_from_the_moment_that_a_bot_has_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(intake, "PAIRS_PACE_S", 0.0)
    asked: list[list[str]] = []
    reader = Intake(lambda _: None, lambda: None, lambda pairs: asked.append(list(pairs)))
    reader._take(())
    assert asked == []
    BotFactory(symbol="DOGEUSDT", slug="one")
    reader._take(())
    BotFactory(symbol="DOGEUSDT", slug="two")
    reader._take(())
    assert asked == [["DOGEUSDT"]]
    bot = BotFactory(symbol="PEPEUSDT", slug="three")
    assert bot.config is not None
    bot.config.btc_filter, bot.config.reference = True, "MNTUSDT"
    bot.config.save()
    reader._take(())
    assert asked[1:] == [["BTCUSDT", "DOGEUSDT", "MNTUSDT", "PEPEUSDT"]]
    assert intake.bots_by_pair()["DOGEUSDT"] == ["one", "two"]
