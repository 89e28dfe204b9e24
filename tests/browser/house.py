"""Four seeded bots with resting orders and a few fills, as a stream and a worker leave them."""

from dataclasses import replace
from decimal import Decimal

from bots import runner
from bots.books import facts
from bots.models import Bot, Order
from bots.seeds import seed_bots
from market import ingest
from market.types import Candle, Fill, OrderStatus, Side
from tests.browser.venue import PAIRS, PRICES, START, Venue, tick

QUARTER_MS = 900_000
QUIET = lambda _bot: None  # noqa: E731 - a page that nobody watches


def furnish() -> Venue:
    """Deploy the bots, let each tick until its orders rest, and trade a little."""
    venue = Venue()
    seed_bots()
    quote()
    ingest.record_candles([bar for symbol in PAIRS for bar in day(symbol)])
    run_all(venue)
    settle_entries(venue)
    return venue


def quote() -> None:
    """Every pair's price, come in at this moment."""
    ingest.record_prices([tick(symbol) for symbol in PAIRS])


def run_all(venue: Venue) -> None:
    """One tick of every bot."""
    for bot in Bot.objects.all():
        runner.run_once(bot.pk, venue, QUIET)


def settle_entries(venue: Venue) -> None:
    """Fill the orders that bought the coins of the cells above the price; the sells then rest."""
    for order in [order for order in venue.open_orders() if order.price >= market(order.symbol)]:
        if order.side is Side.BUY:
            fill(venue, order.client_id)
    run_all(venue)


def market(symbol: str) -> Decimal:
    return Decimal(PRICES[symbol])


def day(symbol: str) -> list[Candle]:
    """A day of closes around the price: a wave of a percent."""
    bars = []
    for i in range(97):
        swing = Decimal((i * 3) % 17 - 8) / 1600
        close = PAIRS[symbol].price(market(symbol) * (1 + swing))
        time = START - (96 - i) * QUARTER_MS
        bars.append(Candle(symbol, "1", time, close, close, close, close, Decimal(1), close))
    return bars


def fill(venue: Venue, client_id: str, time: int = START) -> None:
    """The exchange fills a resting order whole and says so."""
    order = replace(
        venue.orders[client_id],
        status=OrderStatus.FILLED,
        filled=venue.orders[client_id].quantity,
    )
    venue.orders[client_id] = order
    facts.record_order(order)
    buys = order.side is Side.BUY
    share = order.quantity if buys else order.quantity * order.price
    facts.record_fill(
        Fill(
            exec_id=f"e-{client_id}",
            order_id=order.order_id,
            client_id=client_id,
            symbol=order.symbol,
            side=order.side,
            price=order.price,
            quantity=order.quantity,
            fee=share / 1000,
            fee_coin=PAIRS[order.symbol].base if buys else "USDT",
            is_maker=True,
            time=time,
        )
    )


def nearest(slug: str, side: Side) -> str:
    """The client id of a bot's resting order of that side that is closest to the price."""
    orders = Order.objects.filter(bot__slug=slug, side=side, status=OrderStatus.OPEN)
    best = orders.order_by("-price" if side is Side.BUY else "price").first()
    assert best is not None, f"{slug} has no {side} resting"
    return best.client_id
