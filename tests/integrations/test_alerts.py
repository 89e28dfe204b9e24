"""What an alert does: pause and resume within limits, once, never against a halt."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from bots import control
from bots.models import Bot
from bots.outside import alerts, tasks
from integrations.models import Alert, AlertEffect
from integrations.tradingview import inbox
from risk.models import Halt
from tests.factories import BotFactory

State = Alert.State


def alert(action: str, symbol: str = "BTCUSDT", **others: Any) -> Alert:
    now = timezone.now()
    count = Alert.objects.count()
    return Alert.objects.create(
        **{
            "source": "tradingview",
            "name": f"alert {count}",
            "body_hash": "0" * 64,
            "sent_at": now,
            "symbol": symbol,
            "action": action,
            "received_at": now,
            **others,
        }
    )


def apply(action: str, symbol: str = "BTCUSDT", **others: Any) -> Alert:
    """Send one through the task and see what came of it."""
    row = alert(action, symbol, **others)
    tasks.apply_alert(row.pk)
    row.refresh_from_db()
    return row


def rest() -> None:
    """Let every cooldown be over."""
    AlertEffect.objects.update(at=timezone.now() - timedelta(minutes=5))


def test_pause_and_resume(bot: Bot) -> None:
    paused = apply("pause", details={"comment": "RSI high"})
    bot.refresh_from_db()
    assert (paused.state, bot.state) == (State.APPLIED, Bot.State.PAUSED)
    assert bot.reason == "paused by tradingview: alert alert 0: RSI high"
    assert paused.reason == "btc-usdt: pause done"
    assert paused.done_at is not None
    resumed = apply("resume")
    bot.refresh_from_db()
    assert (resumed.state, bot.state) == (State.APPLIED, Bot.State.RUNNING)


def test_stop_buys_is_a_pause_that_says_so_and_allow_buys_lifts_only_that(bot: Bot) -> None:
    apply("stop_buys")
    bot.refresh_from_db()
    assert bot.state == Bot.State.PAUSED
    assert bot.reason.startswith("paused by tradingview: stop_buys")
    assert apply("allow_buys").state == State.APPLIED
    rest()
    control.pause(bot, by="anna")
    refused = apply("allow_buys")
    assert (refused.state, "no stop_buys alert" in refused.reason) == (State.IGNORED, True)
    bot.refresh_from_db()
    assert bot.state == Bot.State.PAUSED


def test_stop_buys_does_not_take_over_a_pause_of_a_person(bot: Bot) -> None:
    control.pause(bot, by="anna")
    assert apply("stop_buys").state == State.IGNORED
    bot.refresh_from_db()
    assert bot.reason == "paused by anna"


@pytest.mark.parametrize("subject", ["all", "the bot"])
@pytest.mark.parametrize("action", ["resume", "allow_buys"])
def test_no_alert_clears_a_halt(bot: Bot, subject: str, action: str) -> None:
    apply("stop_buys")
    halt = Halt.objects.create(
        subject=bot.subject if subject == "the bot" else "all", reason="equity", opened_by="risk"
    )
    ignored = apply(action)
    assert ignored.state == State.IGNORED
    assert "halted: equity; an alert lifts no halt" in ignored.reason
    halt.refresh_from_db()
    bot.refresh_from_db()
    assert (halt.lifted_at, bot.state) == (None, Bot.State.PAUSED)


@pytest.mark.parametrize("action", ["rebalance", "kill"])
def test_what_no_command_is_there_for_is_no_success(
    bot: Bot, action: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "COMMANDS", {})
    monkeypatch.setattr(tasks, "WIDE", {})
    ignored = apply(action)
    assert ignored.state == State.IGNORED
    assert ignored.reason == f"{action} is not available in this version"
    bot.refresh_from_db()
    assert bot.state == Bot.State.RUNNING


def test_only_bots_of_the_symbol_are_concerned_and_all_means_all(bot: Bot) -> None:
    other = BotFactory(slug="eth-usdt", symbol="ETHUSDT")
    stopped = BotFactory(slug="old", state=Bot.State.STOPPED)
    assert apply("pause", "XRPUSDT").reason == "no bot trades XRPUSDT"
    apply("pause", "BTCUSDT")
    other.refresh_from_db()
    assert other.state == Bot.State.RUNNING
    apply("pause", "ALL")
    assert set(Bot.objects.values_list("slug", "state")) == {
        ("btc-usdt", "paused"),
        ("eth-usdt", "paused"),
        ("old", "stopped"),
    }
    assert stopped.slug not in AlertEffect.objects.values_list("bot", flat=True)


def test_letting_trade_cools_down_and_withholding_does_not(bot: Bot) -> None:
    for _ in range(2):
        assert apply("pause").state == State.APPLIED
        last = apply("resume")
    assert last.state == State.IGNORED
    assert "cooldown" in last.reason
    bot.refresh_from_db()
    assert bot.state == Bot.State.PAUSED
    rest()
    assert apply("resume").state == State.APPLIED


def test_an_alert_is_applied_once_however_often_its_task_runs(bot: Bot) -> None:
    row = apply("pause")
    control.resume(bot)
    for _ in range(3):
        tasks.apply_alert(row.pk)
        tasks.apply_alerts()
    bot.refresh_from_db()
    assert bot.state == Bot.State.RUNNING
    assert AlertEffect.objects.count() == 1


def test_nobody_applies_an_alert_after_a_minute(bot: Bot) -> None:
    old = alert("pause", received_at=timezone.now() - inbox.EXPIRES)
    tasks.apply_alert(old.pk)
    tasks.apply_alerts()
    old.refresh_from_db()
    assert (old.state, old.reason) == (State.EXPIRED, "not applied within 60 s")
    bot.refresh_from_db()
    assert bot.state == Bot.State.RUNNING


def test_the_poller_finds_an_alert_whose_nudge_was_lost(bot: Bot) -> None:
    row = alert("pause")
    tasks.apply_alerts()
    row.refresh_from_db()
    assert row.state == State.APPLIED


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("step", ["_begin", "_check", "command", "finish"])
def test_a_worker_that_dies_at_any_step_leaves_one_effect(
    bot: Bot, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object) -> None:
        raise Killed

    row = alert("pause")
    with monkeypatch.context() as patch:
        if step == "finish":
            patch.setattr(inbox, "finish", dies)
        elif step == "command":
            patch.setitem(tasks.COMMANDS, "pause", dies)
        else:
            patch.setattr(alerts, step, dies)
        with pytest.raises(Killed):
            tasks.apply_alert(row.pk)
    tasks.apply_alerts()
    row.refresh_from_db()
    assert row.state == State.CLAIMED, "its claim is still fresh"
    Alert.objects.update(claimed_at=timezone.now() - inbox.CLAIM - timedelta(seconds=1))
    tasks.apply_alerts()
    row.refresh_from_db()
    bot.refresh_from_db()
    assert (row.state, bot.state) == (State.APPLIED, Bot.State.PAUSED)
    assert AlertEffect.objects.count() == 1


def test_a_claim_that_ended_with_its_worker_expires_and_says_so(bot: Bot) -> None:
    past = timezone.now() - timedelta(seconds=90)
    row = alert("pause", state=State.CLAIMED, received_at=past, claimed_at=past)
    tasks.apply_alerts()
    row.refresh_from_db()
    assert row.state == State.EXPIRED
    assert "its worker ended" in row.reason
