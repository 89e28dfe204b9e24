"""How the targets stand, for the account and for each bot, and where a bot's profit was lost.

They change slowly and cost many queries, so a task works them out now and then and pages read
what it kept. It is kept in the cache: lost, it is worked out again.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.core.cache import cache
from redis.exceptions import RedisError

from bots.models import Bot
from bots.reports import goals, metrics
from market.types import plain

CAUSES: Mapping[str, str] = {
    "gate": "Buys withheld by a guard",
    "paused": "Paused",
    "halted": "Halted",
    "rejected": "Orders refused",
    "latency": "Orders that came late",
    "other": "Other",
}
TENTH = Decimal("0.1")
KEY, KEPT_S = "standing", 3_600
_NOTHING: Mapping[str, Any] = {"bots": [], "account": {"month": None, "latency_ms": None}}
Row = dict[str, Any]


def keep() -> None:
    """Work everything out and keep it for the pages. Raises RedisError while Redis is away."""
    told = metrics.metrics()
    bots = {bot["bot"]: _bot(bot) for bot in told["bots"]}
    cache.set(KEY, {"account": _account(told), "bots": bots}, KEPT_S)


def of_account() -> list[Row]:
    """The five targets over all bots."""
    found: list[Row] = _kept().get("account") or _account(_NOTHING)
    return found


def of_bot(bot: Bot) -> Row:
    """One bot's targets, and its capture with the causes of what is missing."""
    found: Row = _kept().get("bots", {}).get(bot.slug) or _bot({})
    return found


def _kept() -> Row:
    try:
        found: Row = cache.get(KEY) or {}
    except RedisError:
        return {}
    return found


def _account(told: Mapping[str, Any]) -> list[Row]:
    """Means of those bots that have a figure."""
    bots, account = told["bots"], told["account"]
    latency = account["latency_ms"]
    return [
        goals.row("fills_per_day", _mean(bots, "fills_per_day")),
        goals.row("capture", _mean(bots, "capture")),
        goals.row("grid_apr", _mean(bots, "grid_apr")),
        goals.row("month", account["month"]),
        goals.row("latency_p95_ms", latency and latency["p95"], "after the first counter order"),
    ]


def _mean(bots: Sequence[Row], name: str) -> str | None:
    found = [Decimal(bot[name]) for bot in bots if bot.get(name) is not None]
    return plain(round(sum(found) / len(found), 4)) if found else None


def _bot(told: Row) -> Row:
    latency = told.get("latency_ms")
    return {
        "targets": [
            goals.row("fills_per_day", told.get("fills_per_day")),
            goals.row("capture", told.get("capture")),
            goals.row("grid_apr", told.get("grid_apr")),
            goals.row("latency_p95_ms", latency and latency["p95"], "after a counter order"),
        ],
        "capture": _percent(told.get("capture")),
        "causes": _causes(told.get("captured")),
        "total_apr": _percent(told.get("total_apr")),
        "fee_efficiency": _percent(told.get("fee_efficiency")),
        "hold": _percent(told.get("buy_and_hold")),
        "run_days": told.get("run_days"),
    }


def _causes(captured: Row | None) -> Row | None:
    """What the plan would have made, what was made, and what each cause took from it."""
    if not captured:
        return None
    planned = Decimal(captured["planned"])
    missed = {name: Decimal(amount) for name, amount in captured["missed"].items()}
    most = max([abs(amount) for amount in missed.values()], default=Decimal(0)) or Decimal(1)
    return {
        "planned": captured["planned"],
        "realised": captured["realised"],
        "rows": [
            {
                "cause": CAUSES.get(name, name.capitalize()),
                "missed": plain(-amount),
                "share": plain(round(100 * amount / planned, 1)) if planned > 0 else None,
                "bar": max(0, round(100 * amount / most)),
            }
            for name, amount in missed.items()
        ],
    }


def _percent(share: str | None) -> str | None:
    return None if share is None else plain((Decimal(share) * 100).quantize(TENTH))
