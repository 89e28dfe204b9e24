"""The page about the webhook, the Pine scripts, and the admin's lists."""

import json
import re
from datetime import UTC, datetime
from html import unescape

import pytest
from django.test import Client

from bots.models import Bot
from bots.outside.views import PINE
from bots.roles import Role
from integrations.models import Alert, LegacyTrade, Parcel
from integrations.tradingview import message
from tests.factories import UserFactory
from tests.integrations.conftest import SECRET, Send


@pytest.fixture
def trader(db: None) -> Client:
    client = Client()
    client.force_login(UserFactory(username="tom", role=Role.TRADER))
    return client


def code(html: str, name: str) -> str:
    found = re.search(rf'<code id="{name}">(.*?)</code>', html, re.DOTALL)
    assert found is not None
    return unescape(found[1])


def test_the_page_shows_url_and_messages_that_the_door_takes(
    trader: Client, bot: Bot, send: Send
) -> None:
    html = trader.get("/webhook/").content.decode()
    assert SECRET not in html
    assert code(html, "webhook-url") == "http://testserver/api/tv-alert"
    for name, action in (("alert-message", "pause"), ("strategy-message", "stop_buys")):
        text = code(html, name)
        assert "YOUR SECRET" in text
        filled = (
            text.replace("{{ticker}}", "BTCUSDT")
            .replace("{{interval}}", "5")
            .replace("{{timenow}}", "2026-01-31T12:00:00Z")
            .replace("{{strategy.order.alert_message}}", action)
        )
        told = message.read(message.parse(filled.encode()))
        assert (told.symbol, told.action, told.source) == ("BTCUSDT", action, "tom")


def test_every_alert_and_what_came_of_it_is_listed(trader: Client, bot: Bot, send: Send) -> None:
    send(action="kill")
    Alert.objects.update(state=Alert.State.IGNORED, reason="<b>not</b> done")
    html = trader.get("/webhook/").content.decode()
    assert "&lt;b&gt;not&lt;/b&gt; done" in html
    assert "Ignored" in html


@pytest.mark.parametrize(("role", "status"), [(Role.VIEWER, 403), (Role.KILLER, 403)])
def test_the_page_is_for_those_who_steer(db: None, role: Role, status: int) -> None:
    client = Client()
    assert client.get("/webhook/").status_code == 302
    client.force_login(UserFactory(role=role))
    assert client.get("/webhook/").status_code == status


def test_pine_scripts_send_exactly_our_message(bot: Bot, send: Send) -> None:
    """What the scripts put together, with their variables filled in, is a message of ours."""
    indicator = (PINE / "gridtrader_indicator.pine").read_text(encoding="utf-8")
    (line,) = (row for row in indicator.splitlines() if row.strip().startswith("'{"))
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    values = {
        "secret": SECRET, "id": "BTCUSDT-5-x-pause", "now": now,
        "syminfo.ticker": "BTCUSDT", "action": "stop_buys", "source": "tom", "comment": "why",
    }  # fmt: skip
    pieces = re.findall(r"'([^']*)'|([\w.]+)", line)
    text = "".join(literal or values[name] for literal, name in pieces)
    assert send(text.encode()).status_code == 202, "the very text is taken by the door"
    told = message.read(message.parse(text.encode()))
    assert (told.id, told.symbol, told.action) == ("BTCUSDT-5-x-pause", "BTCUSDT", "stop_buys")
    strategy = (PINE / "gridtrader_strategy.pine").read_text(encoding="utf-8")
    (line,) = (row for row in strategy.splitlines() if row.startswith("//   {"))
    assert set(json.loads(line.removeprefix("//   "))) == {*message._WANTED, "price"}
    for script, pattern in ((indicator, r'options = \["(.*?)", "(.*?)"\]'),):
        assert set(re.findall(pattern, script)[0]) <= set(message.ACTIONS)
    assert set(re.findall(r'alert_message = "(\w+)"', strategy)) <= set(message.ACTIONS)
    assert indicator.startswith("//@version=5\n")
    assert strategy.startswith("//@version=5\n")


def test_the_admin_reads_and_changes_nothing(bot: Bot, send: Send) -> None:
    send()
    Parcel.objects.create(
        lane="notion", key="trip:1", payload={}, created_at="2026-01-01T00:00Z",
        due_at="2026-01-01T00:00Z",
    )  # fmt: skip
    LegacyTrade.objects.create(page="p", title="old trade", price="1.5")
    client = Client()
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    for model, row in (
        ("alert", Alert.objects.get()),
        ("parcel", Parcel.objects.get()),
        ("legacytrade", LegacyTrade.objects.get()),
    ):
        address = f"/admin/integrations/{model}/"
        assert client.get(address).status_code == 200
        assert client.get(f"{address}{row.pk}/change/").status_code == 200
        assert client.get(f"{address}add/").status_code == 403
        assert client.post(f"{address}{row.pk}/delete/", {"post": "yes"}).status_code == 403


def test_legacy_trades_are_shown_beside_ours_once_there_are_some(trader: Client, bot: Bot) -> None:
    assert "Legacy trades" not in trader.get("/orders/").content.decode()
    LegacyTrade.objects.create(
        page="p1", title="<b>old</b> trade", symbol="XRPUSDT", side="Sell", price="1.5",
        quantity="1250.75", profit="-0.25", traded_at="2024-05-06T00:00:00Z",
    )  # fmt: skip
    LegacyTrade.objects.create(page="p2", title="=cmd()")
    assert "?tab=legacy" in trader.get("/orders/").content.decode()
    html = trader.get("/orders/?tab=legacy").content.decode()
    assert "&lt;b&gt;old&lt;/b&gt; trade" in html
    assert all(text in html for text in ("XRPUSDT", "1.5", "Legacy trades"))
    answer = trader.get("/orders/export.csv?tab=legacy")
    lines = b"".join(answer).decode().splitlines()
    assert lines == [
        "time,title,symbol,side,price,quantity,fee,profit",
        ",'=cmd(),,,,,,",
        "2024-05-06T00:00:00.000Z,<b>old</b> trade,XRPUSDT,Sell,1.5,1250.75,,-0.25",
    ]
