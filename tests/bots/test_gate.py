"""A gate that somebody opened for an hour: buys go on, all else that guards a bot stays."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from bots import control
from bots.models import Bot
from bots.roles import Role
from bots.safety.guarding import BTC_FILTERED, subjects_of
from risk.guard import limits_for
from risk.models import AuditRow, Guard, Halt
from tests.factories import BotFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def pepe() -> Bot:
    """A bot whose gate is closed."""
    bot: Bot = BotFactory(slug="pepe-usdt", name="PEPE/USDT", config__btc_filter=True)
    trip("BTC gate", BTC_FILTERED)
    return bot


def trip(name: str, subject: str) -> None:
    Guard.objects.create(
        name=name, subject=subject, state=Guard.State.TRIPPED, no_buys=True,
        did=f"{name} says no", since=timezone.now(), checked_at=timezone.now(),
    )  # fmt: skip


def why_no_buys(bot: Bot) -> str:
    return limits_for(*subjects_of(bot)).no_buys


def test_an_open_gate_withholds_nothing_for_an_hour(pepe: Bot) -> None:
    assert "BTC gate says no" in why_no_buys(pepe)
    control.open_gate(pepe, by="ann", reason="BTC's fall is over")
    assert why_no_buys(pepe) == ""
    left = Bot.objects.get(pk=pepe.pk).gate_open_until - timezone.now()
    assert timedelta(minutes=59) < left <= timedelta(minutes=60)
    pepe.gate_open_until = timezone.now()
    assert "BTC gate says no" in why_no_buys(pepe), "it ends by itself"
    row = AuditRow.objects.get(what="gate opened")
    assert (row.who, row.subject, row.reason) == ("ann", pepe.subject, "BTC's fall is over")


def test_only_the_gate_is_open(pepe: Bot) -> None:
    control.open_gate(pepe, by="ann", reason="so")
    trip("volatility", f"pair:{pepe.symbol}")
    assert "volatility says no" in why_no_buys(pepe)
    Halt.objects.create(subject=pepe.subject, reason="stop-loss", opened_by="risk")
    assert "stop-loss" in limits_for(*subjects_of(pepe)).no_sells


def test_it_is_closed_for_other_bots(pepe: Bot) -> None:
    other = BotFactory(slug="other", config__btc_filter=True)
    control.open_gate(pepe, by="ann", reason="so")
    assert "BTC gate says no" in why_no_buys(other)


def test_it_is_heeded_again_on_request(pepe: Bot) -> None:
    control.open_gate(pepe, by="ann", reason="so")
    control.heed_gate(pepe, by="ann")
    assert "BTC gate says no" in why_no_buys(pepe)
    with pytest.raises(control.NotPossible, match="heeds its gate already"):
        control.heed_gate(pepe, by="ann")


def test_a_reason_and_a_gate_are_needed(pepe: Bot) -> None:
    with pytest.raises(control.NotPossible, match="say why"):
        control.open_gate(pepe, by="ann", reason="")
    with pytest.raises(control.NotPossible, match="it has no gate"):
        control.open_gate(BotFactory(slug="free"), by="ann", reason="so")
    assert not AuditRow.objects.exists()


def test_an_admin_opens_and_closes_it_on_the_page(pepe: Bot) -> None:
    client = Client()
    client.force_login(UserFactory(role=Role.ADMIN))
    assert "Open the gate…" in client.get("/bots/pepe-usdt/").content.decode()
    refused = client.post("/bots/pepe-usdt/gate/", {"reason": " "})
    assert refused.status_code == 400
    assert "say why" in refused.content.decode()
    assert client.post("/bots/pepe-usdt/gate/", {"reason": "calm now"}).status_code == 302
    page = client.get("/bots/pepe-usdt/").content.decode()
    assert "The gate is open" in page
    assert "Heed the gate again…" in page
    assert client.post("/bots/pepe-usdt/gate/").status_code == 302
    pepe.refresh_from_db()
    assert pepe.gate_open_until is None
