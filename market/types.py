"""The vocabulary of the house: what a market is and says, and the only place that rounds."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_UP, Decimal
from enum import StrEnum

ZERO = Decimal(0)
ONE = Decimal(1)


class MalformedNumber(ValueError):
    """A text that should be a finite decimal number is not one."""


def decimal(text: str | int | Decimal) -> Decimal:
    """Read a finite number from the wire. Floats are refused: they have lost digits already.

    Raises MalformedNumber for anything else, "" (Bybit's "no value"), NaN and infinities included.
    """
    if isinstance(text, float):
        raise MalformedNumber(f"{text!r} is a float; money is read from text")
    try:
        number = Decimal(text)
    except ArithmeticError as error:
        raise MalformedNumber(f"{text!r} is not a decimal number") from error
    if not number.is_finite():
        raise MalformedNumber(f"{text!r} is not a finite number")
    return number


def plain(number: Decimal) -> str:
    """Write a number for the wire: no exponent, no trailing zeros ("0.00000416", "97000", "0")."""
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def step_round(number: Decimal, step: Decimal, rounding: str) -> Decimal:
    """`number` moved to a multiple of `step` by a `decimal` rounding mode; the sign is kept."""
    return (number / step).to_integral_value(rounding) * step


class Side(StrEnum):
    """Side of an order, in Bybit's spelling."""

    BUY = "Buy"
    SELL = "Sell"

    @property
    def opposite(self) -> "Side":
        return Side.SELL if self is Side.BUY else Side.BUY


# Why a post-only order was cancelled on arrival, in Bybit's words (v5, enum rejectReason).
POST_ONLY_REFUSED = "EC_PostOnlyWillTakeLiquidity"


class TimeInForce(StrEnum):
    """How long an order may rest, in Bybit's spelling."""

    POST_ONLY = "PostOnly"  # rests or is cancelled; never takes
    GTC = "GTC"  # takes what it can at its price or better, the rest rests
    IOC = "IOC"  # takes what it can at its price or better, the rest is cancelled


class OrderStatus(StrEnum):
    """Life of an order as we know it: in flight, open, or closed."""

    NEW = "NEW"  # the intent is committed, nothing was sent
    SENT = "SENT"  # on the wire, no answer yet
    UNKNOWN = "UNKNOWN"  # the answer proves nothing; must be looked up
    OPEN = "OPEN"
    PARTIAL = "PARTIAL"
    CANCEL_SENT = "CANCEL_SENT"
    CANCEL_UNKNOWN = "CANCEL_UNKNOWN"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    NEVER_SENT = "NEVER_SENT"  # the intent was withdrawn before it was sent

    @property
    def is_closed(self) -> bool:
        return self in CLOSED

    @property
    def is_open(self) -> bool:
        """Resting on the exchange, as far as we know."""
        return self in OPEN


IN_FLIGHT = frozenset({OrderStatus.NEW, OrderStatus.SENT, OrderStatus.UNKNOWN})
OPEN = frozenset(
    {
        OrderStatus.OPEN,
        OrderStatus.PARTIAL,
        OrderStatus.CANCEL_SENT,
        OrderStatus.CANCEL_UNKNOWN,
    }
)
CLOSED = frozenset(
    {
        OrderStatus.FILLED,
        OrderStatus.CANCELLED,
        OrderStatus.REJECTED,
        OrderStatus.NEVER_SENT,
    }
)


@dataclass(frozen=True, slots=True)
class Instrument:
    """A spot pair and the exchange's filters for it (Bybit v5, market/instruments-info)."""

    symbol: str
    base: str
    quote: str
    tick: Decimal  # price step, in quote
    lot: Decimal  # quantity step, in base (Bybit: basePrecision)
    min_notional: Decimal  # least price x quantity of an order, in quote (Bybit: minOrderAmt)
    max_limit_quantity: Decimal  # in base (Bybit: maxLimitOrderQty)

    def price(self, number: Decimal) -> Decimal:
        """The nearest price on the tick, half to even."""
        return step_round(number, self.tick, ROUND_HALF_EVEN)

    def price_down(self, number: Decimal) -> Decimal:
        return step_round(number, self.tick, ROUND_DOWN)

    def price_up(self, number: Decimal) -> Decimal:
        return step_round(number, self.tick, ROUND_UP)

    def quantity(self, number: Decimal) -> Decimal:
        """The largest tradable quantity not above `number` (lots are never rounded up)."""
        return step_round(number, self.lot, ROUND_DOWN)

    def tradable(self, price: Decimal, quantity: Decimal) -> bool:
        """Whether an order of this size is large enough for the exchange."""
        return quantity >= self.lot and price * quantity >= self.min_notional


@dataclass(frozen=True, slots=True)
class Tick:
    """What a market says now. `time` is the exchange's clock, in ms since 1970 UTC."""

    symbol: str
    last: Decimal
    bid: Decimal
    ask: Decimal
    time: int


@dataclass(frozen=True, slots=True)
class Candle:
    """One bar. `time` is its opening (exchange clock, ms); volume is base, turnover quote."""

    symbol: str
    interval: str  # Bybit's spelling: "1", "5", "60", "D"
    time: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    turnover: Decimal
    closed: bool = True

    def faults(self) -> Iterable[str]:
        """Why this bar cannot be true; nothing when it can."""
        prices = (self.open, self.high, self.low, self.close)
        if not all(price.is_finite() and price > 0 for price in prices):
            yield "prices must be finite and above zero"
        elif not self.low <= min(self.open, self.close) <= max(self.open, self.close) <= self.high:
            yield "high and low must enclose open and close"
        if not (self.volume.is_finite() and self.volume >= 0):
            yield "volume must be finite and not negative"


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """An order to be placed: a spot limit order, named by us. Our market orders are bounded IOC."""

    client_id: str
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal  # base
    time_in_force: TimeInForce = TimeInForce.POST_ONLY


@dataclass(frozen=True, slots=True)
class Order:
    """An order as the exchange, or our own record, last described it."""

    client_id: str
    order_id: str  # the exchange's; "" until it is known
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal  # base, whole order
    filled: Decimal  # base, so far (Bybit: cumExecQty)
    status: OrderStatus
    time_in_force: TimeInForce = TimeInForce.POST_ONLY
    reason: str = ""  # why it was refused or cancelled, in the exchange's words
    updated: int = 0  # exchange clock, ms

    @property
    def post_only_refused(self) -> bool:
        """Whether it was turned away because it would have taken: its price has been passed."""
        return self.time_in_force is TimeInForce.POST_ONLY and self.reason == POST_ONLY_REFUSED


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution: a fact, whole or part of an order. `time` is the exchange's clock, ms."""

    exec_id: str
    order_id: str
    client_id: str
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal  # base, before fees
    fee: Decimal  # in `fee_coin`; negative is a rebate
    fee_coin: str
    is_maker: bool
    time: int
    fee_worth: Decimal = ZERO  # in quote, of a fee in a third coin

    @property
    def notional(self) -> Decimal:
        """Price x quantity, in quote, before fees."""
        return self.price * self.quantity


@dataclass(frozen=True, slots=True)
class Balance:
    """A coin in the account."""

    coin: str
    total: Decimal
    locked: Decimal

    @property
    def free(self) -> Decimal:
        return self.total - self.locked


def moment(milliseconds: int) -> datetime:
    """The UTC moment of an exchange time stamp."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def milliseconds(time: datetime) -> int:
    """The exchange time stamp of a moment."""
    return round(time.timestamp() * 1000)
