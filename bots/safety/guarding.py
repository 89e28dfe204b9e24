"""The guards at work: bots' state read for risk's pure rules, and what follows from them."""

import logging
from decimal import Decimal

from django.db import transaction
from django.utils import timezone

from bots.books import facts
from bots.models import Bot
from bots.terms import BTC, references_of
from integrations.bybit.session import FAILURES, Outcome, Told
from market.types import moment
from risk import audit, halts
from risk.calls import Tally
from risk.guards import Level, Reading
from risk.models import Guard, GuardEvent

log = logging.getLogger(__name__)

BTC_FILTERED = "btc-filtered"  # the subject of bots that buy only while BTC is stable
_LOUD = {Level.TRIPPED: logging.CRITICAL, Level.WARNING: logging.WARNING}


def subjects_of(bot: Bot) -> list[str]:
    """The subjects whose halts and gates concern a bot."""
    gates = [] if is_gate_open(bot) else gates_of(bot)
    return [bot.subject, f"pair:{bot.symbol}", *gates]


def gates_of(bot: Bot) -> list[str]:
    """The subjects of the pairs that must be stable for it to buy, heeded or not."""
    return [] if bot.config is None else [gate_of(name) for name in references_of(bot.config)]


def is_gate_open(bot: Bot) -> bool:
    """Whether somebody lets it buy whatever these pairs do."""
    return bot.gate_open_until is not None and timezone.now() < bot.gate_open_until


def gate_of(reference: str) -> str:
    """The subject of every bot that buys only while this pair is stable."""
    return BTC_FILTERED if reference == BTC else f"stable:{reference}"


def counted_in(tally: Tally) -> Told:
    """Have a gateway's outcomes counted; too many requests and business refusals are no failures.

    What was refused for reasons of business, or kept back, says nothing of the exchange's health.
    """

    def told(_: str, outcome: Outcome, code: int | None) -> None:
        unreached = outcome is Outcome.UNREACHED
        tally.note(failed=outcome in FAILURES, unreached=unreached, code=code)

    return told


def standing(name: str, subject: str) -> Level:
    """How a guard stands, as last noted."""
    row = Guard.objects.filter(name=name, subject=subject).values_list("state", flat=True).first()
    return Level(row) if row else Level.CLEAR


def tier_of(name: str, subject: str) -> Decimal | None:
    """The highest alert that a guard stood above, as last noted."""
    return Guard.objects.filter(name=name, subject=subject).values_list("tier", flat=True).first()


def note(reading: Reading) -> bool:
    """Keep a reading; True when state or tier changed, with history, audit row and alarm.

    A guard that kills does so once, when it trips: whoever re-arms although it still stands does
    so knowingly.
    """
    now, tier = timezone.now(), _kept(reading.tier)
    facts_ = {
        "value": _kept(reading.value),
        "limit": _kept(reading.limit),
        "unit": reading.unit,
        "did": reading.did[:200],
        "no_buys": reading.no_buys,
        "until": None if reading.until is None else moment(reading.until),
        "checked_at": now,
    }
    known = Guard.objects.filter(
        name=reading.name, subject=reading.subject, state=str(reading.level), tier=tier
    )
    if known.update(**facts_):  # it stands as before: nearly always
        return False
    before = standing(reading.name, reading.subject)
    trips = before is not Level.TRIPPED and reading.level is Level.TRIPPED
    kill = halts.killed() if trips and reading.kills else None
    if trips and reading.kills and (kill is None or kill.drill):
        halts.arm(reason=reading.did, by=f"guard {reading.name}")
    with transaction.atomic():
        Guard.objects.update_or_create(
            name=reading.name,
            subject=reading.subject,
            defaults={**facts_, "state": str(reading.level), "tier": tier, "since": now},
        )
        if before is reading.level is Level.CLEAR:  # it was never looked at before
            return False
        _write_down(reading, before)
    log.log(
        _LOUD.get(reading.level, logging.INFO), "%s%s of %s is %s: %s",
        "ALARM " if reading.level is Level.TRIPPED else "",
        reading.name, reading.subject, reading.level, reading.did or reading.value,
    )  # fmt: skip
    if reading.no_buys:
        facts.tell(_concerned(reading.subject))
    return True


def _write_down(reading: Reading, before: Level) -> None:
    GuardEvent.objects.create(
        name=reading.name,
        subject=reading.subject,
        value=_kept(reading.value),
        limit=_kept(reading.limit),
        state=str(reading.level),
        did=reading.did[:200],
        at=timezone.now(),
    )
    audit.record(
        "guard", reading.subject, who=f"guard {reading.name}",
        before={"state": before}, after={"state": reading.level, "value": _kept(reading.value)},
        reason=reading.did,
    )  # fmt: skip


def _concerned(subject: str) -> list[int]:
    """The bots whose ticks have to look again."""
    bots = Bot.objects.select_related("config").exclude(config=None)
    return [bot.pk for bot in bots if subject in (halts.ALL, *subjects_of(bot))]


def _kept(value: Decimal | None) -> Decimal | None:
    """As many digits as its column has."""
    return None if value is None else value.quantize(Decimal("1e-12"))
