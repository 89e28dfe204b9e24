"""What must hold of our database (D) and of the exchange's truth (X), whatever went wrong.

Each predicate yields what is broken, in words. ALWAYS hold at every look, QUIET once faults are
off and everything rests. Numbers are those of the catalogue of invariants.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db.models import F

from bots.books import ledger, rebuild
from bots.grid import ids
from bots.models import Bot, CapitalMove, Cell, Fill, GridConfig, Order
from market.models import Instrument, Price
from market.types import CLOSED, OPEN, ZERO, OrderStatus, Side

D = Decimal
OPEN_X = frozenset({"New", "PartiallyFilled"})
LINK = re.compile(r"[A-Za-z0-9_-]{1,36}")
PLAIN = re.compile(r"\d+(\.\d+)?")
MORE_THAN_ENOUGH = 600  # s that an order may be of unknown fate: a ban of ten minutes


@dataclass(slots=True)
class Truth:
    """The simulator's state, ordered for the questions asked here."""

    state: Mapping[str, Any]
    tags: frozenset[str] = field(default_factory=frozenset)
    orders: dict[str, Mapping[str, Any]] = field(init=False)

    def __post_init__(self) -> None:
        self.tags = frozenset(Bot.objects.values_list("tag", flat=True))
        self.orders = {row["orderLinkId"]: row for row in self.state["orders"]}

    def is_ours(self, link: str) -> bool:
        slot = ids.slot(link)
        return slot is not None and slot.grid.rpartition("v")[0] in self.tags

    @property
    def ours(self) -> list[Mapping[str, Any]]:
        return [row for link, row in self.orders.items() if self.is_ours(link)]

    @property
    def foreign(self) -> list[Mapping[str, Any]]:
        return [row for link, row in self.orders.items() if not self.is_ours(link)]

    @property
    def open_links(self) -> set[str]:
        return {row["orderLinkId"] for row in self.ours if row["orderStatus"] in OPEN_X}

    @property
    def executions(self) -> dict[str, Mapping[str, Any]]:
        return {row["execId"]: row for row in self.state["executions"]}

    @property
    def our_executions(self) -> set[str]:
        return {name for name, row in self.executions.items() if self.is_ours(row["orderLinkId"])}


Predicate = Callable[[Truth], Iterator[str]]


def i1_every_open_order_of_ours_is_known(x: Truth) -> Iterator[str]:
    known = set(Order.objects.values_list("client_id", flat=True))
    for row in x.ours:
        if row["orderLinkId"] not in known:
            yield f"{row['orderLinkId']} is on the exchange and not in our records"


def i2_one_order_at_a_time_for_each_cell(x: Truth) -> Iterator[str]:
    resting = Counter((slot.grid, slot.cell) for slot in map(ids.slot, x.open_links) if slot)
    for (grid, cell), count in resting.items():
        if count > 1:
            yield f"{grid} cell {cell} has {count} open orders"
    bought: dict[tuple[str, int, int], Decimal] = defaultdict(Decimal)
    for row in x.ours:
        slot = ids.slot(row["orderLinkId"])
        if slot and slot.side is Side.BUY:
            bought[slot.grid, slot.cell, slot.trip] += D(row["cumExecQty"])
    for config in GridConfig.objects.all():
        for cell in config.cells.all():
            for (grid, index, trip), amount in bought.items():
                if (grid, index) == (config.grid_name, cell.index) and amount > cell.quantity:
                    yield f"{grid} cell {index} bought {amount} in trip {trip}, not {cell.quantity}"


def i3_wallet_is_ledger(x: Truth) -> Iterator[str]:
    """Our fills, with what others did on the account, make the wallet to the last digit."""
    books = defaultdict(lambda: ZERO, ledger.balances())
    for coin, amount in x.state["transfers"].items():
        books[coin] += D(amount)
    for coin, amount in CapitalMove.objects.values_list("coin", "amount"):
        books[coin] -= amount  # what we concluded that others did
    pairs = {row.symbol: row for row in Instrument.objects.all()}
    for row in x.executions.values():
        if not x.is_ours(row["orderLinkId"]):
            sign = 1 if row["side"] == "Buy" else -1
            pair = pairs.get(row["symbol"])
            base = pair.base if pair else row["symbol"].removesuffix("USDT")
            books[base] += sign * D(row["execQty"])
            books["USDT"] -= sign * D(row["execQty"]) * D(row["execPrice"])
            books[row["feeCurrency"]] -= D(row["execFee"])
    for coin, line in x.state["wallet"].items():
        if books[coin] != D(line["total"]):
            yield f"{coin}: {books[coin]} in our books, {line['total']} in the wallet"


def i3_what_others_did_is_in_our_books(x: Truth) -> Iterator[str]:
    """The ledger alone is the wallet: moves from outside were booked, each of them once."""
    books = ledger.balances()
    for coin, line in x.state["wallet"].items():
        if books.get(coin, ZERO) != D(line["total"]):
            yield f"{coin}: the ledger says {books.get(coin, ZERO)}, the wallet {line['total']}"


def i4_no_execution_but_the_exchanges(x: Truth) -> Iterator[str]:
    theirs = x.executions
    for fill in Fill.objects.select_related("order"):
        row = theirs.get(fill.exec_id)
        if row is None:
            yield f"execution {fill.exec_id} is not the exchange's"
            continue
        said = (D(row["execQty"]), D(row["execPrice"]), D(row["execFee"]), row["feeCurrency"])
        if (fill.quantity, fill.price, fill.fee, fill.fee_coin) != said:
            yield f"execution {fill.exec_id} is kept otherwise than {said}"
        if row["orderLinkId"] != fill.order.client_id:
            yield f"execution {fill.exec_id} is booked on {fill.order.client_id}"


def i4_executions_are_equal(x: Truth) -> Iterator[str]:
    ours = set(Fill.objects.values_list("exec_id", flat=True))
    for name in x.our_executions - ours:
        yield f"execution {name} of {x.executions[name]['orderLinkId']} is missing here"
    for fill in Fill.objects.filter(booked=False):
        yield f"execution {fill.exec_id} is not booked"


def i5_nothing_is_sold_short(x: Truth) -> Iterator[str]:
    for coin, line in x.state["wallet"].items():
        if D(line["free"]) < 0 or D(line["total"]) < 0:
            yield f"{coin}: {line}"
    for cell in Cell.objects.filter(held__lt=0):
        yield f"{cell} holds {cell.held}"


def i6_open_orders_are_equal(x: Truth) -> Iterator[str]:
    ours = set(
        Order.objects.filter(status__in=OPEN, settled=False).values_list("client_id", flat=True)
    )
    for link in ours - x.open_links:
        yield f"{link} rests only in our records"
    for link in x.open_links - ours:
        yield f"{link} rests only on the exchange"
    for order in Order.objects.filter(status__in=(OrderStatus.SENT, OrderStatus.UNKNOWN)):
        yield f"{order.client_id} is {order.status} still"


def i8_cells_hold_what_fills_left(_: Truth) -> Iterator[str]:
    for bot in Bot.objects.select_related("config"):
        pair = Instrument.objects.filter(symbol=bot.symbol).first()
        if pair is None or bot.config is None:
            continue
        held = ZERO
        for fill in bot.fills.filter(booked=True):
            held += fill.quantity if fill.side == Side.BUY else -fill.quantity
            held -= fill.fee if fill.fee_coin == pair.base else ZERO
        cells = sum((cell.held for cell in bot.config.cells.all()), ZERO)
        if cells != held:
            yield f"{bot}: cells hold {cells}, fills left {held}"


def i9_no_cell_is_stuck(_: Truth) -> Iterator[str]:
    # A refused order waits to be tried again: its cell will say so at the next look.
    over = CLOSED - {OrderStatus.REJECTED}
    standing = Order.objects.filter(settled=False).exclude(status__in=over)
    busy = set(standing.values_list("config", "cell"))
    for cell in Cell.objects.filter(reason=""):
        if (cell.config_id, cell.index) not in busy:
            yield f"cell {cell.config_id}/{cell.index} has neither an order nor a reason"


def i11_what_is_sent_fits_the_filters(x: Truth) -> Iterator[str]:
    pairs = {row.symbol: row.to_domain() for row in Instrument.objects.all()}
    for row in x.ours:
        pair, price, qty = pairs[row["symbol"]], D(row["price"]), D(row["qty"])
        if not (PLAIN.fullmatch(row["price"]) and PLAIN.fullmatch(row["qty"])):
            yield f"{row['orderLinkId']} was written {row['price']} {row['qty']}"
        if price % pair.tick or qty % pair.lot or not pair.tradable(price, qty):
            yield f"{row['orderLinkId']}: {qty} at {price} does not fit {pair}"


def i15_no_grid_commits_more_than_its_capital(x: Truth) -> Iterator[str]:
    """What its cells cost and what its buys would cost, by the exchange's own word.

    A grid that began below its range was sized on that price: its whole ladder may cost more.
    """
    resting: dict[str, Decimal] = defaultdict(Decimal)
    for row in x.ours:
        slot = ids.slot(row["orderLinkId"])
        if slot and row["side"] == "Buy":
            resting[slot.grid] += D(row["leavesQty"]) * D(row["price"])
    for config in GridConfig.objects.all():
        cells = config.cells.all()
        held = sum((cell.cost for cell in cells), ZERO)
        ladder = sum((cell.quantity * cell.low for cell in cells), ZERO)
        if held + resting[config.grid_name] > max(config.capital, ladder):
            yield f"{config}: {held} held and {resting[config.grid_name]} on the way"


def i16_no_price_that_cannot_be(_: Truth) -> Iterator[str]:
    for row in Price.objects.all():
        for name in ("last", "bid", "ask"):
            value = getattr(row, name)
            if not value.is_finite() or value <= 0:
                yield f"{row.symbol} {name} is {value}"


def i19_ids_are_used_once_and_in_turn(x: Truth) -> Iterator[str]:
    links = [row["orderLinkId"] for row in x.state["orders"]]
    for link, count in Counter(links).items():
        if count > 1 or not LINK.fullmatch(link):
            yield f"{link} was used {count} times"
    known = dict(Order.objects.values_list("client_id", "status"))
    for link in known:
        slot = ids.slot(link)
        before = slot and slot.attempt and ids.client_id(slot._replace(attempt=slot.attempt - 1))
        if before and before in x.open_links:
            yield f"{before} rests although {link} was made"
        if before and before in known and not OrderStatus(known[before]).is_closed:
            yield f"{before} is {known[before]} although {link} was made"


def i20_everything_follows_from_the_fills(_: Truth) -> Iterator[str]:
    for config in GridConfig.objects.all():
        again = rebuild.rebuild(config)
        if again is not None:
            yield from rebuild.differences(again)


def i23_foreign_orders_are_untouched(x: Truth) -> Iterator[str]:
    for row in x.foreign:
        if row["cancelType"] == "CancelByUser":
            yield f"foreign order {row['orderId']} was cancelled"


ALWAYS: tuple[Predicate, ...] = (
    i1_every_open_order_of_ours_is_known,
    i2_one_order_at_a_time_for_each_cell,
    i4_no_execution_but_the_exchanges,
    i5_nothing_is_sold_short,
    i8_cells_hold_what_fills_left,
    i11_what_is_sent_fits_the_filters,
    i15_no_grid_commits_more_than_its_capital,
    i16_no_price_that_cannot_be,
    i19_ids_are_used_once_and_in_turn,
    i23_foreign_orders_are_untouched,
)
QUIET: tuple[Predicate, ...] = (
    *ALWAYS,
    i3_wallet_is_ledger,
    i3_what_others_did_is_in_our_books,
    i4_executions_are_equal,
    i6_open_orders_are_equal,
    i9_no_cell_is_stuck,
    i20_everything_follows_from_the_fills,
)


def broken(state: Mapping[str, Any], which: tuple[Predicate, ...] = QUIET) -> list[str]:
    """All that is broken, each with the name of its predicate."""
    truth = Truth(state)
    return [f"{each.__name__}: {said}" for each in which for said in each(truth)]


@dataclass(slots=True)
class Watch:
    """I13: what may only grow, compared from look to look."""

    _cum: dict[str, Decimal] = field(default_factory=dict)
    _trips: dict[int, int] = field(default_factory=dict)
    _epochs: dict[int, int] = field(default_factory=dict)

    def look(self) -> list[str]:
        found = []
        for link, cum in Order.objects.values_list("client_id", "filled"):
            if cum < self._cum.get(link, ZERO):
                found.append(f"i13: filled of {link} fell from {self._cum[link]} to {cum}")
            self._cum[link] = cum
        for pk, trip in Cell.objects.values_list("pk", "trip"):
            if trip < self._trips.get(pk, 0):
                found.append(f"i13: trip of cell {pk} fell from {self._trips[pk]} to {trip}")
            self._trips[pk] = trip
        for pk, epoch in Bot.objects.values_list("pk", "epoch"):
            if epoch < self._epochs.get(pk, 0):
                found.append(f"i13: epoch of bot {pk} fell to {epoch}")
            self._epochs[pk] = epoch
        too_much = Order.objects.filter(filled__gt=F("quantity"))
        return found + [
            f"i4: {order} filled {order.filled} of {order.quantity}" for order in too_much
        ]
