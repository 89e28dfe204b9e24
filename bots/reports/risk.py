"""How risk stands: what is at stake, what watches, what stops trading now, and what did before.

One reading for the page and the API. Money and prices are plain decimal texts (quote), shares too
(0.03 is 3 %), times ISO 8601 UTC by the machine's clock unless said otherwise; None where nothing
is known.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from bots.models import Bot
from bots.reports.history import iso
from bots.safety import exposure
from bots.safety.exposure import Stake
from market.types import ZERO, plain
from risk import catalogue, policy
from risk.catalogue import Kind
from risk.models import Guard, GuardEvent, Halt, Policy, Pulse, ShareField

EVENTS, KILLS = 50, 20
MOMENTS = ("committed_at", "sent_at", "first_empty_at", "done_at")
Report = dict[str, Any]
_WORST_FIRST = (Guard.State.TRIPPED, Guard.State.WARNING, Guard.State.CLEAR)


def report() -> Report:
    """Everything that `GET /api/risk` tells."""
    thresholds = policy.current()
    slugs = _slugs()
    kinds = catalogue.told(thresholds)
    return {
        "halts": [halt(row) for row in Halt.objects.filter(lifted_at=None)],
        "guards": guards(kinds, slugs),
        "kinds": [_kind(each) for each in kinds.values()],
        "events": [event(row, slugs) for row in GuardEvent.objects.all()[:EVENTS]],
        "limits": {name: _text(getattr(thresholds, name)) for name in policy.thresholds()},
        "thresholds": limits(thresholds),
        "exposure": exposures(thresholds),
        "kills": kills(drills=False),
        "drills": kills(drills=True),
        "alive": {pulse.name: iso(pulse.at) for pulse in Pulse.objects.all()},
        "stop_losses": stop_losses(),
    }


def guards(kinds: Mapping[str, Kind], slugs: Mapping[str, str]) -> list[Report]:
    """Every guard as it stands, what is tripped first."""
    rows = sorted(Guard.objects.all(), key=lambda row: _WORST_FIRST.index(Guard.State(row.state)))
    return [guard(row, catalogue.kind_of(row.name, kinds), slugs) for row in rows]


def guard(row: Guard, kind: Kind | None, slugs: Mapping[str, str]) -> Report:
    """One guard: `did` is what it did now, `does` what it would do."""
    words = _kind(kind) if kind else dict.fromkeys(("trips", "does", "clears"), "")
    return {"about": _about(row.subject, slugs), **words, **standing(row)}


def standing(row: Guard) -> Report:
    """How a guard stands, in its own words and units."""
    return {
        **_seen(row),
        "unit": row.unit,
        "since": iso(row.since),
        "until": _time(row.until),  # on the market's clock
        "no_buys": row.no_buys,
        "checked_at": iso(row.checked_at),
    }


def event(row: GuardEvent, slugs: Mapping[str, str]) -> Report:
    """One change of a guard's state."""
    return {"at": iso(row.at), "about": _about(row.subject, slugs), **_seen(row)}


def _seen(row: Guard | GuardEvent) -> Report:
    return {
        "name": row.name,
        "subject": row.subject,
        "value": _money(row.value),
        "limit": _money(row.limit),
        "state": row.state,
        "did": row.did,
    }


def limits(thresholds: Policy) -> list[Report]:
    """The policy's thresholds in words, and which way is looser."""
    found = []
    for name in policy.thresholds():
        field = Policy._meta.get_field(name)  # noqa: SLF001 - documented
        found.append(
            {
                "name": name,
                "label": field.verbose_name,
                "help": field.help_text,
                "value": _text(getattr(thresholds, name)),
                "default": _text(field.default),
                "is_share": isinstance(field, ShareField),
                "looser": "smaller" if policy.is_looser_below(name) else "larger",
            }
        )
    return found


def exposures(thresholds: Policy) -> Report:
    """What is at stake of each bot, each pair and the account, beside what may be.

    Counted as the pre-trade gate counts (bots/safety/exposure.py).
    """
    stakes = exposure.stakes()
    pairs: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for stake in stakes:
        pairs[stake.bot.symbol] += stake.used
    return {
        "bots": [_of_bot(stake, thresholds) for stake in stakes],
        "pairs": [
            {"symbol": symbol, **_use(used, thresholds.pair_exposure)}
            for symbol, used in sorted(pairs.items())
        ],
        "total": {
            **_use(sum(pairs.values(), ZERO), thresholds.total_exposure),
            "orders": sum(stake.orders for stake in stakes),
            "orders_limit": thresholds.account_orders,
            "sent_in_a_minute": exposure.sent_lately(thresholds.orders_per_minute),
            "sent_limit": thresholds.orders_per_minute,
        },
    }


def _of_bot(stake: Stake, thresholds: Policy) -> Report:
    return {
        "bot": stake.bot.slug,
        "symbol": stake.bot.symbol,
        **_use(stake.used, stake.cap),
        "held": plain(stake.held),
        "committed": plain(stake.committed),
        "orders": stake.orders,
        "orders_limit": thresholds.bot_orders,
    }


def _use(used: Decimal, limit: Decimal) -> Report:
    share = round(used / limit, 4) if limit else ZERO
    return {"used": plain(used), "limit": plain(limit), "share": plain(share)}


def halt(row: Halt) -> Report:
    """A halt, and how far a kill has come; `ms` are counted from its commit."""
    names = ("id", "subject", "kind", "reason", "opened_by", "origin", "sell", "foreign", "drill",
             "state", "cancelled", "open_orders", "trouble", "lifted_by")  # fmt: skip
    times = ("opened_at", *MOMENTS, "lifted_at")
    return {
        **{name: getattr(row, name) for name in names},
        **{name: _time(getattr(row, name)) for name in times},
        "ms": took(row),
    }


def took(row: Halt) -> dict[str, int | None]:
    """Milliseconds from a kill's commit to each later moment of it."""
    began = row.committed_at or row.opened_at
    return {
        name.removesuffix("_at"): None if at is None else round((at - began).total_seconds() * 1000)
        for name in MOMENTS[1:]
        for at in [getattr(row, name)]
    }


def kills(*, drills: bool) -> Sequence[Report]:
    """The newest kills, or drills, whether they stand or are over."""
    found = Halt.objects.filter(kind=Halt.Kind.KILL, drill=drills).order_by("-id")
    return [halt(row) for row in found[:KILLS]]


def stop_losses() -> list[Report]:
    """Every bot's stop-loss; null is none, and the bot is then held by the equity guard alone."""
    bots = Bot.objects.exclude(config=None).select_related("config")
    return [
        {"bot": bot.slug, "stop_loss": _money(bot.config.stop_loss)}
        for bot in bots
        if bot.config is not None
    ]


def _slugs() -> Mapping[str, str]:
    """The slugs of bots by their subjects."""
    return {bot.subject: bot.slug for bot in Bot.objects.all()}


def _about(subject: str, slugs: Mapping[str, str]) -> str:
    """A subject in words: a bot's slug, a pair's symbol, or "all"."""
    return slugs.get(subject, subject.removeprefix("pair:"))


def _kind(kind: Kind) -> Report:
    return {"name": kind.name, "trips": kind.trips, "does": kind.does, "clears": kind.clears}


def _text(value: Decimal | int) -> str:
    return plain(Decimal(value))


def _money(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)


def _time(at: datetime | None) -> str | None:
    return None if at is None else iso(at)
