"""Bybit v5's account and key endpoints."""

from collections.abc import Callable

from integrations.bybit.simulator import checks
from integrations.bybit.simulator.checks import Params
from integrations.bybit.simulator.rows import wallet_row
from integrations.bybit.simulator.venue import Venue
from integrations.bybit.simulator.wire import ApiError, Json, machine_ms
from market.types import ZERO, plain

NO_PERMISSIONS = (
    "ContractTrade",
    "Wallet",
    "Options",
    "Derivatives",
    "CopyTrading",
    "BlockTrade",
    "Exchange",
    "NFT",
    "Affiliate",
    "Earn",
)


def wallet_balance(venue: Venue, params: Params) -> Json:
    if checks.needed(params, "accountType") != "UNIFIED":
        raise ApiError(10001, "accountType only support UNIFIED.")
    asked = [coin for coin in checks.text(params, "coin").split(",") if coin]
    wallet = venue.account.wallet
    coins = asked or [name for name, coin in wallet.items() if coin.total or coin.locked]
    return {"list": [wallet_row(wallet, coins, venue.dollars)]}


def account_info(_venue: Venue, _params: Params) -> Json:
    return {
        "unifiedMarginStatus": 5,
        "marginMode": "REGULAR_MARGIN",
        "isMasterTrader": False,
        "spotHedgingStatus": "OFF",
        "updatedTime": str(machine_ms()),
        "dcpStatus": "OFF",
        "timeWindow": 0,
        "smpGroup": 0,
    }


def fee_rate(venue: Venue, params: Params) -> Json:
    """The rates of spot pairs. ccxt asks without a category and means derivatives."""
    if not checks.lists_spot({"category": "linear", **params}):
        return {"list": []}
    symbol, rates = checks.text(params, "symbol"), venue.account.rates
    symbols = [venue.market(symbol).pair.symbol] if symbol else list(venue.markets)
    row = {"takerFeeRate": plain(rates.taker), "makerFeeRate": plain(rates.maker)}
    return {"list": [{"symbol": symbol, **row} for symbol in symbols]}


def settings(_venue: Venue, _params: Params) -> Json:
    """Out-of-band prices are refused, not moved; fees are paid in what is traded, not in MNT."""
    return dict.fromkeys(("lpaSpot", "lpaPerp", "smsef", "fmsef", "deltaEnable"), False)


def spendable(venue: Venue, params: Params) -> Json:
    """order/spot-borrow-check: what an order of this side can be at most; nothing is borrowed."""
    checks.spot(params)
    market, side = venue.market(checks.needed(params, "symbol")), checks.needed(params, "side")
    if side not in ("Buy", "Sell"):
        raise ApiError(10001, "params error: side must be Buy or Sell")
    rules, wallet = market.pair.instrument, venue.account.wallet
    coin = rules.quote if side == "Buy" else rules.base
    free = wallet[coin].free if coin in wallet else ZERO
    quantity = plain(rules.quantity(free / market.price if side == "Buy" else free))
    amount = plain(market.pair.amount(free if side == "Buy" else free * market.price))
    return {
        "symbol": rules.symbol,
        "side": side,
        "maxTradeQty": quantity,
        "maxTradeAmount": amount,
        "spotMaxTradeQty": quantity,
        "spotMaxTradeAmount": amount,
        "borrowCoin": coin,
    }


def coins(venue: Venue, params: Params) -> Json:
    """asset/coin/query-info: the coins of the listed pairs, without any chain to move them on."""
    every = {
        coin: None
        for market in venue.markets.values()
        for coin in (market.pair.instrument.base, market.pair.instrument.quote)
    }
    wanted = checks.text(params, "coin")
    rows = [
        {"name": coin, "coin": coin, "remainAmount": "0", "chains": []}
        for coin in every
        if wanted in ("", coin)
    ]
    return {"rows": rows}


def positions(_venue: Venue, params: Params) -> Json:
    """position/list: spot knows no positions, and other categories trade nothing here."""
    if checks.lists_spot(params):
        raise ApiError(10001, "params error: spot has no positions")
    return {"category": params["category"], "list": [], "nextPageCursor": ""}


def key_info(key: str) -> Callable[[Venue, Params], Json]:
    """user/query-api: a key that may trade spot and nothing else."""

    def answer(_venue: Venue, _params: Params) -> Json:
        return {
            "id": "1",
            "note": "simulator",
            "apiKey": key,
            "readOnly": 0,
            "secret": "",
            "permissions": {"Spot": ["SpotTrade"], **{group: [] for group in NO_PERMISSIONS}},
            "ips": ["127.0.0.1"],
            "type": 1,
            "deadlineDay": -2,
            "expiredAt": "1970-01-01T00:00:00Z",
            "createdAt": "2026-01-01T00:00:00Z",
            "unified": 0,
            "uta": 1,
            "userID": 1,
            "inviterID": 0,
            "vipLevel": "No VIP",
            "mktMakerLevel": "0",
            "affiliateID": 0,
            "rsaPublicKey": "",
            "isMaster": True,
            "parentUid": "0",
            "kycLevel": "LEVEL_DEFAULT",
            "kycRegion": "",
        }

    return answer
