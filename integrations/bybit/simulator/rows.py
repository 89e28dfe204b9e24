"""The rows of orders, executions and wallets in Bybit v5's shapes (all numbers are strings)."""

from collections.abc import Callable, Iterable, Mapping
from decimal import ROUND_DOWN, Decimal

from integrations.bybit.simulator.account import Coin, Execution
from integrations.bybit.simulator.facts import Order
from integrations.bybit.simulator.wire import Json
from market.types import ZERO, plain, step_round

CENT = Decimal("0.00000001")


def order_row(order: Order) -> Json:
    """An order (Bybit v5, order/realtime)."""
    average = order.cum_value / order.cum_qty if order.cum_qty else None
    return {
        "orderId": order.order_id,
        "orderLinkId": order.link_id,
        "parentOrderLinkId": "",
        "blockTradeId": "",
        "symbol": order.symbol,
        "price": plain(order.price),
        "qty": plain(order.qty),
        "side": order.side.value,
        "isLeverage": "0",
        "positionIdx": 0,
        "orderStatus": order.status,
        "cancelType": order.cancel_type,
        "rejectReason": order.reason,
        "avgPrice": "" if average is None else plain(step_round(average, CENT, ROUND_DOWN)),
        "leavesQty": plain(order.leaves),
        "leavesValue": plain(_leaves_value(order)),
        "cumExecQty": plain(order.cum_qty),
        "cumExecValue": plain(order.cum_value),
        "cumExecFee": plain(sum(order.fees.values(), ZERO)),
        "cumFeeDetail": {coin: plain(fee) for coin, fee in order.fees.items()},
        "timeInForce": order.tif,
        "orderType": order.kind,
        "stopOrderType": "",
        "orderIv": "",
        "marketUnit": order.market_unit,
        "slippageToleranceType": "UNKNOWN",
        "slippageTolerance": "",
        "triggerPrice": "0",
        "takeProfit": "0",
        "stopLoss": "0",
        "tpslMode": "",
        "ocoTriggerBy": "",
        "tpLimitPrice": "0",
        "slLimitPrice": "0",
        "tpTriggerBy": "",
        "slTriggerBy": "",
        "triggerDirection": 0,
        "triggerBy": "",
        "lastPriceOnCreated": plain(order.last_price),
        "basePrice": plain(order.last_price),
        "reduceOnly": False,
        "closeOnTrigger": False,
        "placeType": "",
        "smpType": order.smp_type,
        "smpGroup": 0,
        "smpOrderId": order.smp_order_id,
        "createdTime": str(order.created),
        "updatedTime": str(order.updated),
        "extraFees": "",
        "rpiTakerAccess": False,
        "rpiMatchedQty": "0",
    }


def _leaves_value(order: Order) -> Decimal:
    """Quote left to trade: for a market buy by amount, the part of it that was not spent."""
    if order.market_unit == "quoteCoin":
        return order.qty - order.cum_value
    return order.leaves * order.price


def order_frame(order: Order) -> Json:
    """An order on the private stream (Bybit v5, websocket/private/order)."""
    return {**order_row(order), "category": "spot", "closedPnl": "0", "feeCurrency": ""}


def execution_row(execution: Execution) -> Json:
    """An execution (Bybit v5, execution/list)."""
    fill, order = execution.fill, execution.order
    return {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderLinkId": order.link_id,
        "side": order.side.value,
        "orderPrice": plain(order.price),
        "orderQty": plain(order.qty),
        "leavesQty": plain(fill.leaves),
        "orderType": order.kind,
        "stopOrderType": "",
        "execFee": plain(fill.fee),
        "feeCurrency": fill.fee_coin,
        "feeRate": plain(fill.fee_rate),
        "execId": fill.exec_id,
        "execPrice": plain(fill.price),
        "execQty": plain(fill.qty),
        "execValue": plain(fill.price * fill.qty),
        "execType": "Trade",
        "execTime": str(fill.time),
        "isMaker": fill.is_maker,
        "markPrice": "",
        "indexPrice": "",
        "underlyingPrice": "",
        "markIv": "",
        "tradeIv": "",
        "closedSize": "",
        "blockTradeId": "",
        "seq": fill.seq,
        "extraFees": "",
    }


def execution_frame(execution: Execution) -> Json:
    """An execution on the private stream (Bybit v5, websocket/private/execution)."""
    return {
        **execution_row(execution),
        "category": "spot",
        "isLeverage": "0",
        "marketUnit": execution.order.market_unit,
        "execPnl": "",
    }


def fast_execution_frame(execution: Execution) -> Json:
    """The little that the fast stream tells: no fee, and no client id of a resting order."""
    row = execution_frame(execution)
    names = ("category", "symbol", "execId", "execPrice", "execQty", "orderId", "isMaker")
    link = "" if row["isMaker"] else row["orderLinkId"]
    kept = {name: row[name] for name in names}
    return {
        **kept,
        "orderLinkId": link,
        "side": row["side"],
        "execTime": row["execTime"],
        "seq": row["seq"],
    }


def wallet_row(
    wallet: Mapping[str, Coin], coins: Iterable[str], dollars: Callable[[str], Decimal]
) -> Json:
    """The account with the lines of `coins` (Bybit v5, account/wallet-balance)."""
    worth = sum((coin.total * dollars(name) for name, coin in wallet.items()), ZERO)
    free = sum((coin.free * dollars(name) for name, coin in wallet.items()), ZERO)
    total, available = _cents(worth), _cents(free)
    return {
        "accountType": "UNIFIED",
        "accountIMRate": "0",
        "accountIMRateByMp": "0",
        "accountMMRate": "0",
        "accountMMRateByMp": "0",
        "accountLTV": "0",
        "totalEquity": total,
        "totalWalletBalance": total,
        "totalMarginBalance": total,
        "totalAvailableBalance": available,
        "totalPerpUPL": "0",
        "totalInitialMargin": "0",
        "totalInitialMarginByMp": "0",
        "totalMaintenanceMargin": "0",
        "totalMaintenanceMarginByMp": "0",
        "coin": [_coin_row(name, wallet.get(name, Coin()), dollars(name)) for name in coins],
    }


def _coin_row(name: str, coin: Coin, dollars: Decimal) -> Json:
    total = plain(coin.total)
    return {
        "coin": name,
        "equity": total,
        "usdValue": _cents(coin.total * dollars),
        "walletBalance": total,
        "locked": plain(coin.locked),
        "free": "",
        "availableToWithdraw": "",
        "availableToBorrow": "",
        "borrowAmount": "0",
        "spotBorrow": "0",
        "accruedInterest": "0",
        "totalOrderIM": "0",
        "totalPositionIM": "0",
        "totalPositionMM": "0",
        "unrealisedPnl": "0",
        "cumRealisedPnl": "0",
        "bonus": "0",
        "marginCollateral": True,
        "collateralSwitch": True,
        "spotHedgingQty": "0",
    }


def _cents(number: Decimal) -> str:
    return plain(step_round(number, CENT, ROUND_DOWN))
