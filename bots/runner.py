"""One tick of one bot: lease, settle what is unknown, decide, save, carry out, release."""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.utils import timezone

from bots import facts, ledger, store
from bots.control import spec_of
from bots.engine import Decision, carry_out, decide
from bots.grid.cells import build
from bots.grid.levels import InvalidGrid
from bots.guarding import subjects_of
from bots.journal import FIRST_LOOK, GRACE, DatabaseJournal, deadline
from bots.models import Bot, Order
from market import ingest
from market.exchange import Exchange
from market.types import Instrument, OrderStatus
from risk.guard import kill_at_work, limits_under
from risk.rules import FREE, Limits, halted, leaving, withheld

PRICE_AGE = timedelta(seconds=5)  # an older price is asked for again
NEGATIVE_ROUNDS = 2  # look-ups that must find nothing before an order never existed
LOOKS_AGAIN = 20  # ticks in a row by one caller; then the next beat goes on

State = Bot.State
Push = Callable[[Bot], None]


def run_once(bot_id: int, exchange: Exchange, push: Push) -> None:
    """Bring a bot's resting orders to what its grid wants, until there is nothing new to see.

    Leaves at once while somebody else works on the bot: they will see the same news. Raises
    ExchangeError when the exchange cannot say what is needed to decide; nothing is lost.
    """
    for _ in range(LOOKS_AGAIN):
        lease = store.take_lease(bot_id)
        if lease is None:
            return
        try:
            _tick(lease, exchange, push)
        except store.LostLease:
            return
        finally:
            news = store.release(lease)
        if not news:
            return


def _tick(lease: store.Lease, exchange: Exchange, push: Push) -> None:
    bot = lease.bot
    if bot.config is None or bot.state in {State.DRAFT, State.STOPPED} or kill_at_work():
        return
    instrument = ingest.instrument(exchange, bot.symbol)
    _settle_unknown(lease, exchange)
    loaded = store.load(bot.config, instrument)
    if loaded is None:
        loaded = _start(lease, exchange, instrument)
        if loaded is None:
            return
    price = ingest.fresh_price(exchange, bot.symbol, PRICE_AGE)
    decision = decide(loaded.grid, loaded.fills, loaded.orders, price, _limits(bot))
    store.save(lease, loaded, decision)
    carry_out(decision, exchange, DatabaseJournal(lease))
    if bot.state == State.STOPPING and _has_left(loaded, decision):
        store.finish(lease)
    if loaded.fills or decision.settled or not decision.is_quiet:
        push(bot)


def _start(lease: store.Lease, exchange: Exchange, instrument: Instrument) -> store.Loaded | None:
    """Build the cells on the price of this moment; a grid that cannot be built stops its bot."""
    bot = lease.bot
    ledger.open_books(exchange)
    price = ingest.fresh_price(exchange, bot.symbol, PRICE_AGE)
    try:
        grid = build(bot.config.grid_name, spec_of(bot.config), instrument, price.last)
    except InvalidGrid as error:
        Bot.objects.filter(pk=bot.pk, epoch=lease.epoch).update(
            state=State.STOPPED, reason=str(error)[:300], state_since=timezone.now()
        )
        return None
    store.create_cells(lease, grid, deployed=price.time)
    bot.refresh_from_db()
    return store.load(bot.config, instrument)


def _has_left(loaded: store.Loaded, decision: Decision) -> bool:
    """Whether a stopping bot is done: nothing rests or is on its way, nothing is left to sell."""
    unsettled = len(loaded.orders) - len(decision.settled)
    return decision.is_quiet and not unsettled


def _limits(bot: Bot) -> Limits:
    """What this bot may do: its own state beneath risk's gates and halts."""
    return limits_under(_own_limits(bot), *subjects_of(bot))


def _own_limits(bot: Bot) -> Limits:
    reason = bot.reason or bot.get_state_display().lower()
    if bot.state == State.STOPPING and bot.exit == Bot.Exit.SELL:
        return leaving(reason)
    if bot.state == State.PAUSED or (bot.state == State.STOPPING and bot.exit == Bot.Exit.LADDER):
        return withheld(reason)
    if bot.state in {State.RUNNING, State.DEPLOYING}:
        return FREE
    return halted(reason)


def _settle_unknown(lease: store.Lease, exchange: Exchange) -> None:
    """Learn what became of every order whose fate is not proven, before deciding anything."""
    now = timezone.now()
    for row in store.unsettled(lease.bot.config):
        status = OrderStatus(row.status)
        if status is OrderStatus.NEW:
            # Committed by a tick that ended before sending it. That epoch is over: it never will.
            Order.objects.filter(pk=row.pk, status=OrderStatus.NEW).update(
                status=OrderStatus.NEVER_SENT, reason="withdrawn before it was sent"
            )
        elif row.look_after is None or row.look_after > now:
            continue
        elif not status.is_closed:
            _look_up(row, exchange)
        elif row.in_fills < row.filled:
            _fetch_fills(row, exchange)


def _look_up(row: Order, exchange: Exchange) -> None:
    """Ask what an order is, and take in the answer; nothing found is final only past its time."""
    found = exchange.order(row.symbol, row.client_id)
    if found is not None:
        _note_look(row, None if found.status.is_open else timezone.now() + FIRST_LOOK)
        facts.record_order(found)
        if found.filled > row.in_fills:
            _fetch_fills(row, exchange)
        return
    due = deadline(row.sent_at)
    if timezone.now() < due:
        _note_look(row, due)
    elif row.not_found + 1 < NEGATIVE_ROUNDS:
        _note_look(row, timezone.now() + GRACE, row.not_found + 1)
    else:
        Order.objects.filter(pk=row.pk, status=row.status).update(
            status=OrderStatus.REJECTED, reason="it never reached the exchange", look_after=None
        )


def _note_look(row: Order, after: datetime | None, not_found: int = 0) -> None:
    Order.objects.filter(pk=row.pk, status=row.status).update(look_after=after, not_found=not_found)


def _fetch_fills(row: Order, exchange: Exchange) -> None:
    """Get the fills that the order says it has and that we do not."""
    for fill in exchange.fills_of(row.symbol, row.client_id):
        facts.record_fill(fill)
