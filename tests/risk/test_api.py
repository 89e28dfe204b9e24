"""The kill by the API: what it answers, who may, how trading goes on again, what is to be read."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from bots.api import kill as api_kill
from bots.api import switching
from bots.api.throttling import Bucket, KillThrottle
from bots.models import Bot, CapitalMove
from bots.roles import Role
from bots.safety import killing, rearming
from integrations.bybit.gateway import Gateway
from risk import audit, halts
from risk.models import AuditRow, Halt
from tests.factories import BotFactory, UserFactory, new_token
from tests.risk.conftest import open_ours, rest
from tests.simulator.fixture import RunningSimulator

Caller = Callable[[Role], APIClient]


@pytest.fixture
def caller(db: None, monkeypatch: pytest.MonkeyPatch) -> Caller:
    monkeypatch.setattr(KillThrottle, "kills", Bucket(30))

    def make(role: Role) -> APIClient:
        client = APIClient()
        token = new_token(UserFactory(username=f"the-{role}", role=role))
        client.credentials(HTTP_AUTHORIZATION=f"Token {token}")
        return client

    return make


@pytest.fixture
def linked(exchange: Gateway, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    """The web process's gateway, on the simulator of this test."""
    monkeypatch.setattr(api_kill, "EXCHANGE", exchange)
    monkeypatch.setattr(switching, "EXCHANGE", exchange)
    return exchange


def done(halt_id: int) -> None:
    """As the watchdog would have it after the second look."""
    long_ago = timezone.now() - timedelta(seconds=9)
    Halt.objects.filter(pk=halt_id).update(
        state=Halt.State.DONE,
        committed_at=long_ago,
        first_empty_at=long_ago,
        done_at=timezone.now(),
    )


def test_a_kill_and_the_way_back(
    one: Bot, linked: Gateway, simulator: RunningSimulator, caller: Caller
) -> None:
    resting = len(open_ours(simulator))
    answer = caller(Role.KILLER).post("/api/kill", {"reason": "smoke"}, format="json")
    assert answer.status_code == 200, answer.json()
    found = answer.json()
    assert open_ours(simulator) == []
    assert found["state"] == "VERIFYING"
    assert (found["cancelled"], found["open_orders"]) == (resting, 0)
    assert found["bots"] == ["btc-usdt"]
    assert 0 < found["cancel_ms"] < 10_000
    row = AuditRow.objects.get(what="kill")
    assert (row.who, row.origin, row.reason) == ("the-killer", "API 127.0.0.1", "smoke")

    admin = caller(Role.ADMIN)
    on = {"all": True, "rearm": True, "reason": "the smoke was steam"}
    early = admin.post("/api/resume", on, format="json")
    assert early.status_code == 409
    assert "VERIFYING" in early.json()["error"]["message"]
    done(found["halt_id"])
    resumed = admin.post("/api/resume", on, format="json")
    assert resumed.status_code == 200, resumed.json()
    rest(linked)
    assert len(open_ours(simulator)) == resting, "trading goes on"
    assert AuditRow.objects.get(what="lift").reason == "the smoke was steam"
    assert audit.verify().faults == ()


@pytest.mark.parametrize(
    ("role", "status"),
    [(Role.VIEWER, 403), (Role.TRADER, 403), (Role.KILLER, 200), (Role.ADMIN, 200)],
)
def test_who_kills(
    transactional_db: None, linked: Gateway, caller: Caller, role: Role, status: int
) -> None:
    answer = caller(role).post("/api/kill", {"reason": "test"}, format="json")
    assert answer.status_code == status
    assert Halt.objects.exists() == (status == 200)


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "x", "sel": True}])
def test_a_kill_needs_a_reason_and_nothing_unknown(caller: Caller, body: dict[str, object]) -> None:
    answer = caller(Role.KILLER).post("/api/kill", body, format="json")
    assert answer.status_code == 400
    assert not Halt.objects.exists()


def test_only_an_admin_rearms_and_only_with_a_reason(caller: Caller) -> None:
    Halt.objects.create(subject="all", kind="KILL", state="DONE", reason="x", opened_by="y")
    wish = {"all": True, "rearm": True, "reason": "calm"}
    assert caller(Role.TRADER).post("/api/resume", wish, format="json").status_code == 403
    admin = caller(Role.ADMIN)
    assert admin.post("/api/resume", wish | {"reason": " "}, format="json").status_code == 400
    plain = admin.post("/api/resume", {"all": True}, format="json")
    assert plain.status_code == 409
    assert "rearm" in plain.json()["error"]["message"]
    assert halts.killed() is not None


def test_a_rearm_waits_for_books_that_agree(
    one: Bot, linked: Gateway, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    halt = killing.kill(
        linked, reason="x", by="y", origin="z", enough=killing.seen_empty_within(10)
    )
    done(halt.pk)
    CapitalMove.objects.create(coin="USDT", amount=1, reason="a mistake")
    monkeypatch.setattr(rearming.agreed, "__defaults__", (4.0,))
    wish = {"all": True, "rearm": True, "reason": "calm"}
    answer = caller(Role.ADMIN).post("/api/resume", wish, format="json")
    assert answer.status_code == 409
    assert "balance of USDT" in answer.json()["error"]["message"]
    assert halts.killed() is not None


def test_incomplete_while_the_exchange_is_away(
    transactional_db: None,
    linked: Gateway,
    simulator: RunningSimulator,
    caller: Caller,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(api_kill, "ANSWER_WITHIN_S", 0.5)
    simulator.stop()
    answer = caller(Role.KILLER).post("/api/kill", {"reason": "test"}, format="json")
    assert answer.status_code == 200
    assert answer.json()["state"] == "INCOMPLETE"
    assert halts.killed() is not None, "the halt stands all the same"


def test_the_kill_has_a_budget_of_its_own(
    transactional_db: None, linked: Gateway, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    killer = caller(Role.KILLER)
    monkeypatch.setattr(KillThrottle, "kills", Bucket(3))
    statuses = [
        killer.post("/api/kill", {"reason": "test"}, format="json").status_code for _ in range(4)
    ]
    assert statuses == [200, 200, 200, 429]


def test_what_stands_in_the_way_is_to_be_read(caller: Caller) -> None:
    BotFactory(slug="doge", config__stop_loss=None)
    halts.open_halt("bot:7", reason="look", by="ann")
    viewer = caller(Role.VIEWER)
    found = viewer.get("/api/risk").json()
    assert found["halts"][0]["subject"] == "bot:7"
    assert found["exposure"]["bots"][0]["bot"] == "doge"
    assert found["stop_losses"] == [{"bot": "doge", "stop_loss": None}]
    assert found["limits"]["equity_kill"] == "0.3"
    rows = viewer.get("/api/audit", {"what": "halt"}).json()
    assert [row["who"] for row in rows["results"]] == ["ann"]
    assert Bot.objects.count() == 1
