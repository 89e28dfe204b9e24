"""The targets, measured: fills a day, capture, APR, month, latency, drawdown, fee efficiency.

Everything is counted on the exchange's clock, so figures are true at any speed of a paper tape;
only latency runs on the machine's. Shares and rates are plain texts (0.85 is 85 %), None where
there is too little to say.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery, Sum

from bots.backtest.replay import replay
from bots.grid import accounting
from bots.models import Bot, Cell, Fill, RoundTrip
from bots.terms import plan_of
from market import series
from market.models import Instrument, MoneyField, Price
from market.types import ONE, ZERO, milliseconds, plain
from risk.models import EquityPoint, LatencySample

Metrics = dict[str, Any]

DAY, MONTH, YEAR = timedelta(days=1), timedelta(days=30), timedelta(days=365)
SHOWN_AFTER = DAY  # a rate from less run time is noise
MOST_BARS = 31 * 24 * 60  # of the replay that capture is measured against
LATENCIES = 1_000  # the newest samples that percentiles are taken of
ACCOUNT = "all"
_SHARE = Decimal("0.0001")

# The goals, each from its least to its greatest good value.
BANDS: Mapping[str, tuple[str | None, str | None]] = {
    "fills_per_day": ("8", "15"),
    "capture": ("0.85", None),
    "grid_apr": ("0.8", "1.2"),
    "month": ("0.03", "0.05"),
    "latency_p95_ms": (None, "500"),
}


def metrics() -> Metrics:
    """All bots, the account, and the bands of the targets."""
    bots = list(Bot.objects.exclude(deployed_at=None).select_related("config"))
    return {
        "bands": {name: {"least": least, "most": most} for name, (least, most) in BANDS.items()},
        "account": {"month": month(), "drawdown": drawdown(), "latency_ms": latency()},
        "bots": [of_bot(bot) for bot in bots],
    }


def of_bot(bot: Bot) -> Metrics:
    """One bot's figures since it was deployed."""
    config, price = bot.config, Price.objects.filter(symbol=bot.symbol).first()
    if config is None or price is None or bot.deployed_at is None:
        return {"bot": bot.slug}
    ran = price.time - bot.deployed_at
    trips = RoundTrip.objects.filter(bot=bot)
    earned = trips.aggregate(grid=Sum("grid_profit"), inventory=Sum("inventory_pnl"))
    grid_profit, inventory = earned["grid"] or ZERO, earned["inventory"] or ZERO
    cells = [*config.cells.all()]
    total = grid_profit + inventory + accounting.standing(cells, price.last).floating
    return {
        "bot": bot.slug,
        "run_days": _rounded(Decimal(ran.total_seconds()) / 86_400),
        **_fills(bot, price.time, ran),
        "grid_apr": _yearly(grid_profit, config.capital, ran),
        "total_apr": _yearly(total, config.capital, ran),
        "fee_efficiency": _share(grid_profit, _gross(trips)),
        "capture": capture(bot, price.time, grid_profit),
        "buy_and_hold": _hold(bot, price),
        "latency_ms": latency(bot.subject),
    }


def _fills(bot: Bot, now: datetime, ran: timedelta) -> Metrics:
    """Orders filled: over the last full 24 h, and a day on average since deploy."""
    counted = Fill.objects.filter(bot=bot).aggregate(
        all=Count("order", distinct=True),
        day=Count("order", distinct=True, filter=Q(time__gt=now - DAY)),
    )
    if ran < SHOWN_AFTER:
        return {"fills_24h": None, "fills_per_day": None, "fills": counted["all"]}
    a_day = Decimal(counted["all"]) * Decimal(DAY / ran)
    return {
        "fills_24h": counted["day"],
        "fills_per_day": _rounded(a_day, Decimal("0.1")),
        "fills": counted["all"],
    }


def _yearly(profit: Decimal, capital: Decimal, ran: timedelta) -> str | None:
    """Profit / capital x 365 days / run time, simple; hidden before a day of run time."""
    if ran < SHOWN_AFTER:
        return None
    return _rounded(profit / capital * Decimal(YEAR / ran))


def _gross(trips: QuerySet[RoundTrip]) -> Decimal:
    """What the round trips would have earned without fees: bought x (high - low)."""
    cell = Cell.objects.filter(config=OuterRef("config"), index=OuterRef("cell"))
    steps = cell.annotate(step=F("high") - F("low")).values("step")
    gross = trips.annotate(step=Subquery(steps, output_field=MoneyField())).aggregate(
        gross=Sum(F("bought") * F("step"), output_field=MoneyField())
    )["gross"]
    return gross or ZERO


def capture(bot: Bot, now: datetime, grid_profit: Decimal) -> str | None:
    """Realised grid profit / that of the same plan replayed on the recorded minutes.

    The replay has no latency, no refusals and no pauses. None before a day has run, while the
    record has nothing to replay, and after an edit: no one plan stands for several.
    """
    deployed, config = bot.deployed_at, bot.config
    if deployed is None or config is None or config.version > 1:
        return None
    if now - deployed < SHOWN_AFTER:
        return None
    bars = series.read(bot.symbol, "1", milliseconds(now), MOST_BARS, milliseconds(deployed))
    if not bars:
        return None
    pair = Instrument.objects.get(symbol=bot.symbol).to_domain()
    return _share(grid_profit, replay(plan_of(config, pair), bars).grid_profit)


def _hold(bot: Bot, price: Price) -> str | None:
    """What the same capital in coins, bought at the deployment, would have made, as a share."""
    if bot.deployed_at is None:
        return None
    bars = series.read(bot.symbol, "1", milliseconds(bot.deployed_at), 1)
    return _rounded(price.last / bars[0].close - ONE) if bars else None


def month() -> str | None:
    """Change of the account's worth over the last 30 days, or since it is recorded, as a share."""
    points = EquityPoint.objects.filter(subject=ACCOUNT)
    newest = points.order_by("-time").first()
    if newest is None:
        return None
    oldest = points.filter(time__gte=newest.time - MONTH).order_by("time").first()
    if oldest is None or newest.time - oldest.time < SHOWN_AFTER or not oldest.equity:
        return None
    return _rounded(newest.equity / oldest.equity - ONE)


def drawdown() -> Metrics | None:
    """How far the account's worth is below its high, and the furthest it was, as shares."""
    high = worst = now = ZERO
    points = EquityPoint.objects.filter(subject=ACCOUNT).order_by("time")
    for equity in points.values_list("equity", flat=True).iterator():
        high = max(high, equity)
        now = ONE - equity / high if high else ZERO
        worst = max(worst, now)
    return {"now": _rounded(now), "worst": _rounded(worst)} if high else None


def latency(subject: str | None = None) -> Metrics | None:
    """Percentiles, ms, from a fill's arrival to the acknowledgement of its counter order."""
    samples = LatencySample.objects.all()
    if subject is not None:
        samples = samples.filter(subject=subject)
    found = sorted(samples.order_by("-time").values_list("decision_ms", flat=True)[:LATENCIES])
    if not found:
        return None
    return {
        "p50": round(_percentile(found, 50), 1),
        "p95": round(_percentile(found, 95), 1),
        "p99": round(_percentile(found, 99), 1),
        "samples": len(found),
    }


def _percentile(ordered: Sequence[float], percent: int) -> float:
    """The nearest rank."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def _share(part: Decimal, whole: Decimal) -> str | None:
    return _rounded(part / whole) if whole > 0 else None


def _rounded(number: Decimal, step: Decimal = _SHARE) -> str:
    return plain(number.quantize(step, ROUND_HALF_EVEN))
