"""What happened on the account: orders, and the journalled events that change them."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from decimal import Decimal
from typing import Any

from market.types import ZERO, Side, plain

CLOSED = frozenset({"Filled", "Cancelled", "PartiallyFilledCanceled", "Rejected"})


@dataclass(slots=True, eq=False)
class Order:
    """An order as the exchange keeps it. Words are Bybit's; times are the tape's clock, ms."""

    order_id: str
    link_id: str
    symbol: str
    side: Side
    kind: str  # Limit or Market
    tif: str  # PostOnly, GTC, IOC, FOK
    price: Decimal  # of a market order: the bound it works with inside
    qty: Decimal  # as sent: base, or quote for a market buy by amount
    goal: Decimal  # base to trade
    lock_price: Decimal  # quote locked for each base unit of a buy
    market_unit: str  # baseCoin, quoteCoin, or "" for limit orders
    last_price: Decimal  # when it was created
    created: int
    updated: int
    status: str = "New"
    cum_qty: Decimal = ZERO
    cum_value: Decimal = ZERO
    fees: dict[str, Decimal] = field(default_factory=dict)
    cancel_type: str = "UNKNOWN"
    reason: str = "EC_NoError"
    smp_type: str = "None"  # what happens when it would trade with an order of ours
    smp_order_id: str = ""  # the order of ours that it met

    @property
    def leaves(self) -> Decimal:
        """Base still to be traded; nothing once the order is closed."""
        return ZERO if self.is_closed else self.goal - self.cum_qty

    @property
    def is_closed(self) -> bool:
        return self.status in CLOSED


@dataclass(frozen=True, slots=True)
class Deposited:
    """Coins put into the wallet."""

    coin: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Opened:
    """An order was accepted and its funds were locked."""

    order_id: str
    link_id: str
    symbol: str
    side: str
    kind: str
    tif: str
    price: Decimal
    qty: Decimal
    goal: Decimal
    lock_price: Decimal
    market_unit: str
    last_price: Decimal
    time: int
    smp_type: str = "None"

    def order(self) -> Order:
        return Order(
            order_id=self.order_id,
            link_id=self.link_id,
            symbol=self.symbol,
            side=Side(self.side),
            kind=self.kind,
            tif=self.tif,
            price=self.price,
            qty=self.qty,
            goal=self.goal,
            lock_price=self.lock_price,
            market_unit=self.market_unit,
            last_price=self.last_price,
            created=self.time,
            updated=self.time,
            smp_type=self.smp_type,
        )


@dataclass(frozen=True, slots=True)
class Amended:
    """An open order got another price or quantity; its funds are locked anew."""

    order_id: str
    price: Decimal
    qty: Decimal
    goal: Decimal
    lock_price: Decimal
    time: int


@dataclass(frozen=True, slots=True)
class Filled:
    """One execution of an order, whole or part."""

    exec_id: str
    order_id: str
    price: Decimal
    qty: Decimal
    fee: Decimal
    fee_coin: str
    fee_rate: Decimal
    is_maker: bool
    leaves: Decimal  # base left in the order after this
    seq: int
    time: int


@dataclass(frozen=True, slots=True)
class Ended:
    """An order left the book without being filled to the end."""

    order_id: str
    cancel_type: str
    reason: str
    time: int
    smp_order_id: str = ""


Event = Deposited | Opened | Amended | Filled | Ended
_KINDS: Mapping[str, type[Event]] = {
    kind.__name__: kind for kind in (Deposited, Opened, Amended, Filled, Ended)
}
_READERS: Mapping[str, Callable[[Any], Any]] = {
    "Decimal": Decimal,
    "str": str,
    "int": int,
    "bool": bool,
}


def packed(event: Event) -> list[Any]:
    """An event as plain JSON: its name, then its values in order."""
    values = (getattr(event, field.name) for field in fields(event))
    return [
        type(event).__name__,
        *(plain(value) if isinstance(value, Decimal) else value for value in values),
    ]


def unpacked(row: list[Any]) -> Event:
    """The event that `packed` wrote. Raises KeyError, TypeError or ValueError for anything else."""
    kind = _KINDS[row[0]]
    columns = fields(kind)
    # What a later version learnt to write stands last and has a default: older files lack it.
    least = sum(column.default is MISSING for column in columns)
    if not least <= len(row) - 1 <= len(columns):
        raise ValueError(f"{row[0]} has {len(columns)} values, not {len(row) - 1}")
    read = (
        _READERS[column.type if isinstance(column.type, str) else column.type.__name__](value)
        for column, value in zip(columns, row[1:], strict=False)
    )
    return kind(*read)
