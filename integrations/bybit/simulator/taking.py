"""What an arriving order meets: the ladder of strangers' offers, and orders of our own."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from heapq import merge
from typing import NamedTuple, Protocol

from integrations.bybit.simulator.facts import Ended, Event, Filled, Order
from market.types import ZERO, Side

MARKET_BOUND = Decimal("0.05")  # how far a market order's inner limit lies from the book
SMP_TYPES = frozenset({"None", "CancelMaker", "CancelTaker", "CancelBoth"})


class Level(NamedTuple):
    """So much base to be had at a price."""

    price: Decimal
    size: Decimal


@dataclass(frozen=True, slots=True)
class Quotes:
    """What a taker can have now, and the last trade. `depth` is base at the best price."""

    bid: Decimal
    ask: Decimal
    depth: Decimal
    last: Decimal
    ladder: Callable[[Side], Iterator[Level]] | None = None  # by the taker's side, best first

    def levels(self, taker: Side) -> Iterator[Level]:
        """What strangers offer to a taker of this side, best first."""
        if self.ladder is not None:
            yield from self.ladder(taker)
        else:
            yield Level(self.ask if taker is Side.BUY else self.bid, self.depth)

    def within(self, taker: Side, bound: Decimal) -> Iterator[Level]:
        """The levels that are no worse than `bound`."""
        sign = 1 if taker is Side.BUY else -1
        for level in self.levels(taker):
            if sign * (level.price - bound) > 0:
                return
            yield level

    def bound(self, taker: Side) -> Decimal:
        """The limit that a market order works with inside."""
        return self.touch(taker) * (1 + MARKET_BOUND if taker is Side.BUY else 1 - MARKET_BOUND)

    def touch(self, taker: Side) -> Decimal:
        return self.ask if taker is Side.BUY else self.bid


@dataclass(frozen=True, slots=True)
class Meeting:
    """A price at which an order can trade: with strangers, or with an order of ours."""

    price: Decimal
    size: Decimal
    mine: Order | None = None


def meetings(order: Order, quotes: Quotes, resting: Iterable[Order]) -> Iterator[Meeting]:
    """What an order trades with, best first; at one price strangers came before us."""
    sign = 1 if order.side is Side.BUY else -1
    ours = sorted(
        (
            Meeting(other.price, other.leaves, other)
            for other in resting
            if other.side is not order.side and sign * (other.price - order.price) <= 0
        ),
        key=lambda meeting: sign * meeting.price,
    )
    theirs = (
        Meeting(level.price, level.size)
        for level in quotes.within(order.side, order.price)
        if level.size > 0
    )
    return merge(theirs, ours, key=lambda meeting: sign * meeting.price)


class Fill(Protocol):
    """Makes the execution of one of the two orders that meet."""

    def __call__(self, each: Order, met: Meeting, qty: Decimal, ahead: int, /) -> Filled: ...


def outcome(order: Order, met: Iterable[Meeting], now: int, fill: Fill) -> Iterator[Event]:
    """What happens to an order at the moment it reaches the book, or moves in it.

    Executions come from the best price on; of two orders of ours the arriving one's smpType says
    which is cancelled (Bybit v5, self-match prevention).
    """
    refused, met = _refusal(order, met)
    if refused:
        yield _dies(order, refused, now)
    if refused or order.tif == "PostOnly":
        return
    left, ahead = order, 0
    for one in met:
        if not left.leaves:
            break
        if one.mine is None or _trades(order, one):
            qty = min(left.leaves, one.size)
            for each in (one.mine, left) if one.mine is not None else (left,):
                yield fill(each, one, qty, ahead)
                ahead += 1
            left = replace(left, cum_qty=left.cum_qty + qty)
            continue
        yield from _prevented(order, one.mine, now)
        if order.smp_type != "CancelMaker":
            return
    if order.tif != "GTC" and (left.leaves or not order.leaves):
        yield _dies(order, "EC_NoImmediateQtyToFill", now)


def _refusal(order: Order, met: Iterable[Meeting]) -> tuple[str, Iterable[Meeting]]:
    """Why a post-only or all-or-nothing order dies at once, or nothing, and what it met."""
    if order.tif == "PostOnly":
        return "EC_PostOnlyWillTakeLiquidity" if any(True for _ in met) else "", ()
    if order.tif != "FOK":
        return "", met
    met = list(met)
    if sum((one.size for one in met if _trades(order, one)), ZERO) >= order.leaves:
        return "", met
    return "EC_NoEnoughQtyToFill" if met else "EC_NoImmediateQtyToFill", ()


def _prevented(order: Order, mine: Order, now: int) -> Iterator[Event]:
    """Self-match prevention: who of the two is cancelled."""
    if order.smp_type in ("CancelMaker", "CancelBoth"):
        yield _self_matched(mine, order, now)
    if order.smp_type in ("CancelTaker", "CancelBoth"):
        yield _self_matched(order, mine, now)


def _trades(order: Order, met: Meeting) -> bool:
    return met.mine is None or order.smp_type == "None"


def _dies(order: Order, reason: str, now: int) -> Ended:
    return Ended(order.order_id, "UNKNOWN", reason, now)


def _self_matched(order: Order, other: Order, now: int) -> Ended:
    return Ended(order.order_id, "CancelBySmp", "EC_BySelfMatch", now, other.order_id)


class Purse(NamedTuple):
    """What a market order comes to: base in all, its value, and the last price it reaches."""

    quantity: Decimal
    value: Decimal
    worst: Decimal


def priced(
    levels: Iterable[Level], wanted: Decimal, *, by_value: bool, lots: Callable[[Decimal], Decimal]
) -> Purse:
    """Walk the ladder for `wanted` base, or quote with `by_value`, as far as the ladder goes.

    `lots` cuts a quantity to what is tradable.
    """
    quantity = value = worst = ZERO
    for level in levels:
        left = wanted - (value if by_value else quantity)
        part = min(level.size, lots(left / level.price) if by_value else left)
        if part <= 0:
            break
        quantity, value, worst = quantity + part, value + part * level.price, level.price
    return Purse(quantity, value, worst)
