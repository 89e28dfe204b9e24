"""A hot edit: the old version's orders withdrawn, then its coins and kept orders handed over.

Until the moment of the change the old version is the bot's, so an edit that fails leaves it as
it was. Orders of the old version are dead, or taken over, before the new one places any.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

from django.db import transaction
from django.db.models import F, Q

from bots import models as rows
from bots import store
from bots.engine import CANCELLABLE, Decision, adoptable, decide
from bots.grid import ids
from bots.grid.carry import AMOUNTS, succeed
from bots.grid.cells import Grid
from bots.grid.levels import InvalidGrid
from bots.terms import spec_after, spec_now
from market import types
from market.types import OrderRequest, Tick
from risk import audit
from risk.rules import Limits

STATES = (rows.Bot.State.DEPLOYING, rows.Bot.State.RUNNING, rows.Bot.State.PAUSED)
_LATE = 1_000_000  # attempts from here on are of orders that were believed dead


@dataclass(frozen=True, slots=True)
class Plan:
    """What an edit will do with the orders that rest now."""

    decision: Decision  # the old grid's books up to date, and the cancels of what is not kept
    heir: Grid
    kept: Mapping[str, OrderRequest]  # by client id: what each will be in the heir
    waits: bool  # for orders of the old version that are not proven dead yet


def plan(
    loaded: store.Loaded, was: rows.GridConfig, to_be: rows.GridConfig, price: Tick, limits: Limits
) -> Plan:
    """Compare what rests with what the new version will want.

    Raises InvalidGrid when the new version cannot be built at this price.
    """
    found = decide(loaded.grid, loaded.fills, loaded.orders, price, limits)
    heir = succeed(found.grid, spec_now(was), to_be.grid_name, spec_after(was, to_be), price.last)
    live = [own for own in loaded.orders if own.order.client_id not in found.settled]
    kept = adoptable(live, heir, price, limits)
    rest = [own for own in live if own.order.client_id not in kept]
    cancel = tuple(own.order for own in rest if own.order.status in CANCELLABLE)
    return Plan(
        decision=replace(found, place=(), cancel=cancel),
        heir=heir,
        kept=kept,
        waits=not all(own.is_over for own in rest),
    )


def advance(lease: store.Lease, loaded: store.Loaded, price: Tick, limits: Limits) -> Decision:
    """Take an edit one step on; answers what is to be carried out for it.

    Orders that are not kept are withdrawn; when none is left the new version takes over, and the
    bot has news. A version that cannot be built any more is given up. Raises LostLease.
    """
    bot = lease.bot
    to_be, was = cast("rows.GridConfig", bot.next_config), cast("rows.GridConfig", bot.config)
    try:
        found = plan(loaded, was, to_be, price, limits)
    except InvalidGrid as error:
        give_up(lease, to_be, str(error))
        return replace(decide(loaded.grid, (), (), price, limits), settled=(), cancel=(), place=())
    store.save(lease, loaded, found.decision)
    if not found.waits:
        _change_over(lease, loaded, found, to_be)
    return found.decision


def give_up(lease: store.Lease, to_be: rows.GridConfig, why: str) -> None:
    """The old version goes on; the audit trail says why the new one did not."""
    with transaction.atomic():
        bot = store.hold(lease)
        if bot.next_config_id == to_be.pk:
            rows.Bot.objects.filter(pk=bot.pk).update(next_config=None, news=F("news") + 1)
            audit.record(
                "edit given up", bot.subject, who="engine", after={"version": to_be.version},
                reason=why,
            )  # fmt: skip


def start_over(lease: store.Lease) -> None:
    """An edit of a bot that has no cells yet: the newer version is the one to be built."""
    with transaction.atomic():
        bot = store.hold(lease)
        if bot.next_config_id is not None:
            rows.Bot.objects.filter(pk=bot.pk).update(
                config_id=bot.next_config_id, next_config=None
            )
    lease.bot.refresh_from_db()


def _change_over(
    lease: store.Lease, loaded: store.Loaded, found: Plan, to_be: rows.GridConfig
) -> None:
    """The new version's cells, what they took over, and the kept orders, in one transaction."""
    with transaction.atomic():
        bot = store.hold(lease)
        if bot.next_config_id != to_be.pk or bot.state not in STATES:
            return
        before = cast("int", bot.config_id)
        store.create_successor(to_be, found.heir)
        if to_be.trailed is None:
            to_be.trailed = spec_now(rows.GridConfig.objects.get(pk=before)).shift
            to_be.save(update_fields=["trailed"])
        emptied = dict.fromkeys(AMOUNTS, types.ZERO)
        rows.Cell.objects.filter(config_id=before).update(
            **emptied, opened=0, exited=False, reason=f"taken over by version {to_be.version}"
        )
        _keep(before, to_be, found.kept)
        dead = [
            own.order.client_id for own in loaded.orders if own.order.client_id not in found.kept
        ]
        rows.Order.objects.filter(client_id__in=dead).update(settled=True)
        rows.Bot.objects.filter(pk=bot.pk).update(
            config=to_be, next_config=None, news=F("news") + 1
        )
        audit.record(
            "edit carried out", bot.subject, who=to_be.created_by or "engine",
            before={"version": rows.GridConfig.objects.get(pk=before).version},
            after={"version": to_be.version, "kept": len(found.kept), "cells": to_be.grids},
        )  # fmt: skip


def _keep(before: int, to_be: rows.GridConfig, kept: Mapping[str, OrderRequest]) -> None:
    """Orders that stay where they are belong to the new version from now on."""
    found = rows.Order.objects.filter(config_id=before, client_id__in=kept)
    for row in found.order_by("id").select_for_update():
        row.acts_as = kept[row.client_id].client_id
        _move(row, to_be)


def adopt_late(lease: store.Lease, grid: Grid) -> bool:
    """Orders of earlier versions that turn out to live: the fullest cell takes them over.

    They were believed dead when their version ended. True when there were any. Raises LostLease.
    """
    bot = lease.bot
    unheard = rows.Fill.objects.filter(bot=bot, booked=False).values("order")
    late = rows.Order.objects.filter(Q(settled=False) | Q(pk__in=unheard), bot=bot)
    late = late.exclude(config_id=bot.config_id)
    if not late.exists():
        return False
    with transaction.atomic():
        held = store.hold(lease)
        cell = max(grid.cells, key=lambda cell: cell.held)
        config = rows.GridConfig.objects.get(pk=held.config_id)
        for row in late.order_by("id").select_for_update(of=("self",)):
            kind = ids.kind_of(types.Side(row.side))
            slot = ids.Slot(config.grid_name, cell.index, cell.trip, kind, _LATE + row.pk % _LATE)
            row.acts_as = ids.client_id(slot)
            _move(row, config)
    return True


def _move(row: rows.Order, config: rows.GridConfig) -> None:
    slot = ids.slot(row.acts_as)
    assert slot is not None  # noqa: S101 - the id was made by the same module
    row.config, row.cell = config, slot.cell
    row.save(update_fields=["config", "cell", "acts_as"])
