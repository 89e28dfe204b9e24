"""The table of Bybit v5's REST endpoints: a path, how it is asked, and what answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from integrations.bybit.simulator import rest_account, rest_batch, rest_market, rest_trade
from integrations.bybit.simulator.checks import Params
from integrations.bybit.simulator.venue import Venue
from integrations.bybit.simulator.wire import ApiError, Json, Outcome


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A path's method, what answers, whether it is signed, and its budget of calls a second.

    Of a batch, `answer` does one item, and every item counts.
    """

    method: str
    answer: Callable[[Venue, Params], Json]
    signed: bool = True
    per_second: int = 50
    batch: bool = False

    def cost(self, params: Params) -> int:
        """What a call takes from the budget. Raises ApiError when the batch is none."""
        return len(rest_batch.items(params)) if self.batch else 1

    def work(self, venue: Venue, params: Params, passed: int) -> Json | Outcome:
        """Do what is asked, `passed` units of it. Raises ApiError, 10006 beyond the budget."""
        if self.batch:
            return rest_batch.each(venue, params, self.answer, passed)
        if not passed:
            raise ApiError(*rest_batch.TOO_MANY)
        return self.answer(venue, params)


def endpoints(key: str) -> Mapping[str, Endpoint]:
    """Every endpoint by path; `key` is what user/query-api tells about."""
    public = {
        "/v5/market/time": rest_market.market_time,
        "/v5/market/kline": rest_market.kline,
        "/v5/market/tickers": rest_market.tickers,
        "/v5/market/instruments-info": rest_market.instruments,
        "/v5/market/orderbook": rest_market.orderbook,
        "/v5/market/recent-trade": rest_market.recent_trades,
        "/v5/market/price-limit": rest_market.price_limit,
    }
    return {
        **{path: Endpoint("GET", call, signed=False) for path, call in public.items()},
        "/v5/order/create": Endpoint("POST", rest_trade.create, per_second=20),
        "/v5/order/amend": Endpoint("POST", rest_trade.amend, per_second=10),
        "/v5/order/cancel": Endpoint("POST", rest_trade.cancel, per_second=20),
        "/v5/order/cancel-all": Endpoint("POST", rest_trade.cancel_all, per_second=20),
        "/v5/order/create-batch": Endpoint("POST", rest_trade.create, per_second=20, batch=True),
        "/v5/order/amend-batch": Endpoint("POST", rest_trade.amend, per_second=20, batch=True),
        "/v5/order/cancel-batch": Endpoint("POST", rest_trade.cancel, per_second=20, batch=True),
        "/v5/order/realtime": Endpoint("GET", rest_trade.realtime),
        "/v5/order/history": Endpoint("GET", rest_trade.order_history),
        "/v5/execution/list": Endpoint("GET", rest_trade.executions),
        "/v5/account/wallet-balance": Endpoint("GET", rest_account.wallet_balance),
        "/v5/account/info": Endpoint("GET", rest_account.account_info),
        "/v5/account/fee-rate": Endpoint("GET", rest_account.fee_rate, per_second=5),
        "/v5/account/user-setting-config": Endpoint("GET", rest_account.settings),
        "/v5/order/spot-borrow-check": Endpoint("GET", rest_account.spendable),
        "/v5/asset/coin/query-info": Endpoint("GET", rest_account.coins, per_second=5),
        "/v5/position/list": Endpoint("GET", rest_account.positions),
        "/v5/user/query-api": Endpoint("GET", rest_account.key_info(key), per_second=10),
    }
