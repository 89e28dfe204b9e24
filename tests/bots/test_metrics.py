"""The targets' figures, worked by hand."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.utils import timezone

from bots import control
from bots.models import Booking, Bot, CapitalMove, Cell, GridConfig, RoundTrip
from bots.reports import metrics
from market.models import Candle, Price
from risk.models import EquityPoint, LatencySample

D = Decimal
NOW = datetime(2026, 1, 11, tzinfo=UTC)


@pytest.fixture
def earning(running: Bot) -> Bot:
    """Ten days of run time, 73 earned by the grid in one round trip of cell 2."""
    Bot.objects.update(deployed_at=NOW - timedelta(days=10))
    running.refresh_from_db()
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
    earning.save()
    found = metrics.of_bot(earning)
    assert [found[name] for name in ("grid_apr", "total_apr", "fills_per_day", "capture")] == [
        None, None, None, None
    ]  # fmt: skip


def test_capital_at_work_is_weighted_with_time(earning: Bot) -> None:
    """5 days of 23,610 and 5 of 13,610 are 18,610: 73 / 18,610 x 365 / 10."""
    begun(earning, NOW - timedelta(days=10))
    config = control.edit(earning, {"capital": D(13_610)}, by="tests")
    GridConfig.objects.filter(pk=config.pk).update(began_at=NOW - timedelta(days=5))
    found = metrics.of_bot(earning)
    assert found["capital_at_work"] == "18610"
    assert found["grid_apr"] == "0.1432"


def begun(bot: Bot, at: datetime) -> None:
    """Have the first version have begun then, in the ledger too: a new bot, as it were."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        Booking.objects.update(at=at)
        GridConfig.objects.update(began_at=at)
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")


def test_buying_and_holding_is_told_beside_it(earning: Bot) -> None:
    minutes(45000, start=NOW - timedelta(days=10))
    assert metrics.of_bot(earning)["buy_and_hold"] == "0.2"


def worth(*points: int) -> None:
    for day, equity in enumerate(points):
        EquityPoint.objects.create(subject="all", time=NOW + timedelta(days=day), equity=equity)


def test_month_and_drawdown_of_the_account(earning: Bot) -> None:
    worth(30000, 34000, 33000, 25500, 33660)
    found = metrics.metrics()["account"]
    assert (found["month"], found["month_profit"]) == ("0.122", "3660")
    assert found["drawdown"] == {"now": "0.01", "worst": "0.25"}


def test_a_deposit_is_no_profit_and_a_withdrawal_no_drawdown(earning: Bot) -> None:
    """10,000 come on the second of four days and 4,000 go on the third; 300 are earned.

    300 / (30,000 + 10,000 x 2.5 / 4 - 4,000 x 1.5 / 4) = 0.0086.
    """
    worth(30000, 40100, 40200, 36300, 36300)
    for days, amount in ((1.5, 10_000), (2.5, -4_000)):
        CapitalMove.objects.create(coin="USDT", amount=amount, reason="by hand")
        at_market(NOW + timedelta(days=days), CapitalMove.objects.latest("pk"))
    EquityPoint.objects.filter(time=NOW + timedelta(days=1)).update(equity=30100)
    found = metrics.metrics()["account"]
    assert (found["month"], found["month_profit"]) == ("0.0086", "300")
    assert found["drawdown"] == {"now": "0", "worst": "0"}


def at_market(time: datetime, move: CapitalMove) -> None:
    """Date a booking: it was posted when the market was there."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        Booking.objects.filter(move=move).update(at=time)
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")


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
    assert set(metrics.metrics()["account"].values()) == {None}
    assert not Cell.objects.exists()
