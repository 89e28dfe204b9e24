"""The exchange port on Bybit v5 spot, by REST: live, demo, testnet and our simulator alike."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from integrations.bybit import triggers, wire
from integrations.bybit.client import Revealing
from integrations.bybit.fields import (
    MalformedMessage,
    Row,
    field,
    number,
    positive,
    records,
    rows,
    text,
)
from integrations.bybit.limits import Limits
from integrations.bybit.orders import Orders
from integrations.bybit.orders import checked_client_id as _client_id
from integrations.bybit.orders import checked_symbol as _symbol
from integrations.bybit.refusals import NoSuchPath
from integrations.bybit.session import TIMEOUT, Answer, Session, Told
from market.exchange import (
    USUAL,
    Cancelled,
    ExchangeError,
    FeeRates,
    KeyTerms,
    NotTrading,
    Placed,
    Trigger,
    Unresolved,
)
from market.types import Balance, Candle, Fill, Instrument, Order, OrderRequest, Tick

WEEK_MS = 7 * 86_400_000
CLOCK_SLACK_MS = 60_000  # for what happens while we read
HISTORY_MS = 729 * 86_400_000  # Bybit keeps executions for two years
ORDERS_A_PAGE, FILLS_A_PAGE, BARS_A_PAGE = 50, 100, 1_000
NO_SUCH_SYMBOL = 170121
MINUTES = (1, 3, 5, 15, 30, 60, 120, 240, 360, 720)
BAR_MS = {str(minutes): minutes * 60_000 for minutes in MINUTES} | {
    "D": 86_400_000,
    "W": WEEK_MS,
    "M": 31 * 86_400_000,  # the longest there is
}


class Gateway:
    """market.exchange.Exchange on one spot account. Safe to share between threads.

    Errors are those of market.exchange; see Session for what is repeated (reads, a little) and
    what never is (orders and cancels). Without `limits` it keeps Bybit's rate limits as if it were
    alone on the account. `batches` is for accounts that offer them on spot (demo trading does
    not); `told` hears the outcome of every request. ValueError for a symbol or client id that
    Bybit's alphabet does not allow: that is a fault in our code, and nothing is sent.
    """

    def __init__(
        self,
        rest_url: str,
        key: str | Revealing,
        secret: str | Revealing,
        recv_window: int = USUAL.recv_window // timedelta(milliseconds=1),
        timeout: tuple[float, float] = TIMEOUT,
        *,
        limits: Limits | None = None,
        told: Told | None = None,
        batches: bool = True,
    ) -> None:
        self._session = Session(
            rest_url, key, secret, recv_window, timeout, limits=limits, told=told
        )
        self._orders = Orders(self._session, batches=batches)
        self._instruments: dict[str, Instrument] = {}

    def __repr__(self) -> str:
        return f"Gateway({self._session!r})"

    # Market --------------------------------------------------------------------------------------

    def instruments(self, symbols: Sequence[str]) -> Sequence[Instrument]:
        """The filters of these pairs. Raises NotTrading for a pair that is not open."""
        found = [self._instrument(symbol) for symbol in symbols]
        # Replaced, never changed: other threads read it.
        self._instruments = self._instruments | {pair.symbol: pair for pair in found}
        return found

    def _instrument(self, symbol: str) -> Instrument:
        answer = self._session.get("get_instruments_info", category="spot", symbol=_symbol(symbol))
        for row in records(answer.result, "list"):
            if row.get("symbol") == symbol and row.get("status") == "Trading":
                return wire.instrument(row)
        raise NotTrading(NO_SUCH_SYMBOL, f"{symbol} is not open for spot trading")

    def tick(self, symbol: str) -> Tick:
        """Last trade, best bid and best ask, on the exchange's clock.

        Unresolved while a side is empty.
        """
        answer = self._tickers(symbol)
        row = _only(answer, "symbol", symbol)
        last = positive(row, "lastPrice")
        for name in ("bid1Price", "ask1Price"):
            if row.get(name) in ("", "0"):
                raise Unresolved(f"the book of {symbol} has no {name[:3]} now")
        bid, ask = positive(row, "bid1Price"), positive(row, "ask1Price")
        return Tick(symbol, last, bid, ask, answer.time)

    def market_time_ms(self, symbol: str = "BTCUSDT") -> int:
        """The exchange's clock as it stamps its answers, ms.

        Executions, orders and candles are stamped by it too. Live it is the wall clock; a
        simulator's market may run on another time, and faster.
        """
        return self._tickers(symbol).time

    def _tickers(self, symbol: str) -> Answer:
        answer = self._session.get("get_tickers", category="spot", symbol=_symbol(symbol))
        if answer.time <= 0:
            raise MalformedMessage("the exchange's answer has no time")
        return answer

    def candles(self, symbol: str, interval: str, start: int, end: int) -> Sequence[Candle]:
        """Bars that open in [start, end] (exchange clock, ms), oldest first.

        One bar more is asked for: a bar is closed when a later one exists, whatever any clock says.
        """
        found: dict[int, Candle] = {}
        until, closed = end + _bar_ms(interval), False
        while True:
            before = until
            page = self._bars(symbol, interval, start, until)
            for row in page:  # newest first
                candle = wire.bar(symbol, interval, row, closed=closed)
                closed = True
                if start <= candle.time <= end:
                    found[candle.time] = candle
                until = min(until, candle.time - 1)
            if len(page) < BARS_A_PAGE or until < start or until == before:
                return [found[moment] for moment in sorted(found)]

    def _bars(self, symbol: str, interval: str, start: int, end: int) -> list[list[object]]:
        answer = self._session.get(
            "get_kline",
            category="spot",
            symbol=_symbol(symbol),
            interval=interval,
            start=start,
            end=end,
            limit=BARS_A_PAGE,
        )
        return rows(answer.result, "list")

    def server_time_ms(self) -> int:
        """The exchange's wall clock, ms; signatures are checked against it, not facts."""
        return int(number(self._session.get("get_server_time").result, "timeNano")) // 1_000_000

    # Orders --------------------------------------------------------------------------------------

    @property
    def batch(self) -> int:
        """How many orders or cancels go into one request: 10, or 1 where there are no batches."""
        return self._orders.batch

    def place(self, order: OrderRequest) -> str:
        """Send a limit order once; the exchange's id of it says accepted, no more."""
        (came,) = self._orders.place([order], None)
        if isinstance(came, ExchangeError):
            raise came
        return came

    def place_many(
        self, orders: Sequence[OrderRequest], by: float | None = None
    ) -> Sequence[Placed]:
        """Send several, each once: batches of ten, and singles where those are used up."""
        return self._orders.place(orders, by)

    def cancel(self, symbol: str, client_id: str) -> None:
        """Ask once for a cancel; whether it came in time only the order or its fills can say."""
        (came,) = self._orders.cancel([(symbol, client_id)])
        if came is not None:
            raise came

    def cancel_many(self, orders: Sequence[tuple[str, str]]) -> Sequence[Cancelled]:
        """Ask once for each of several cancels, by symbol and client id."""
        return self._orders.cancel(orders)

    def order(self, symbol: str, client_id: str) -> Order | None:
        """Look one order up among the open and lately closed, then in the history.

        None only when both answered and neither knows it. History may lag, and forgets orders
        cancelled without a fill after 24 hours.
        """
        for endpoint in ("get_open_orders", "get_order_history"):
            answer = self._session.get(
                endpoint,
                category="spot",
                symbol=_symbol(symbol),
                orderLinkId=_client_id(client_id),
            )
            for row in records(answer.result, "list"):
                if row.get("orderLinkId") == client_id:
                    return wire.order(row)
        return None

    def open_orders(self, symbol: str | None = None) -> Sequence[Order]:
        """Everything resting on the spot account, foreign orders included, newest first."""
        where = {"symbol": _symbol(symbol)} if symbol else {}
        found: dict[str, Order] = {}
        for answer in self._session.pages(
            "get_open_orders", limit=ORDERS_A_PAGE, openOnly=0, **where
        ):
            for row in records(answer.result, "list"):
                order = wire.order(row)
                found.setdefault(order.order_id, order)
        return [order for order in found.values() if order.status.is_open]

    def triggers(self) -> Sequence[Trigger]:
        """What waits for a price, of every kind; we make none, so all of it is foreign."""
        return list(triggers.listed(self._session))

    def cancel_trigger(self, trigger: Trigger) -> None:
        triggers.cancel(self._session, trigger)

    # Fills and money -----------------------------------------------------------------------------

    def fills_since(self, since: int, symbol: str | None = None) -> Iterable[Fill]:
        """Executions at or after `since` (exchange clock, ms), oldest first.

        Asked for in windows of seven days, as Bybit demands, up to the market's own clock, which
        the machine's may be far from. Nothing is known of more than two years ago.
        """
        where = {"symbol": _symbol(symbol)} if symbol else {}
        now = self.market_time_ms(symbol or next(iter(self._instruments), "BTCUSDT"))
        start = max(since, now - HISTORY_MS, 1)
        while True:
            window = {"startTime": start, "endTime": start + WEEK_MS - 1}
            pages = self._session.pages("get_executions", limit=FILLS_A_PAGE, **window, **where)
            yield from _oldest_first(fill for answer in pages for fill in self._fills(answer))
            start += WEEK_MS
            if start > now + CLOCK_SLACK_MS:
                return

    def fills_of(self, symbol: str, client_id: str) -> Sequence[Fill]:
        """Executions of one order, oldest first."""
        name = _client_id(client_id)
        pages = self._session.pages(
            "get_executions", limit=FILLS_A_PAGE, symbol=_symbol(symbol), orderLinkId=name
        )
        fills = [fill for answer in pages for fill in self._fills(answer)]
        return _oldest_first(fill for fill in fills if fill.client_id == client_id)

    def _fills(self, answer: Answer) -> list[Fill]:
        trades = [row for row in records(answer.result, "list") if wire.is_spot_trade(row)]
        unnamed = {text(row, "symbol") for row in trades if not row.get("feeCurrency")}
        self.instruments(sorted(unnamed - self._instruments.keys()))
        return [wire.fill(row, self._instruments) for row in trades]

    def balances(self) -> Sequence[Balance]:
        """All coins of the unified account that are not zero."""
        answer = self._session.get("get_wallet_balance", accountType="UNIFIED")
        return [
            balance
            for account in records(answer.result, "list")
            for balance in wire.balances(account)
        ]

    def fee_rates(self, symbol: str) -> FeeRates:
        """Maker and taker rate of a pair. Not offered in demo trading, where it raises."""
        answer = self._session.get("get_fee_rates", category="spot", symbol=_symbol(symbol))
        row = _only(answer, "symbol", symbol)
        return FeeRates(number(row, "makerFeeRate"), number(row, "takerFeeRate"))

    def key_terms(self) -> KeyTerms:
        """What our key may do; not known from a server without that path, as Bybit's is not."""
        try:
            return wire.key_terms(self._session.get("get_api_key_information").result)
        except NoSuchPath:
            return KeyTerms(is_known=False)


def _only(answer: Answer, name: str, value: str) -> Row:
    """The row of a list that has this value."""
    found: list[Row] = [row for row in records(answer.result, "list") if field(row, name) == value]
    if not found:
        raise MalformedMessage(f"the answer has no row with {name} {value}")
    return found[0]


def _oldest_first(fills: Iterable[Fill]) -> list[Fill]:
    """By time, ties by id as Bybit leaves them unordered; a row seen on two pages counts once."""
    known = {fill.exec_id: fill for fill in fills}
    return sorted(known.values(), key=lambda fill: (fill.time, fill.exec_id, fill.order_id))


def _bar_ms(interval: str) -> int:
    """Length of a bar, at most."""
    if interval not in BAR_MS:
        raise ValueError(f"{interval!r} is no interval: {', '.join(BAR_MS)} are accepted")
    return BAR_MS[interval]
