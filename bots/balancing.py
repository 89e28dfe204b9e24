"""Dynamic capital: the bots that share it, what each is expected to earn, and moves by edits.

A bot that shares none is rebalanced by a look: its orders are brought to what its grid wants.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction

from bots import control, edits
from bots.backtest.hindsight import LEAST_BARS, minutes
from bots.backtest.replay import replay
from bots.control import NotPossible
from bots.grid.levels import InvalidGrid
from bots.grid.shares import FEWEST, Member, share
from bots.models import Bot
from bots.preview import spent_by
from bots.terms import plan_of
from market import ingest
from market.exchange import Exchange
from market.types import ZERO, plain
from risk import audit

_AT_WORK = (Bot.State.RUNNING, Bot.State.PAUSED)


@dataclass(frozen=True, slots=True)
class Move:
    """A bot's capital before and after. Money is quote."""

    bot: Bot
    member: Member
    capital: Decimal

    @property
    def is_one(self) -> bool:
        return self.capital != self.member.capital


def plan(exchange: Exchange) -> Sequence[Move]:
    """What each sharing bot's capital should be now.

    Raises NotPossible while the bots cannot be compared or moved, ExchangeError when the market
    is not known.
    """
    bots = sharing()
    if len(bots) < FEWEST:
        raise NotPossible("capital moves between two bots or more that share it")
    for bot in bots:
        _check(bot)
    members = [_member(exchange, bot) for bot in bots]
    shares = share(members)
    return [Move(bot, m, shares[m.name]) for bot, m in zip(bots, members, strict=True)]


def _check(bot: Bot) -> None:
    if bot.state not in _AT_WORK or bot.config is None:
        state = bot.get_state_display().lower()
        raise NotPossible(f"{bot.name} is {state}; it is rebalanced once it is at work")
    if bot.next_config is not None:
        raise NotPossible(f"{bot.name} is being edited; try again when that is done")


def sharing() -> Sequence[Bot]:
    """The bots that share capital and have not ended."""
    bots = Bot.objects.filter(shares_capital=True)
    bots = bots.exclude(state__in=(Bot.State.STOPPED, Bot.State.DRAFT))
    return list(bots.select_related("config", "next_config").prefetch_related("config__cells"))


def _member(exchange: Exchange, bot: Bot) -> Member:
    config = bot.config
    return Member(bot.slug, config.capital, spent_by(bot), expected(exchange, bot))


def expected(exchange: Exchange, bot: Bot) -> Decimal:
    """Net grid profit a day, as a share of capital, of its grid on the recent minutes.

    Raises NotPossible when too few minutes are on record, ExchangeError without a price.
    """
    pair = ingest.instrument(exchange, bot.symbol)
    now = ingest.fresh_price(exchange, bot.symbol, timedelta(minutes=1)).time
    bars = minutes(bot.symbol, now)
    if len(bars) < LEAST_BARS:
        raise NotPossible(
            f"{len(bars)} minutes of {bot.symbol} are on record; {LEAST_BARS} are needed to compare"
        )
    try:
        outcome = replay(plan_of(bot.config, pair), bars)
    except InvalidGrid as error:
        raise NotPossible(f"{bot.name} cannot be replayed: {error}") from error
    return outcome.grid_profit / bot.config.capital / outcome.span.days


def tell(exchange: Exchange, moves: Sequence[Move]) -> Mapping[str, Any]:
    """The plan with all that its edits would move, cancel and place."""
    return {
        "bots": [
            {
                "bot": move.bot.slug,
                "capital": plain(move.member.capital),
                "capital_after": plain(move.capital),
                "free": plain(max(move.member.capital - move.member.spent, ZERO)),
                "expected_per_day": plain(move.member.expected.quantize(Decimal("1e-8"))),
                "edit": edits.weigh(exchange, move.bot, {"capital": move.capital})[1]
                if move.is_one
                else None,
            }
            for move in moves
        ],
        "moved": plain(sum((abs(move.capital - move.member.capital) for move in moves), ZERO) / 2),
    }


def tell_alone(exchange: Exchange, bot: Bot) -> Mapping[str, Any]:
    """The like for a bot that shares no capital: none moves, its orders come to what it wants.

    Raises NotPossible while the bot is not at work, ExchangeError when the market is not known.
    """
    _check(bot)
    capital = plain(bot.config.capital)
    row = {
        "bot": bot.slug,
        "capital": capital,
        "capital_after": capital,
        "free": plain(max(bot.config.capital - spent_by(bot), ZERO)),
        "expected_per_day": None,
        "edit": {"version": bot.config.version, **edits.due(exchange, bot), "coins": []},
    }
    return {"bots": [row], "moved": plain(ZERO)}


@transaction.atomic
def carry_out(moves: Sequence[Move], *, by: str, reason: str = "") -> Sequence[Bot]:
    """Have every bot whose capital changes edited, all or none; each move is audited.

    Raises NotPossible when a bot stopped or was edited meanwhile, InvalidGrid when a grid would
    be too small.
    """
    moved = [move for move in moves if move.is_one]
    for move in sorted(moved, key=lambda move: move.bot.pk):
        row = Bot.objects.select_for_update().get(pk=move.bot.pk)
        if row.config_id != move.bot.config_id or row.next_config_id is not None:
            raise NotPossible(f"{row.name} was edited meanwhile; ask again")
        control.edit(move.bot, {"capital": move.capital}, by=by)
        audit.record(
            "capital moved", move.bot.subject, who=by,
            before={"capital": move.member.capital},
            after={"capital": move.capital, "expected_per_day": move.member.expected},
            reason=reason,
        )  # fmt: skip
    return [move.bot for move in moved]
