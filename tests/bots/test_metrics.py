"""The targets' figures, worked by hand."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from bots.models import Bot, Cell, GridConfig, RoundTrip
from bots.reports import metrics
from market.models import Candle, Instrument, Price
from risk.models import EquityPoint, LatencySample
from tests.grid.examples import BTC

D = Decimal
NOW = datetime(2026, 1, 11, tzinfo=UTC)


@pytest.fixture
def earning(running: Bot) -> Bot:
    """Ten days of run time, 73 earned by the grid in one round trip of cell 2."""
    Bot.objects.update(deployed_at=NOW - timedelta(days=10))
    running.refresh_from_db()
    Instrument.objects.create(
        symbol="BTCUSDT", base="BTC", quote="USDT", tick=BTC.tick, lot=BTC.lot,
        min_notional=BTC.min_notional, max_limit_quantity=BTC.max_limit_quantity,
    )  # fmt: skip
    Price.objects.create(
        symbol="BTCUSDT", last=54000, bid=54000, ask=54000, time=NOW, received_at=timezone.now()
    )
    RoundTrip.objects.create(
        bot=running, config=running.config, cell=2, trip=0, entry=False, bought=D("0.025"),
        sold=D("0.025"), cost=1325, proceeds=1398, grid_profit=73, inventory_pnl=0,
        opened=NOW, closed=NOW,
    )  # fmt: skip
    return running


def minutes(*closes: int, start: datetime) -> None:
    before = closes[0]
    for number, close in enumerate(closes):
        Candle.objects.create(
            symbol="BTCUSDT", interval="1", time=start + timedelta(minutes=number), open=before,
            high=max(before, close), low=min(before, close), close=close, volume=1, turnover=1,
            closed=True,
        )  # fmt: skip
        before = close


def test_apr_is_simple_and_by_run_time(earning: Bot) -> None:
    found = metrics.of_bot(earning)
    assert found["run_days"] == "10"
    assert found["grid_apr"] == "0.1129"  # 73 / 23,610 x 365 / 10
    assert found["fee_efficiency"] == "0.73"  # 73 of 0.025 x 4,000


def test_rates_are_hidden_before_a_day_has_run(earning: Bot) -> None:
    earning.deployed_at = NOW - timedelta(hours=23)
    found = metrics.of_bot(earning)
    assert [found[name] for name in ("grid_apr", "total_apr", "fills_per_day", "capture")] == [
        None, None, None, None
    ]  # fmt: skip


def test_capture_is_measured_against_a_replay_of_the_record(earning: Bot) -> None:
    minutes(54000, 52000, 58000, 54000, start=NOW - timedelta(days=10))
    ideal = D("341.81292098") + D("0")  # the worked cycle of cell 2: 53,000 to 57,000
    RoundTrip.objects.update(grid_profit=ideal / 2)
    found = metrics.capture(earning, NOW, ideal / 2)
    assert found == "0.5"


def test_after_an_edit_profit_is_of_all_versions_and_no_capture_is_claimed(earning: Bot) -> None:
    old = earning.config
    earning.config = GridConfig.objects.create(
        bot=earning, version=2, lower=old.lower, upper=old.upper, grids=5, capital=old.capital
    )
    earning.save()
    minutes(54000, 52000, 58000, 54000, start=NOW - timedelta(days=10))
    found = metrics.of_bot(earning)
    assert (found["grid_apr"], found["capture"]) == ("0.1129", None)


def test_buying_and_holding_is_told_beside_it(earning: Bot) -> None:
    minutes(45000, start=NOW - timedelta(days=10))
    assert metrics.of_bot(earning)["buy_and_hold"] == "0.2"


def test_month_and_drawdown_of_the_account(earning: Bot) -> None:
    for day, equity in enumerate((30000, 34000, 33000, 25500, 33660)):
        EquityPoint.objects.create(subject="all", time=NOW + timedelta(days=day), equity=equity)
    assert metrics.month() == "0.122"
    assert metrics.drawdown() == {"now": "0.01", "worst": "0.25"}


def test_latency_percentiles_are_nearest_ranks(earning: Bot) -> None:
    for number in range(1, 101):
        LatencySample.objects.create(
            client_id=f"c{number}", time=NOW + timedelta(seconds=number), subject=earning.subject,
            decision_ms=number,
        )  # fmt: skip
    assert metrics.latency() == {"p50": 50, "p95": 95, "p99": 99, "samples": 100}
    assert metrics.latency("bot:0") is None


def test_nothing_is_said_about_nothing(db: None) -> None:
    assert metrics.metrics()["bots"] == []
    assert metrics.metrics()["account"] == {"month": None, "drawdown": None, "latency_ms": None}
    assert not Cell.objects.exists()
