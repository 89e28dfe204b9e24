"""Grids in the database: who may work on one, what a decision stands on, and keeping it.

Every write of a tick is fenced by the epoch of its lease.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q, Sum
from django.db.models.functions import Now
from django.utils import timezone

from bots import models as rows
from bots.engine import Decision, OwnOrder
from bots.grid import accounting, cells, ids
from bots.grid.trailing import Shift, Trail
from bots.terms import trail_of
from market import types
from market.merge import market_clock
from market.types import ZERO, OrderStatus
from risk import audit

# A dead holder is waited out. A slow one may outlive its lease: what it sends is fenced by the
# epoch, and what it has on the wire is an order of unknown fate to whoever comes next.
LEASE = timedelta(seconds=8)

_PARKED = {OrderStatus.REJECTED: "refused", OrderStatus.NEVER_SENT: "not sent"}
_CELL_FACTS = [field.name for field in fields(cells.Cell)]


class LostLease(Exception):
    """Another worker has taken this bot over; nothing of ours may be written any more."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on a bot, for a while."""

    bot: rows.Bot
    epoch: int
    news: int  # how much had happened when it was taken


@dataclass(frozen=True, slots=True)
class Loaded:
    """All that a decision stands on, except the price and the limits."""

    grid: cells.Grid
    fills: Sequence[types.Fill]
    orders: Sequence[OwnOrder]
    trail: Trail | None = None


def take_lease(bot_id: int) -> Lease | None:
    """The lease of a bot; None while somebody else works on it. The database's clock judges."""
    free = Q(lease_until=None) | Q(lease_until__lt=Now())
    with transaction.atomic():
        taken = rows.Bot.objects.filter(free, pk=bot_id).update(
            epoch=F("epoch") + 1, lease_until=Now() + LEASE
        )
        if not taken:
            return None
        bot = rows.Bot.objects.select_related("config", "next_config").get(pk=bot_id)
    return Lease(bot=bot, epoch=bot.epoch, news=bot.news)


def release(lease: Lease) -> bool:
    """Give the lease back; True when there is news since it was taken, so somebody must look."""
    rows.Bot.objects.filter(pk=lease.bot.pk, epoch=lease.epoch).update(lease_until=None)
    return rows.Bot.objects.filter(pk=lease.bot.pk, news__gt=lease.news).exists()


def hold(lease: Lease) -> rows.Bot:
    """Lock the bot's row for the running transaction and renew the lease.

    Raises LostLease when it is not ours any more.
    """
    held = rows.Bot.objects.select_for_update().filter(pk=lease.bot.pk, epoch=lease.epoch).first()
    if held is None:
        raise LostLease(f"{lease.bot} was taken over after epoch {lease.epoch}")
    rows.Bot.objects.filter(pk=held.pk).update(lease_until=Now() + LEASE)
    return held


def renew(lease: Lease) -> bool:
    """Hold the lease for longer; False when it is not ours any more."""
    mine = rows.Bot.objects.filter(pk=lease.bot.pk, epoch=lease.epoch)
    return mine.update(lease_until=Now() + LEASE) == 1


def create_cells(lease: Lease, grid: cells.Grid, deployed: int) -> None:
    """Keep a newly built grid; its bot runs from now on (`deployed`: exchange clock, ms)."""
    with transaction.atomic():
        bot = hold(lease)
        rows.Cell.objects.bulk_create(
            rows.Cell(config_id=bot.config_id, **_facts(cell)) for cell in grid.cells
        )
        if bot.state == rows.Bot.State.DEPLOYING:
            bot.state, bot.state_since = rows.Bot.State.RUNNING, timezone.now()
        bot.reason, bot.deployed_at = "", types.moment(deployed)
        bot.highest, bot.range_state = None, ""
        bot.save(
            update_fields=[
                "state", "reason", "state_since", "deployed_at", "highest", "range_state",
            ]
        )  # fmt: skip
        _begin(bot.config_id, bot.deployed_at)


def create_successor(config: rows.GridConfig, grid: cells.Grid) -> None:
    """Keep the grid of a version that succeeds another, and what it began with."""
    clock = market_clock()
    _begin(config.pk, types.moment(clock) if clock else timezone.now())
    rows.Cell.objects.bulk_create(rows.Cell(config=config, **_facts(cell)) for cell in grid.cells)
    rows.Opening.objects.bulk_create(
        rows.Opening(config=config, **{name: getattr(cell, name) for name in rows.Opening.FACTS})
        for cell in grid.cells
    )


def note_position(lease: Lease, position: cells.Position, time: int) -> None:
    """Keep where the price stands to the ladder, and since when (exchange clock, ms)."""
    if lease.bot.range_state != position:
        mine = rows.Bot.objects.filter(pk=lease.bot.pk, epoch=lease.epoch)
        mine.update(range_state=position, range_since=types.moment(time))


def _begin(config_id: int | None, at: datetime) -> None:
    """From `at` (exchange clock) on the version is its bot's: the ledger gives it its capital."""
    rows.GridConfig.objects.filter(pk=config_id, began_at=None).update(began_at=at)


def finish(lease: Lease) -> None:
    """A stopping bot has left the market: it is stopped. Raises LostLease."""
    with transaction.atomic():
        bot = hold(lease)
        if bot.state == rows.Bot.State.STOPPING:
            rows.Bot.objects.filter(pk=bot.pk).update(
                state=rows.Bot.State.STOPPED, state_since=timezone.now()
            )


def load(config: rows.GridConfig, instrument: types.Instrument) -> Loaded | None:
    """The grid of a config as last saved and what has come in since; None before it is built."""
    found = [_cell(row) for row in config.cells.order_by("index")]
    if not found:
        return None
    unbooked = rows.Fill.objects.filter(order__config=config, booked=False)
    return Loaded(
        grid=cells.Grid(config.grid_name, instrument, tuple(found)),
        fills=[row.to_domain() for row in unbooked.select_related("order")],
        orders=[_own(row) for row in unsettled(config)],
        trail=trail_of(config),
    )


def unsettled(config: rows.GridConfig) -> Sequence[rows.Order]:
    """The orders that still occupy cells; `in_fills` is the base that we have fills for."""
    waiting = rows.Order.objects.filter(config=config, settled=False)
    return list(waiting.annotate(in_fills=Sum("fills__quantity", default=ZERO)).order_by("id"))


def save(lease: Lease, loaded: Loaded, decision: Decision) -> None:
    """Commit a decision: cells, booked fills, round trips, settled orders, and its intents.

    One transaction, before anything is sent. Raises LostLease.
    """
    with transaction.atomic():
        bot = hold(lease)
        _save_cells(bot, loaded.grid, decision)
        causes = _book_fills(loaded.fills)
        rows.Order.objects.filter(client_id__in=decision.settled).update(settled=True)
        rows.RoundTrip.objects.bulk_create(_trip(bot, trip) for trip in decision.round_trips)
        rows.Order.objects.bulk_create(_intent(bot, request, causes) for request in decision.place)
        if decision.shift is not None:
            _keep_shift(bot, decision.shift)
        rows.Bot.objects.filter(pk=bot.pk).update(
            looked_at=Now(), held_down=decision.held_down[:200]
        )


def _cell(row: rows.Cell) -> cells.Cell:
    facts = {name: getattr(row, name) for name in _CELL_FACTS}
    return cells.Cell(**{**facts, "side": types.Side(row.side)})


def _facts(cell: cells.Cell) -> dict[str, object]:
    return {name: getattr(cell, name) for name in _CELL_FACTS}


def _own(row: rows.Order) -> OwnOrder:
    parked, words = "", _PARKED.get(OrderStatus(row.status))
    if words and row.look_after and row.look_after > timezone.now():
        parked = f"{words}: {row.reason}; next try at {row.look_after:%H:%M:%S} UTC"
    return OwnOrder(row.to_domain(), booked=row.in_fills, parked=parked, acts_as=row.acts_as)


def _save_cells(bot: rows.Bot, before: cells.Grid, decision: Decision) -> None:
    """Write the cells that changed, and every cell's reason for having no order."""
    reasons = {idle.cell: idle.reason[:200] for idle in decision.idle}
    known = {row.index: row for row in rows.Cell.objects.filter(config_id=bot.config_id)}
    changed = []
    for old, new in zip(before.cells, decision.grid.cells, strict=True):
        row, reason = known[new.index], reasons.get(new.index, "")
        if old != new or row.reason != reason:
            for name, value in _facts(new).items():
                setattr(row, name, value)
            row.reason = reason
            changed.append(row)
    # They all exist; bulk_update would take some twenty times as long.
    rows.Cell.objects.bulk_create(
        changed,
        update_conflicts=True,
        unique_fields=["pk"],
        update_fields=[*_CELL_FACTS, "reason"],
    )


def _keep_shift(bot: rows.Bot, shift: Shift) -> None:
    """A step up is a fact of the ladder, and told like one of a person."""
    facts = {field.name: getattr(shift, field.name) for field in fields(shift)}
    rows.Shift.objects.create(config_id=bot.config_id, **facts)
    audit.record(
        "trailed up", bot.subject, who="engine",
        before={"low": shift.was_low, "high": shift.was_high, "quantity": shift.was_quantity},
        after={"low": shift.low, "high": shift.high, "quantity": shift.quantity},
        reason=f"the price reached {types.plain(shift.price)}",
    )  # fmt: skip


def _book_fills(fills: Sequence[types.Fill]) -> dict[int, datetime]:
    """Mark fills booked; answers when the first of each cell's came in: the cause of its order."""
    found = rows.Fill.objects.filter(exec_id__in=[fill.exec_id for fill in fills])
    times = found.order_by("-received_at").values_list("order__cell", "received_at")
    causes = dict(times)
    found.update(booked=True)
    return causes


def _trip(bot: rows.Bot, trip: accounting.RoundTrip) -> rows.RoundTrip:
    facts = {field.name: getattr(trip, field.name) for field in fields(trip)}
    times = {"opened": types.moment(trip.opened), "closed": types.moment(trip.closed)}
    return rows.RoundTrip(bot=bot, config_id=bot.config_id, **{**facts, **times})


def _intent(bot: rows.Bot, request: types.OrderRequest, causes: dict[int, datetime]) -> rows.Order:
    slot = ids.slot(request.client_id)
    assert slot is not None  # noqa: S101 - the id was made by the same module
    return rows.Order(
        client_id=request.client_id,
        bot=bot,
        config_id=bot.config_id,
        cell=slot.cell,
        symbol=request.symbol,
        side=request.side,
        price=request.price,
        quantity=request.quantity,
        time_in_force=request.time_in_force,
        status=OrderStatus.NEW,
        caused_at=causes.get(slot.cell),
    )
