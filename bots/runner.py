"""One tick of one bot: lease, settle what is unknown, decide, save, carry out, release."""

from collections.abc import Callable
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from bots import handover, store, targets
from bots.books import ledger
from bots.engine import Decision, carry_out, decide
from bots.grid.cells import build
from bots.grid.levels import InvalidGrid
from bots.journal import DatabaseJournal
from bots.lookup import settle_unknown
from bots.models import Bot
from bots.safety import pretrade
from bots.safety.agreement import Entrance
from bots.safety.guarding import subjects_of
from bots.terms import spec_of
from market import ingest
from market.about import about
from market.exchange import USUAL, Exchange, Patience
from market.types import Instrument, Tick
from risk.guard import kill_at_work, limits_under
from risk.rules import FREE, Limits, halted, leaving, withheld

PRICE_AGE = timedelta(seconds=5)  # an older price is asked for again
LOOKS_AGAIN = 20  # ticks in a row by one caller; then the next beat goes on
_wallet = pretrade.Wallet()
_entrance = Entrance()

State = Bot.State
Push = Callable[[Bot], None]


def run_once(bot_id: int, exchange: Exchange, push: Push, patience: Patience = USUAL) -> None:
    """Bring a bot's resting orders to what its grid wants, until there is nothing new to see.

    Leaves at once while somebody else works on the bot: they will see the same news. Raises
    ExchangeError when the exchange cannot say what is needed to decide; nothing is lost.
    """
    for _ in range(LOOKS_AGAIN):
        lease = store.take_lease(bot_id)
        if lease is None:
            return
        try:
            with about(bot=lease.bot.slug):
                _tick(lease, exchange, push, patience)
        except store.LostLease:
            return
        finally:
            news = store.release(lease)
        if not news:
            return


def _tick(lease: store.Lease, exchange: Exchange, push: Push, patience: Patience) -> None:
    bot = lease.bot
    if bot.config is None or bot.state in {State.DRAFT, State.STOPPED} or kill_at_work():
        return
    instrument = ingest.instrument(exchange, bot.symbol)
    settle_unknown(lease, exchange, patience)
    loaded = store.load(bot.config, instrument)
    if loaded is None:
        loaded = _start(lease, exchange, instrument)
    elif handover.adopt_late(lease, loaded.grid):
        loaded = store.load(bot.config, instrument)
    if loaded is None:
        return
    price = pretrade.sound_price(exchange, bot.symbol, PRICE_AGE)
    if targets.take_profit(bot, price):
        push(bot)  # what follows is for the next look: there is news
        return
    if bot.next_config is not None and bot.state in handover.STATES:
        decision = handover.advance(lease, loaded, price, limits_of(bot))
    else:
        limits = limits_of(bot)
        decision = decide(
            loaded.grid, loaded.fills, loaded.orders, price, limits, trail=loaded.trail
        )
        decision = _save(lease, loaded, decision, price, exchange)
    store.note_position(lease, decision.grid.position(price.last), price.time)
    carry_out(decision, exchange, DatabaseJournal(lease, patience))
    if bot.state == State.STOPPING and _has_left(loaded, decision):
        store.finish(lease)
    if loaded.fills or decision.settled or not decision.is_quiet:
        push(bot)


def _save(
    lease: store.Lease, loaded: store.Loaded, decision: Decision, price: Tick, exchange: Exchange
) -> Decision:
    """Keep what passes the pre-trade gate. Balances that seem too small are asked for again."""
    closed = _entrance.objection(exchange) if decision.place else ""
    funds = _wallet.funds(exchange) if decision.place else None
    with transaction.atomic():
        allowed = pretrade.passed(lease.bot, loaded, decision, price, funds, closed=closed)
        if allowed.place == decision.place or funds is None or closed:
            store.save(lease, loaded, allowed)
            return allowed
    funds = _wallet.funds(exchange, timedelta(0))
    with transaction.atomic():
        allowed = pretrade.passed(lease.bot, loaded, decision, price, funds)
        store.save(lease, loaded, allowed)
    return allowed


def _start(lease: store.Lease, exchange: Exchange, instrument: Instrument) -> store.Loaded | None:
    """Build the cells on the price of this moment, once the trigger price is reached.

    A grid that cannot be built stops its bot.
    """
    bot = lease.bot
    handover.start_over(lease)
    ledger.open_books(exchange)
    price = pretrade.sound_price(exchange, bot.symbol, PRICE_AGE)
    if not targets.is_triggered(bot, price):
        return None
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


def limits_of(bot: Bot) -> Limits:
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
