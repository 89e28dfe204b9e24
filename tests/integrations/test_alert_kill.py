"""An alert's kill on a simulator: everything is cancelled, once, and the alert says what came."""

import pytest

from bots.outside import tasks
from integrations.bybit.gateway import Gateway
from integrations.models import Alert
from risk import halts
from tests.integrations.test_alerts import apply
from tests.risk.conftest import four, open_ours
from tests.simulator.fixture import RunningSimulator

__all__ = ["four"]  # a fixture of the kill's own tests


def test_an_alert_kills_everything_once(
    four: None, exchange: Gateway, simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "_exchange", exchange)
    assert open_ours(simulator)
    first = apply("kill", "BTCUSDT", details={"comment": "crash"})
    assert first.state == Alert.State.APPLIED
    assert "0 orders open" in first.reason
    assert open_ours(simulator) == []
    halt = halts.killed()
    assert halt is not None
    assert (halt.opened_by, halt.origin) == ("tradingview", "alert alert 0")
    assert halt.reason == "alert alert 0: crash"
    second = apply("kill")
    assert (second.state, "killed already" in second.reason) == (Alert.State.IGNORED, True)
    resumed = apply("resume", "ALL")
    assert resumed.state == Alert.State.IGNORED
    assert halts.killed() is not None, "no alert lifts it"
