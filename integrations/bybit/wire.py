"""Bybit's rows and frames read into our words: tolerant of new fields, strict on those we use."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from integrations.bybit.fields import (
    MalformedMessage,
    Row,
    amount,
    field,
    not_negative,
    number,
    one_of,
    optional_text,
    positive,
    record,
    records,
    stamp,
    text,
)
from market.exchange import KeyTerms
from market.types import (
    ZERO,
    Balance,
    Candle,
    Fill,
    Instrument,
    Order,
    OrderStatus,
    Side,
    TimeInForce,
)

#: Bybit v5, enums, orderStatus. Quantities come from executions, never from these names.
STATUSES = {
    "New": OrderStatus.OPEN,
    "Untriggered": OrderStatus.OPEN,
    "Triggered": OrderStatus.OPEN,
    "PartiallyFilled": OrderStatus.PARTIAL,
    "Filled": OrderStatus.FILLED,
    "Cancelled": OrderStatus.CANCELLED,
    "PartiallyFilledCanceled": OrderStatus.CANCELLED,
    "Deactivated": OrderStatus.CANCELLED,
    "Rejected": OrderStatus.REJECTED,
}
#: FOK and RPI are never ours; a foreign order is shown as its nearest kin.
TIMES_IN_FORCE = {
    "PostOnly": TimeInForce.POST_ONLY,
    "RPI": TimeInForce.POST_ONLY,
    "GTC": TimeInForce.GTC,
    "": TimeInForce.GTC,
    "IOC": TimeInForce.IOC,
    "FOK": TimeInForce.IOC,
}
SIDES = {"Buy": Side.BUY, "Sell": Side.SELL}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NO_REASON = frozenset({"", "EC_NoError", "UNKNOWN"})


def order(row: Row) -> Order:
    """An order of order/realtime, order/history or the order topic, ours or foreign."""
    status = one_of(row, "orderStatus", STATUSES)
    filled = not_negative(row, "cumExecQty")
    if status in (OrderStatus.PARTIAL, OrderStatus.FILLED) and filled == 0:
        raise MalformedMessage(f"an order is {status} with nothing executed")
    at_market = optional_text(row, "orderType") == "Market"  # foreign; its price is no price
    return Order(
        client_id=optional_text(row, "orderLinkId"),
        order_id=text(row, "orderId"),
        symbol=text(row, "symbol"),
        side=one_of(row, "side", SIDES),
        price=not_negative(row, "price") if at_market else positive(row, "price"),
        quantity=positive(row, "qty"),
        filled=filled,
        status=status,
        time_in_force=one_of(row, "timeInForce", TIMES_IN_FORCE),
        reason=_reason(row),
        updated=stamp(row, "updatedTime"),
    )


def _reason(row: Row) -> str:
    said = (optional_text(row, "rejectReason"), optional_text(row, "cancelType"))
    return " ".join(word for word in said if word not in NO_REASON)


def is_spot_trade(row: Row) -> bool:
    """Whether an execution row is a fill of a spot order; funding and the like are not."""
    return row.get("execType") == "Trade" and row.get("category", "spot") == "spot"


def fill(row: Row, instruments: Mapping[str, Instrument] | None = None) -> Fill:
    """An execution of execution/list or the execution topic, for rows that are a spot trade.

    Where the row names no fee coin, Bybit's rule for spot decides, for which the pair must be
    among `instruments`: a buy pays in base and a sell in quote, and a maker's rebate the other
    way round (Bybit v5, spot fee currency).
    """
    side = one_of(row, "side", SIDES)
    is_maker = field(row, "isMaker")
    if not isinstance(is_maker, bool):
        raise MalformedMessage(f"isMaker should be true or false, not {is_maker!r:.80}")
    fee = number(row, "execFee")
    coin = optional_text(row, "feeCurrency") or _fee_coin(
        row, side, instruments, rebate=is_maker and fee < 0
    )
    return Fill(
        exec_id=text(row, "execId"),
        order_id=text(row, "orderId"),
        client_id=optional_text(row, "orderLinkId"),
        symbol=text(row, "symbol"),
        side=side,
        price=positive(row, "execPrice"),
        quantity=positive(row, "execQty"),
        fee=fee + _extra_fees(row, coin),
        fee_coin=coin,
        is_maker=is_maker,
        time=stamp(row, "execTime"),
    )


def _fee_coin(
    row: Row, side: Side, instruments: Mapping[str, Instrument] | None, *, rebate: bool
) -> str:
    instrument = (instruments or {}).get(text(row, "symbol"))
    if instrument is None:
        raise MalformedMessage("an execution names no fee coin, and its pair is not known")
    in_base = (side is Side.BUY) != rebate
    return instrument.base if in_base else instrument.quote


def _extra_fees(row: Row, coin: str) -> Decimal:
    """Taxes that some regions add to the fee, in the same coin."""
    extra = records(row, "extraFees") if row.get("extraFees") else []
    if any(text(tax, "feeCoin") != coin for tax in extra):
        raise MalformedMessage("an execution has an extra fee in another coin than its fee")
    return sum((number(tax, "fee") for tax in extra), ZERO)


def balances(account: Row) -> list[Balance]:
    """Coins that are not zero, of a row of account/wallet-balance or of the wallet topic."""
    coins = [
        Balance(
            coin=text(row, "coin"),
            # What was borrowed is not ours. We never borrow; the account's owner might.
            total=amount(row, "walletBalance") - amount(row, "spotBorrow"),
            locked=not_negative(row, "locked"),
        )
        for row in records(account, "coin")
    ]
    return [coin for coin in coins if coin.total or coin.locked]


def instrument(row: Row) -> Instrument:
    """A spot pair of market/instruments-info."""
    lot, price = record(row, "lotSizeFilter"), record(row, "priceFilter")
    largest = "maxLimitOrderQty" if "maxLimitOrderQty" in lot else "maxOrderQty"
    return Instrument(
        symbol=text(row, "symbol"),
        base=text(row, "baseCoin"),
        quote=text(row, "quoteCoin"),
        tick=positive(price, "tickSize"),
        lot=positive(lot, "basePrecision"),
        min_notional=positive(lot, "minOrderAmt"),
        max_limit_quantity=positive(lot, largest),
    )


def bar(symbol: str, interval: str, row: Sequence[object], *, closed: bool) -> Candle:
    """A row of market/kline: start, open, high, low, close, volume (base), turnover (quote)."""
    names = ("start", "open", "high", "low", "close", "volume", "turnover")
    if not isinstance(row, list) or len(row) < len(names):
        raise MalformedMessage(f"a bar should be a list of seven texts, not {row!r:.80}")
    return _candle(symbol, interval, dict(zip(names, row, strict=False)), closed=closed)


def candles(frame: Row) -> list[Candle]:
    """Bars of a kline topic; `closed` is what Bybit calls confirm."""
    symbol = text(frame, "topic").rpartition(".")[2]
    return [
        _candle(symbol, text(row, "interval"), row, closed=field(row, "confirm") is True)
        for row in records(frame, "data")
    ]


def _candle(symbol: str, interval: str, row: Row, *, closed: bool) -> Candle:
    candle = Candle(
        symbol=symbol,
        interval=interval,
        time=stamp(row, "start"),
        open=positive(row, "open"),
        high=positive(row, "high"),
        low=positive(row, "low"),
        close=positive(row, "close"),
        volume=number(row, "volume"),
        turnover=number(row, "turnover"),
        closed=closed,
    )
    for fault in candle.faults():
        raise MalformedMessage(f"a bar of {symbol} cannot be true: {fault}")
    return candle


def key_terms(result: Row) -> KeyTerms:
    """What the key that asked may do (Bybit v5, user/query-api)."""
    permissions, addresses = record(result, "permissions"), _words(result, "ips")
    expires = optional_text(result, "expiredAt")
    try:
        until = datetime.fromisoformat(expires) if expires else EPOCH
    except ValueError as error:
        raise MalformedMessage(f"expiredAt should be a time, not {expires!r:.80}") from error
    return KeyTerms(
        read_only=field(result, "readOnly") != 0,
        may_trade_spot="SpotTrade" in _words(permissions, "Spot"),
        may_withdraw="Withdraw" in _words(permissions, "Wallet"),
        bound_to_addresses=bool(addresses) and "*" not in addresses,
        expires=until if until > EPOCH else None,  # 1970 stands for never
    )


def _words(row: Row, name: str) -> list[object]:
    value = row.get(name)
    return value if isinstance(value, list) else []
