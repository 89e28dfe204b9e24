"""The targets, measured: fills a day, capture, APR, month, latency, drawdown, fee efficiency.

Everything is counted on the exchange's clock, so figures are true at any speed of a paper tape;
only latency runs on the machine's. Shares and rates are plain texts (0.85 is 85 %), None where
there is too little to say.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from django.db.models import F, Sum

from bots.books import ledger
from bots.books.capture import CAUSES
from bots.grid import accounting
from bots.models import Bot, Capture, Spell
from bots.reports import earned, worths
from market import series
from market.models import Price
from market.types import ONE, ZERO, milliseconds, plain
from risk.models import LatencySample

Metrics = dict[str, Any]

DAY, YEAR = timedelta(days=1), timedelta(days=365)
SHOWN_AFTER = DAY  # a rate from less run time is noise
LATENCIES = 1_000  # the newest samples that percentiles are taken of
_SHARE = Decimal("0.0001")
_CENT = Decimal("0.01")

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
        "account": {
            **_worth(None),
            "latency_ms": latency(),
        },
        "bots": [of_bot(bot) for bot in bots],
    }


def of_bot(bot: Bot) -> Metrics:
    """One bot's figures since it was deployed, all versions of its grid together."""
    config, price = bot.config, Price.objects.filter(symbol=bot.symbol).first()
    if config is None or price is None or bot.deployed_at is None:
        return {"bot": bot.slug}
    ran = price.time - bot.deployed_at
    got = earned.of([bot])[bot.pk]
    total = got.realised + accounting.standing(config.cells.all(), price.last).floating
    capital = capital_at_work(bot, price.time)
    return {
        "bot": bot.slug,
        "run_days": _rounded(Decimal(ran.total_seconds()) / 86_400),
        "fills": got.fills,
        "fills_24h": got.fills_24h,
        "fills_per_day": _a_day(got.fills, ran),
        "round_trips": got.round_trips,
        "grid_profit": plain(got.grid_profit),
        "total": plain(total),
        "capital_at_work": None if capital is None else _rounded(capital, _CENT),
        "grid_apr": _yearly(got.grid_profit, capital, ran),
        "total_apr": _yearly(total, capital, ran),
        "fee_efficiency": _share(got.grid_profit, got.gross),
        **_captured(bot, ran),
        "buy_and_hold": _hold(bot, price),
        **{name: told for name, told in _worth(bot).items() if name != "month"},
        "latency_ms": latency(bot.subject),
    }


def _a_day(fills: int, ran: timedelta) -> str | None:
    """Orders filled a day, on average since deploy."""
    if ran < SHOWN_AFTER:
        return None
    return _rounded(Decimal(fills) * Decimal(DAY / ran), Decimal("0.1"))


def capital_at_work(bot: Bot, now: datetime) -> Decimal | None:
    """The capital that the bot had, each amount weighted with how long; None before it began."""
    given = ledger.flows(bot)
    if not given or now <= given[0].at:
        return None
    lasted = sum((flow.amount * Decimal((now - flow.at).total_seconds()) for flow in given), ZERO)
    return lasted / Decimal((now - given[0].at).total_seconds())


def _yearly(profit: Decimal, capital: Decimal | None, ran: timedelta) -> str | None:
    """Profit / capital x 365 days / run time, simple; hidden before a day of run time."""
    if ran < SHOWN_AFTER or not capital:
        return None
    return _rounded(profit / capital * Decimal(YEAR / ran))


def _captured(bot: Bot, ran: timedelta) -> Metrics:
    """Realised grid profit / the plan's, and the causes of what is missing (books/capture.py).

    None before a day has run, and while nothing was replayed.
    """
    found = Capture.objects.filter(bot=bot).first()
    if found is None or ran < SHOWN_AFTER:
        return {"capture": None, "captured": None}
    return {
        "capture": _share(found.realised, found.planned),
        "captured": {
            "until": found.until,
            "planned": plain(found.planned),
            "realised": plain(found.realised),
            "missed": {name: plain(getattr(found, name)) for name in CAUSES},
            "time": _times(bot),
        },
    }


def _times(bot: Bot) -> Mapping[str, str]:
    """The share of its time that the bot was held back, by cause."""
    lasted = Spell.objects.filter(bot=bot).order_by().values("kind").annotate(
        lasted=Sum(F("until") - F("since"))
    )  # fmt: skip
    found = {row["kind"]: row["lasted"] for row in lasted}
    whole = sum(found.values(), timedelta())
    return {kind: _rounded(Decimal(time / whole)) for kind, time in found.items()} if whole else {}


def _hold(bot: Bot, price: Price) -> str | None:
    """What the same capital in coins, bought at the deployment, would have made, as a share."""
    if bot.deployed_at is None:
        return None
    bars = series.read(bot.symbol, "1", milliseconds(bot.deployed_at), 1)
    return _rounded(price.last / bars[0].close - ONE) if bars else None


def _worth(bot: Bot | None) -> Metrics:
    """The last 30 days and the drawdown, of a bot or of the account."""
    month, fall = worths.month(bot), worths.drawdown(bot)
    return {
        "month": None if month is None or month.share is None else _rounded(month.share),
        "month_profit": None if month is None else _rounded(month.profit, _CENT),
        "drawdown": fall and {"now": _rounded(fall.now), "worst": _rounded(fall.worst)},
    }


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
