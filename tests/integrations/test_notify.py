"""Notifications by the real library to servers on this machine: levels, bursts, faults, deaths."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import apprise
import pytest
from django.utils import timezone
from pytest_django import Settings

from bots.models import Bot, GridConfig
from bots.outside import goals, journals, tasks
from gridtrader.env import Secret
from integrations import outbox
from integrations.models import Alert, Lane, Mark, Parcel
from integrations.notify import addresses, channels
from integrations.notify.addresses import BadAddress
from integrations.notify.channels import announce
from integrations.outbox import Level
from market.models import Price
from risk import pulse
from risk.models import Guard, GuardEvent, Halt, Pulse


class Post:
    """A server that takes messages, or refuses them while `status` says so."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.status = 200
        # Told "before", "taken", "answered"; if it says that the sender is dead, nothing is taken.
        self.watch: Callable[[str], bool] = lambda _: False
        post = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if post.watch("before"):
                    return
                if post.status == 200:
                    post.messages.append(body)
                    post.watch("taken")
                self.send_response(post.status)
                self.send_header("Content-Length", "0")
                self.end_headers()
                post.watch("answered")

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, path: str) -> str:
        return f"json://127.0.0.1:{self.server.server_port}/{path}"

    @property
    def titles(self) -> list[str]:
        return [message["title"] or message["message"] for message in self.messages]


@pytest.fixture
def post() -> Iterator[Post]:
    post = Post()
    yield post
    post.server.shutdown()
    post.server.server_close()


@pytest.fixture
def phone(db: None, post: Post, settings: Settings) -> str:
    """One channel that hears everything; answers its lane."""
    settings.NOTIFY_URLS = [Secret(post.url("canary-notify-token-1"))]
    (channel,) = channels.channels()
    return channel.lane


def rest() -> None:
    """Let waits and leases be over."""
    past = timezone.now() - timedelta(hours=2)
    Lane.objects.exclude(not_before=None).update(not_before=past)
    Lane.objects.exclude(lease_until=None).update(lease_until=past)
    Parcel.objects.filter(processed_at=None).update(due_at=past)


def test_a_message_goes_out_once(phone: str, post: Post) -> None:
    for _ in range(3):
        announce("k", Level.WARNING, "No price comes in", "since 12:00")
        tasks.send_notifications()
    (message,) = post.messages
    parcel = Parcel.objects.get()
    assert message["title"] == f"No price comes in [#{parcel.pk}]"
    assert (message["message"], message["type"]) == ("since 12:00", "warning")
    assert parcel.processed_at is not None


def test_each_channel_hears_from_its_level_on(db: None, post: Post, settings: Settings) -> None:
    settings.NOTIFY_URLS = [
        Secret(post.url("all")),
        Secret("warning=" + post.url("some")),
        Secret("critical=" + post.url("few")),
    ]
    announce("a", Level.INFO, "information")
    announce("b", Level.CRITICAL, "danger")
    assert Parcel.objects.filter(key="a").count() == 1
    assert Parcel.objects.filter(key="b").count() == 3


def test_one_channel_in_trouble_does_not_hold_up_the_others(
    db: None, post: Post, settings: Settings
) -> None:
    settings.NOTIFY_URLS = [Secret("json://127.0.0.1:1/nobody"), Secret(post.url("works"))]
    announce("a", Level.INFO, "one")
    tasks.send_notifications()
    assert len(post.messages) == 1
    waiting = Parcel.objects.get(processed_at=None)
    assert "did not answer" in waiting.trouble
    assert waiting.due_at > timezone.now()


def test_a_burst_becomes_one_message_the_gravest_first(phone: str, post: Post) -> None:
    announce("first", Level.INFO, "first")
    tasks.send_notifications()
    for number in range(5):
        announce(f"{number}", Level.INFO if number else Level.WARNING, f"event {number}", "why")
        tasks.send_notifications()
    assert len(post.messages) == 1, "a channel rests between two messages"
    rest()
    tasks.send_notifications()
    digest = post.messages[1]
    assert digest["title"].startswith("5 messages: event 0")
    assert digest["type"] == "warning"
    assert [f"event {n}" in digest["message"] for n in range(5)] == [True] * 5
    assert not Parcel.objects.filter(processed_at=None).exists()


def test_what_is_critical_does_not_wait(phone: str, post: Post) -> None:
    announce("first", Level.INFO, "first")
    tasks.send_notifications()
    announce("second", Level.INFO, "second")
    announce("third", Level.CRITICAL, "Halt of all bots")
    tasks.send_notifications()
    assert len(post.messages) == 2
    assert post.titles[1].startswith("2 messages: Halt of all bots")
    assert post.messages[1]["type"] == "failure"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
def test_a_refusal_is_repeated_until_it_is_taken(phone: str, post: Post, status: int) -> None:
    announce("a", Level.CRITICAL, "Halt")
    post.status = status
    for _ in range(3):
        tasks.send_notifications()
        rest()
    assert post.messages == []
    assert Parcel.objects.get().attempts == 3
    post.status = 200
    tasks.send_notifications()
    assert len(post.messages) == 1


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("step", ["_begin", "_done", "end_turn"])
def test_a_sender_that_dies_loses_nothing_and_a_repetition_says_so(
    phone: str, post: Post, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object, **__: object) -> None:
        raise Killed

    announce("a", Level.WARNING, "No price comes in")
    with monkeypatch.context() as patch:
        patch.setattr(outbox, step, dies)
        with pytest.raises(Killed):
            tasks.send_notifications()
    tasks.send_notifications()
    assert len(post.messages) == (0 if step == "_begin" else 1), "its lease still runs"
    rest()
    tasks.send_notifications()
    reference = f"[#{Parcel.objects.get().pk}]"
    assert all(reference in title for title in post.titles)
    again = ["perhaps a repetition" in title for title in post.titles]
    assert again == ([False, True] if step == "_done" else [False])


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("nonsense", "address 1 is no URL"),
        ("loud=tgram://token/chat", "accepted: info, warning, critical"),
        ("://x", "address 1 is no URL"),
    ],
)
def test_addresses_that_cannot_be_used(address: str, words: str) -> None:
    with pytest.raises(BadAddress, match=words) as caught:
        addresses.parse([address])
    assert "token" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "tgram://123456789:abcdefghijklmnopqrstuvwxyz0123456789/-1001234",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#alerts",
        "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js",
        "mailtos://user:password@mail.example.org?to=me@example.org&from=bot@example.org",
        "warning=ntfys://ntfy.example.org/grid",
    ],
)
def test_the_usual_services_are_understood(url: str) -> None:
    (channel,) = addresses.parse([url])
    assert apprise.Apprise().add(channel.url)
    assert channel.url not in repr(channel)
    assert len(channel.lane) <= 40


# --- what is announced ---------------------------------------------------------------------------


@pytest.fixture
def begun(phone: str, bot: Bot) -> None:
    """The journals have begun: what happens from now on is news."""
    journals.collect()
    assert not Parcel.objects.exists()


def keys() -> list[str]:
    journals.collect()
    journals.collect()
    return list(Parcel.objects.order_by("id").values_list("key", flat=True))


def test_a_halt_is_told(begun: None, bot: Bot) -> None:
    halt = Halt.objects.create(subject=bot.subject, reason="breaker", opened_by="risk")
    assert keys() == [f"halt:{halt.pk}"]
    assert Parcel.objects.get().payload["title"] == "Halt of BTC/USDT: breaker"
    assert Parcel.objects.get().level == Level.CRITICAL


def test_a_guard_that_trips_is_told(begun: None, bot: Bot) -> None:
    facts = {"name": "equity", "value": 1, "limit": 1, "at": timezone.now(), "did": "an alert"}
    GuardEvent.objects.create(subject="all", state=Guard.State.CLEAR, **facts)
    event = GuardEvent.objects.create(subject="pair:BTCUSDT", state=Guard.State.TRIPPED, **facts)
    assert keys() == [f"guard:{event.pk}"]
    assert Parcel.objects.get().payload["title"] == "equity of BTCUSDT is tripped"


def test_a_stop_is_told(begun: None, bot: Bot) -> None:
    since = timezone.now() + timedelta(seconds=1)
    Bot.objects.update(state=Bot.State.STOPPED, state_since=since, reason="stop-loss")
    assert keys() == [f"stop:{bot.pk}:{since.isoformat()}"]


def test_a_kill_that_an_alert_could_not_do_is_told(begun: None, bot: Bot) -> None:
    now = timezone.now()
    alert = Alert.objects.create(
        source="tradingview", name="x", body_hash="", sent_at=now, symbol="ALL", action="kill",
        received_at=now, done_at=now, state=Alert.State.IGNORED, reason="not available",
    )  # fmt: skip
    assert keys() == [f"alert:{alert.pk}"]


def test_silence_of_the_stream_is_told_and_its_end(begun: None, bot: Bot) -> None:
    then = timezone.now() - timedelta(minutes=2)
    Price.objects.update(received_at=then)
    assert keys() == [f"silence:{then.isoformat()}"]
    Price.objects.update(received_at=timezone.now())
    assert keys()[1:] == [f"end of silence:{then.isoformat()}"]


def test_an_account_s_stream_that_stays_away_is_told_and_its_end(begun: None, bot: Bot) -> None:
    pulse.beat("feed:private")
    assert keys() == []
    then = timezone.now() - timedelta(minutes=2)
    Pulse.objects.update(at=then)
    assert keys() == [f"away:{then.isoformat()}"]
    assert Parcel.objects.get().level == Level.WARNING
    pulse.beat("feed:private")
    assert keys()[1:] == [f"end of away:{then.isoformat()}"]


def test_targets_that_are_missed_are_told_with_the_summary(
    begun: None, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bot ran ten days of the exchange's clock and had no fill."""
    newest = Price.objects.get().time
    Bot.objects.update(deployed_at=newest - timedelta(days=10))
    GridConfig.objects.update(began_at=newest - timedelta(days=10))
    yesterday = (timezone.now() - timedelta(days=1)).date()
    Mark.objects.filter(name="notify:summary").update(seen=yesterday.toordinal())
    today = timezone.now().date().isoformat()
    assert keys() == [f"targets:{today}", f"summary:{today}"]
    told = Parcel.objects.get(key=f"targets:{today}")
    assert told.level == Level.WARNING
    assert "btc-usdt: fills a day 0, target at least 8" in told.payload["text"]
    assert "btc-usdt: grid APR" in told.payload["text"]


def test_a_figure_is_missed_below_its_least_and_latency_above_its_most() -> None:
    bands = {
        "fills_per_day": {"least": "8", "most": "15"}, "capture": {"least": "0.85", "most": None},
        "grid_apr": {"least": "0.8", "most": "1.2"}, "month": {"least": "0.03", "most": "0.05"},
        "latency_p95_ms": {"least": None, "most": "500"},
    }  # fmt: skip
    found = {
        "bands": bands,
        "account": {"month": "0.02", "latency_ms": {"p95": "501"}},
        "bots": [
            {"bot": "a", "fills_per_day": "7.9", "capture": None, "grid_apr": "3"},
            {"bot": "b", "fills_per_day": "20", "capture": "0.84"},
            {"bot": "c"},
        ],
    }
    assert goals.missed(found) == [
        "account: profit of the month 0.02, target at least 0.03",
        "account: order latency (p95, ms) 501, target at most 500",
        "a: fills a day 7.9, target at least 8",
        "b: profit capture 0.84, target at least 0.85",
    ]


def test_the_summary_comes_once_a_day(begun: None, bot: Bot) -> None:
    assert keys() == []
    Mark.objects.filter(name="notify:summary").update(
        seen=(timezone.now() - timedelta(days=1)).date().toordinal()
    )
    today = datetime.now(UTC).date().isoformat()
    assert keys() == [f"summary:{today}"]
    assert "BTC/USDT: Running" in Parcel.objects.get().payload["text"]


def test_a_channel_that_is_added_hears_no_old_stories(
    begun: None, bot: Bot, post: Post, settings: Settings
) -> None:
    Halt.objects.create(subject="all", reason="x", opened_by="y")
    assert len(keys()) == 1
    settings.NOTIFY_URLS = [*settings.NOTIFY_URLS, Secret(post.url("another"))]
    assert len(keys()) == 1
