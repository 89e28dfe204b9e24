"""What the exchange, or somebody else on the account, does by itself: fills, cancels, transfers."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from integrations.bybit.simulator.account import Request
from integrations.bybit.simulator.facts import Deposited, Ended, Order
from integrations.bybit.simulator.faults import DEEDS, Faults, Switch
from integrations.bybit.simulator.fees import Rates
from integrations.bybit.simulator.market import Market
from integrations.bybit.simulator.venue import Venue
from integrations.bybit.simulator.wire import ApiError, Json
from market.types import ONE, ZERO, MalformedNumber, Side, decimal

#: Bybit v5, enums, cancelType: reasons for an end that nobody asked for.
REASONS = {
    "CancelByUser": "EC_PerCancelRequest",
    "CancelBySmp": "EC_BySelfMatch",
    "UNKNOWN": "EC_PostOnlyWillTakeLiquidity",
}
CENT = Decimal("0.00000001")


@dataclass(slots=True)
class Deeds:
    """Does them to a venue. Nothing happens where there is nothing to do it to."""

    venue: Venue
    faults: Faults
    say: Callable[[str, list[Json]], None]  # a private topic's rows, for frames out of turn
    stepped: bool

    def look(self) -> None:
        """Do what the dice say; called at every step, or every second of the machine's clock."""
        for kind in DEEDS:
            if switch := self.faults.drawn(kind):
                self.do(switch)

    def do(self, switch: Switch) -> None:
        """Do one thing now. Raises ApiError (an HTTP status) when the options make no sense."""
        try:
            getattr(self, f"_{switch.kind}")(switch)
        except MalformedNumber as error:
            raise ApiError(400, f"{switch.kind}: {error}") from error

    # Orders

    def fill(self, order: Order, quantity: Decimal) -> None:
        """Somebody trades with a resting order, wherever price is."""
        account, now = self.venue.account, self.venue.now
        self.venue.happen([account.fill_resting(order, now, part=quantity)])

    def end(self, order: Order, cancel_type: str, reason: str = "") -> None:
        """Take an order off the book."""
        why = reason or REASONS.get(cancel_type, "EC_Others")
        self.venue.happen([Ended(order.order_id, cancel_type, why, self.venue.now)])

    def _cancel(self, switch: Switch) -> None:
        if order := self._one(switch):
            self.end(order, str(switch["type"]))

    def _part_fill(self, switch: Switch) -> None:
        order = self._one(switch)
        if order is None:
            return
        lots = self.venue.markets[order.symbol].pair.instrument.quantity
        part = lots(order.leaves * decimal(switch["share"]))
        if part:
            self.fill(order, part)
        if switch["cancel"] and not order.is_closed:
            self.end(order, "CancelByAdmin")

    def _one(self, switch: Switch) -> Order | None:
        """The open order that was named, or any that a client named itself."""
        account = self.venue.account
        mine = [
            order
            for book in account.open.values()
            for order in book.values()
            if not order.link_id.isdecimal() and switch["link"] in ("", order.link_id)
        ]
        return self.faults.choice(mine) if mine else None

    # Money

    def _withdraw(self, switch: Switch) -> None:
        coin = str(switch["coin"])
        share = decimal(switch["share"]) * self.venue.account.wallet[coin].free
        amount = share.quantize(CENT, "ROUND_DOWN")
        if amount > 0:
            self.venue.happen([Deposited(coin, -amount)])

    def _deposit(self, switch: Switch) -> None:
        self.venue.happen([Deposited(str(switch["coin"]), decimal(switch["amount"]))])

    def _fees(self, switch: Switch) -> None:
        coin = str(switch["coin"])
        worth = self.venue.dollars(coin) if coin else ZERO
        if coin and not worth:
            raise ApiError(400, f"nothing here prices {coin!r}, so it cannot pay fees")
        self.venue.account.rates = Rates(
            decimal(switch["maker"]), decimal(switch["taker"]), coin, worth
        )

    def _open_orders_cap(self, switch: Switch) -> None:
        self.venue.account.open_limit = int(switch["most"])

    # Others

    def _foreign_order(self, switch: Switch) -> None:
        market, side = self._market(switch), Side(switch["side"])
        away = ONE - decimal(switch["away"]) * (1 if side is Side.BUY else -1)
        rules = market.pair.instrument
        price = rules.price(market.price * away)
        self._place(market, side, "Limit", price, rules.quantity(20 / price))

    def _foreign_trade(self, switch: Switch) -> None:
        market, side = self._market(switch), Side(switch["side"])
        rules = market.pair.instrument
        quantity = rules.quantity(decimal(switch["value"]) / market.price)
        self._place(market, side, "Market", ZERO, quantity)

    def _place(self, market: Market, side: Side, kind: str, price: Decimal, qty: Decimal) -> None:
        """An order without a client's name; an account that cannot pay for it has none."""
        tif, unit = ("GTC", "") if kind == "Limit" else ("IOC", "baseCoin")
        ask = Request(market.pair.symbol, side, kind, tif, price, qty, unit, "")
        try:
            self.venue.place(ask)
        except ApiError:
            return

    def _market(self, switch: Switch) -> Market:
        symbol = str(switch["symbol"])
        if symbol and symbol not in self.venue.markets:
            raise ApiError(400, f"no pair {symbol!r} here")
        return self.venue.markets[symbol or self.faults.choice(list(self.venue.markets))]

    def _jump(self, switch: Switch) -> None:
        if not self.stepped:
            raise ApiError(409, "time runs by itself here; start with --speed 0 to let price jump")
        market = self._market(switch)
        goal = market.pair.instrument.price(market.price * (ONE + decimal(switch["share"])))
        self.venue.step({market.pair.symbol: goal}, 1)
