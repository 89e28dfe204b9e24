"""The ledger computed again from what caused it, in Python: the proof of what the database posted.

The database posts by its own rules (migration 0012); these here are written from the contract a
second time. A booking that is not what it should be is never changed: a correction follows it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from django.db import transaction

from bots.models import Booking, BookLine, Bot, CapitalMove, Fill, GridConfig
from market.models import Instrument
from market.types import ZERO, Side, plain

Account = BookLine.Account
Key = tuple[str, int | None, str]  # account, bot, coin
Amounts = Counter[Key]  # Decimal amounts; a Counter so that equal accounts add up
Cause = Fill | CapitalMove | GridConfig


@dataclass(frozen=True, slots=True)
class Mistake:
    """A cause whose bookings are not what it should have posted, and what is missing."""

    cause: Cause
    missing: Mapping[Key, Decimal]

    def __str__(self) -> str:
        lines = ", ".join(
            f"{account} {plain(amount)} {coin}"
            for (account, _, coin), amount in sorted(self.missing.items(), key=str)
        )
        return f"ledger of {type(self.cause).__name__.lower()} {self.cause}: {lines} missing"


def of_fill(fill: Fill, pair: Instrument) -> Mapping[Key, Decimal]:
    """What a fill moves: goods, money, and the fee."""
    sign = 1 if fill.side == Side.BUY else -1
    bot = fill.bot_id
    moved: dict[Key, Decimal] = defaultdict(lambda: ZERO)
    moved[Account.BOT, bot, pair.base] += sign * fill.quantity
    moved[Account.MARKET, bot, pair.base] -= sign * fill.quantity
    moved[Account.BOT, bot, pair.quote] -= sign * fill.quantity * fill.price
    moved[Account.MARKET, bot, pair.quote] += sign * fill.quantity * fill.price
    moved[Account.FEES, bot, fill.fee_coin] += fill.fee
    if fill.fee_coin in {pair.base, pair.quote}:
        moved[Account.BOT, bot, fill.fee_coin] -= fill.fee
    else:
        moved[Account.FREE, None, fill.fee_coin] -= fill.fee
        moved[Account.FREE, None, pair.quote] += fill.fee_worth or ZERO
        moved[Account.BOT, bot, pair.quote] -= fill.fee_worth or ZERO
    return moved


def of_move(move: CapitalMove) -> Mapping[Key, Decimal]:
    """Coins that came from outside, or went there."""
    return {
        (Account.FREE, None, move.coin): move.amount,
        (Account.OUTSIDE, None, move.coin): -move.amount,
    }


def of_capital(bot: Bot, quote: str, change: Decimal) -> Mapping[Key, Decimal]:
    """Free quote given to a grid, or given back by it."""
    return {(Account.BOT, bot.pk, quote): change, (Account.FREE, None, quote): -change}


def mistakes(bot: Bot | None = None) -> Iterator[Mistake]:
    """Every cause of which the ledger says otherwise: a bot's, or all and capital moves too."""
    kept = _kept(bot)
    pairs = {pair.symbol: pair for pair in Instrument.objects.all()}
    for cause, should in _causes(bot, pairs):
        has = kept.pop((type(cause).__name__, cause.pk), {})
        missing = {
            key: amount
            for key in should.keys() | has.keys()
            if (amount := should.get(key, ZERO) - has.get(key, ZERO))
        }
        if missing:
            yield Mistake(cause, missing)


def _causes(
    bot: Bot | None, pairs: Mapping[str, Instrument]
) -> Iterator[tuple[Cause, Mapping[Key, Decimal]]]:
    bots = [bot] if bot is not None else list(Bot.objects.all())
    for fill in Fill.objects.filter(bot__in=bots).order_by("id").iterator():
        yield fill, of_fill(fill, pairs[fill.symbol])
    for one in bots:
        given = ZERO
        begun = one.configs.exclude(began_at=None).order_by("version")
        for config in begun:
            yield config, of_capital(one, pairs[one.symbol].quote, config.capital - given)
            given = config.capital
    if bot is None:
        for move in CapitalMove.objects.order_by("id"):
            yield move, of_move(move)


def _kept(bot: Bot | None) -> dict[tuple[str, int], dict[Key, Decimal]]:
    """What the ledger has, by cause."""
    lines = BookLine.objects.order_by()
    if bot is not None:
        causes = Booking.objects.filter(fill__bot=bot) | Booking.objects.filter(config__bot=bot)
        lines = lines.filter(booking__in=causes.values("pk"))
    found: dict[tuple[str, int], dict[Key, Decimal]] = defaultdict(
        lambda: defaultdict(lambda: ZERO)
    )
    rows = lines.values_list(
        "booking__fill", "booking__move", "booking__config", "account", "bot", "coin", "amount"
    )
    for fill, move, config, account, owner, coin, amount in rows.iterator():
        name, key = _cause(fill, move, config)
        found[name, key][account, owner, coin] += amount
    return found


def _cause(fill: int | None, move: int | None, config: int | None) -> tuple[str, int]:
    for name, key in (("Fill", fill), ("CapitalMove", move), ("GridConfig", config)):
        if key is not None:
            return name, key
    raise ValueError("a booking has a cause: the database sees to that")


@transaction.atomic
def correct(mistake: Mistake) -> Booking:
    """Post what is missing; what was posted stays."""
    cause = mistake.cause
    fields = {"fill": Fill, "move": CapitalMove, "config": GridConfig}
    field = next(name for name, kind in fields.items() if isinstance(cause, kind))
    at = getattr(cause, {"fill": "time", "move": "at", "config": "began_at"}[field])
    booking = Booking.objects.create(kind=Booking.Kind.CORRECTION, at=at, **{field: cause})
    BookLine.objects.bulk_create(
        BookLine(booking=booking, account=account, bot_id=bot, coin=coin, amount=amount)
        for (account, bot, coin), amount in mistake.missing.items()
    )
    return booking
