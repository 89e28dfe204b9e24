"""A drill: a kill in earnest that is measured, reported, and lifted; and never a real kill."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import LazySettings

from bots.models import Bot, CapitalMove
from bots.reports import risk as reading
from bots.safety import course, drill, rearming
from integrations.bybit.gateway import Gateway
from risk import audit, halts
from risk.models import AuditRow, Halt
from tests.risk.conftest import open_ours, rest
from tests.simulator.fixture import RunningSimulator


@pytest.fixture
def folder(tmp_path: Path, settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of its own; the second look comes soon."""
    settings.DATA_DIR = tmp_path
    monkeypatch.setattr(course, "SECOND_LOOK", timedelta(milliseconds=300))
    return tmp_path


def held(exchange: Gateway) -> drill.Report:
    return drill.run(exchange, reason="monthly", by="ann", origin="pytest")


def test_a_drill_is_measured_reported_and_lifted(
    one: Bot, simulator: RunningSimulator, exchange: Gateway, folder: Path
) -> None:
    resting = len(open_ours(simulator))
    found = held(exchange)
    assert (found.state, found.resting, found.cancelled) == ("DONE", resting, resting)
    moments = [found.ms[name] for name in drill.PROMISED]
    assert moments == sorted(moments)
    assert found.last_marked_ms is not None
    assert found.last_marked_ms < 0, "nothing is marked as sent after the commit"
    assert found.lifted.startswith("trading goes on")
    assert halts.killed() is None
    (path,) = (folder / "drills").iterdir()
    assert json.loads(path.read_text())["ms"] == found.ms
    acts = list(AuditRow.objects.order_by("number").values_list("what", flat=True))
    assert acts[-3:] == ["drill", "lift", "drill report"]
    assert audit.verify().faults == ()
    (row,) = reading.kills(drills=True)
    assert (row["reason"], row["state"], row["cancelled"]) == ("monthly", "DONE", resting)
    rest(exchange)
    assert len(open_ours(simulator)) == resting, "trading went on"


def test_a_promise_that_was_not_kept_is_said(
    one: Bot, exchange: Gateway, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(drill.PROMISED, "first_seen_empty", 1)
    found = held(exchange)
    assert not found.is_good
    assert any(words.startswith("first_seen_empty after ") for words in found.broken)


def test_no_drill_while_a_halt_stands_for_it_would_be_lifted(
    one: Bot, simulator: RunningSimulator, exchange: Gateway, folder: Path
) -> None:
    halts.open_halt(halts.ALL, reason="look first", by="bob")
    with pytest.raises(halts.NotPossible, match="look first"):
        held(exchange)
    halt = Halt.objects.get()
    assert (halt.kind, halt.lifted_at) == ("HALT", None)
    assert open_ours(simulator), "nothing was done"


def test_a_kill_during_a_drill_stays(
    one: Bot, exchange: Gateway, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = rearming.rearm

    def interrupted(*args: object, **options: object) -> None:
        halts.arm(reason="smoke", by="bob")
        Halt.objects.update(state="DONE")
        real(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(rearming, "rearm", interrupted)
    found = held(exchange)
    assert "bob killed: smoke" in found.lifted
    halt = halts.killed()
    assert halt is not None
    assert (halt.drill, halt.opened_by) == (False, "bob")
    assert reading.kills(drills=False)[0]["reason"] == "smoke"


def test_books_that_differ_leave_the_drill_standing(
    one: Bot, exchange: Gateway, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    CapitalMove.objects.create(coin="USDT", amount=1, reason="a mistake")
    monkeypatch.setattr(rearming.agreed, "__defaults__", (1.0,))
    found = held(exchange)
    assert "balance of USDT" in found.lifted
    assert halts.killed() is not None
