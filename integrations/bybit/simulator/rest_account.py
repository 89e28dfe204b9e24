"""Bybit v5's account and key endpoints."""

from collections.abc import Callable

from integrations.bybit.simulator import checks
from integrations.bybit.simulator.checks import Params
from integrations.bybit.simulator.rows import wallet_row
from integrations.bybit.simulator.venue import Venue
from integrations.bybit.simulator.wire import ApiError, Json, machine_ms
from market.types import plain

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
    checks.spot(params)
    symbol, rates = checks.text(params, "symbol"), venue.account.rates
    symbols = [venue.market(symbol).pair.symbol] if symbol else list(venue.markets)
    row = {"takerFeeRate": plain(rates.taker), "makerFeeRate": plain(rates.maker)}
    return {"list": [{"symbol": symbol, **row} for symbol in symbols]}


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
