"""Everything that changes what a bot should do: deploy, edit, pause, resume, stop, its gate."""

import secrets
import string
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import F, Max
from django.utils import timezone

from bots.grid.levels import GridSpec, InvalidGrid
from bots.grid.trailing import HOURLY
from bots.models import Bot, GridConfig, Order
from bots.terms import RANGE, bounds_of, check, others_than, overlaps, references_of
from market.locks import Lock, hold
from market.types import OrderStatus, Side
from risk import audit

State = Bot.State
_ACTS = {State.PAUSED: "pause", State.RUNNING: "resume", State.STOPPING: "stop"}
_TAG_ALPHABET = string.ascii_lowercase + string.digits
_OF_ONE_VERSION = ("id", "version", "trailed", "began_at", "created_at", "created_by")
_MOVED = ["state", "exit", "reason", "state_since", "news", "next_config"]
GATE_OPEN = timedelta(minutes=60)
_IN_FLIGHT_PATIENCE = timedelta(seconds=10)


# What speaks against a version at the moment it is made, when nobody else can be given anything.
Objections = Callable[[GridConfig], Iterable[InvalidGrid]]


def _no_objections(_: GridConfig) -> Iterable[InvalidGrid]:
    return ()


class NotPossible(Exception):
    """A command that makes no sense in the bot's state; the text says what would."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A new bot as a person asks for it; the fields of the deploy call and the admin form."""

    slug: str
    name: str
    symbol: str
    spec: GridSpec
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    trigger_price: Decimal | None = None
    on_exit: str = Bot.Exit.SELL
    btc_filter: bool = False
    reference: str = ""
    trailing_stop: Decimal | None = None
    trailing_up: bool = False
    trailing_cap: Decimal | None = None
    trailing_hourly: int = HOURLY
    shares_capital: bool = False
    position: int = 0


@transaction.atomic
def deploy(wish: Deployment, *, by: str, unless: Objections = _no_objections) -> Bot:
    """Create a bot and let it start: its cells are built on the first price it sees.

    Raises NotPossible when the slug is taken, InvalidGrid when its terms contradict each other,
    its range meets that of another bot, or `unless` objects.
    """
    config = first_version(wish)
    check(config)
    _refuse(wish.symbol, config, unless)
    if Bot.objects.filter(slug=wish.slug).exists():
        raise NotPossible(f"a bot named {wish.slug} exists already; choose another name")
    bot = Bot.objects.create(
        slug=wish.slug,
        name=wish.name,
        symbol=wish.symbol,
        position=wish.position,
        shares_capital=wish.shares_capital,
        tag=_new_tag(),
        state=State.DEPLOYING,
        state_since=timezone.now(),
    )
    config.bot, config.created_by = bot, by
    config.save()
    bot.config = config
    bot.save(update_fields=["config"])
    audit.record("deploy", bot.subject, who=by, after={"slug": bot.slug, **_terms(config)})
    return bot


def first_version(wish: Deployment) -> GridConfig:
    """What a new bot would begin with, not saved."""
    spec = wish.spec
    return GridConfig(
        version=1,
        lower=spec.lower,
        upper=spec.upper,
        grids=spec.grids,
        capital=spec.capital,
        spacing=spec.spacing,
        sizing=spec.sizing,
        reserve=spec.reserve,
        stop_loss=wish.stop_loss,
        take_profit=wish.take_profit,
        trigger_price=wish.trigger_price,
        on_exit=wish.on_exit,
        btc_filter=wish.btc_filter,
        reference=wish.reference,
        trailing_stop=wish.trailing_stop,
        trailing_up=wish.trailing_up,
        trailing_cap=wish.trailing_cap,
        trailing_hourly=wish.trailing_hourly,
    )


@transaction.atomic
def open_gate(bot: Bot, *, by: str, reason: str) -> Bot:
    """Let a bot buy for an hour though the pairs it looks at are not stable.

    It ends by itself. Raises NotPossible without a reason, or for a bot that looks at no pair.
    """
    if bot.config is None or not references_of(bot.config):
        raise NotPossible(f"{bot.name} buys whatever other pairs do; it has no gate")
    if not reason:
        raise NotPossible("say why: the audit trail keeps the reason")
    return _set_gate(bot, timezone.now() + GATE_OPEN, "gate opened", by=by, reason=reason)


@transaction.atomic
def heed_gate(bot: Bot, *, by: str) -> Bot:
    """Have it look at the other pairs again. Raises NotPossible when it does."""
    if bot.gate_open_until is None or bot.gate_open_until <= timezone.now():
        raise NotPossible(f"{bot.name} heeds its gate already")
    return _set_gate(bot, None, "gate heeded again", by=by)


def _set_gate(bot: Bot, until: datetime | None, what: str, *, by: str, reason: str = "") -> Bot:
    before = bot.gate_open_until
    Bot.objects.filter(pk=bot.pk).update(gate_open_until=until, news=F("news") + 1)
    bot.gate_open_until = until
    audit.record(
        what, bot.subject, who=by, before={"until": before}, after={"until": until}, reason=reason
    )
    return bot


def _refuse(
    symbol: str, config: GridConfig, unless: Objections, other_than: Bot | None = None
) -> None:
    """Raises InvalidGrid; until the transaction ends nobody else is given a range or capital."""
    hold(Lock.GRIDS)
    for objection in (*overlaps(symbol, config, others_than(other_than)), *unless(config)):
        raise objection


def _terms(config: GridConfig) -> dict[str, Any]:
    """What a person chose of a version."""
    return {
        field.attname: getattr(config, field.attname)
        for field in GridConfig._meta.concrete_fields  # noqa: SLF001 - Django's public word
        if field.name not in _OF_ONE_VERSION
    }


@transaction.atomic
def edit(
    bot: Bot, changes: Mapping[str, Any], *, by: str, unless: Objections = _no_objections
) -> GridConfig:
    """Have a new version of a bot's grid take over; the bot's next ticks carry it out.

    `changes` are fields of the config; the others stay as they are, or as an edit that is still
    on its way would have them. Raises NotPossible when the bot is not at work, InvalidGrid when
    its prices are out of order or `unless` objects.
    """
    row = Bot.objects.select_for_update().get(pk=bot.pk)
    if row.state not in (State.DEPLOYING, State.RUNNING, State.PAUSED):
        raise NotPossible(
            f"{row.name} is {row.get_state_display().lower()}; only a bot at work can be edited"
        )
    config = changed(row, changes)
    check(config)
    _refuse(row.symbol, config, unless, row)
    config.created_by = by
    config.save()
    row.next_config, row.news = config, F("news") + 1
    row.save(update_fields=["next_config", "news"])
    bot.refresh_from_db()
    old, new = _terms(row.config) if row.config else {}, _terms(config)
    differ = [name for name in new if old.get(name) != new[name]]
    audit.record(
        "edit", row.subject, who=by,
        before={name: old.get(name) for name in differ},
        after={"version": config.version, **{name: new[name] for name in differ}},
    )  # fmt: skip
    return config


def changed(bot: Bot, changes: Mapping[str, Any]) -> GridConfig:
    """The version that such an edit would make, not saved.

    A ladder that has trailed up stays where it is; when a part of its range is given anew, the
    rest of it is as it stands now.
    """
    base = bot.next_config or bot.config
    if base is None or bot.config is None:
        raise NotPossible(f"{bot.name} has no grid yet; deploy one")
    last = GridConfig.objects.filter(bot=bot).aggregate(last=Max("version"))["last"]
    facts = _terms(base)
    if "trigger_price" in changes:
        facts["trigger_rises"] = None
    goes_on = base is bot.config or base.trailed is None
    if goes_on and not changes.keys().isdisjoint(RANGE):
        facts["lower"], facts["upper"] = bounds_of(bot.config)
        goes_on = False
    trailed = None if goes_on else 0
    return GridConfig(**{**facts, **changes, "version": last + 1, "trailed": trailed})


def pause(bot: Bot, *, by: str, reason: str = "") -> Bot:
    """Withhold buys; sells rest. When this returns, no new buy will be sent.

    A buy that was on the wire already is waited for. Raises NotPossible when nothing runs.
    """
    words = f"paused by {by}" + (f": {reason}" if reason else "")
    allowed = (State.DEPLOYING, State.RUNNING, State.PAUSED)
    _move(
        bot,
        allowed,
        State.PAUSED,
        by=by,
        words=words,
        why=reason,
        otherwise="only a running bot pauses",
    )
    _wait_for_buys_on_the_wire(bot)
    return bot


def resume(bot: Bot, *, by: str = "", reason: str = "") -> Bot:
    """Let a paused bot buy again. Raises NotPossible when it is not paused."""
    allowed = (State.RUNNING, State.PAUSED)
    _move(
        bot,
        allowed,
        State.RUNNING,
        by=by,
        words="",
        why=reason,
        otherwise="only a paused bot resumes",
    )
    return bot


def stop(bot: Bot, *, exit: Bot.Exit, by: str, reason: str = "") -> Bot:  # noqa: A002 - the field's word
    """Have a bot leave the market: the one way to stop, whoever asks.

    KEEP cancels its orders and keeps its coins; SELL also sells them at the market, bounded by
    the slippage cap; LADDER buys no more and lets its sells rest until they are done. It is
    STOPPED when that is so. Asked again, the newer way holds. Raises NotPossible when it is
    stopped already.
    """
    words = f"stopped by {by}" + (f": {reason}" if reason else "")
    running = (State.DEPLOYING, State.RUNNING, State.PAUSED, State.STOPPING)
    _move(
        bot,
        running,
        State.STOPPING,
        by=by,
        words=words,
        why=reason,
        otherwise="it needs no stop",
        way_out=exit,
    )
    return bot


def _move(
    bot: Bot,
    allowed: Sequence[str],
    state: str,
    *,
    by: str,
    words: str,
    why: str,
    otherwise: str,
    way_out: str = "",
) -> None:
    with transaction.atomic():
        row = Bot.objects.select_for_update().get(pk=bot.pk)
        if row.state not in allowed:
            raise NotPossible(f"{row.name} is {row.get_state_display().lower()}; {otherwise}")
        before = {"state": row.state, "exit": row.exit}
        if row.state != state:
            row.state_since = timezone.now()
        row.exit = way_out
        if state == State.STOPPING:
            row.next_config = None  # no edit outlives the wish to stop
        row.state, row.reason, row.news = state, words[:300], F("news") + 1
        row.save(update_fields=_MOVED)
        after = {"state": str(state), "exit": str(way_out)}
        audit.record(
            _ACTS[State(state)], row.subject, who=by, before=before, after=after, reason=why
        )
    bot.refresh_from_db()


def _wait_for_buys_on_the_wire(bot: Bot) -> None:
    """A buy is marked SENT under the bot's row lock, so after a pause none can be added."""
    sent = Order.objects.filter(bot=bot, side=Side.BUY, status=OrderStatus.SENT)
    patience = time.monotonic() + _IN_FLIGHT_PATIENCE.total_seconds()
    while sent.exists() and time.monotonic() < patience:
        time.sleep(0.02)


def _new_tag() -> str:
    """A prefix for client ids that no other bot, here or in an earlier database, has used."""
    return "g" + "".join(secrets.choice(_TAG_ALPHABET) for _ in range(7))
