"""What held each bot back and when, on the exchange's clock: looked at every few seconds."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from bots.models import Bot, Spell
from bots.safety.guarding import gate_of, subjects_of
from bots.terms import bounds_of, references_of
from market.models import Price
from risk.guard import limits_for
from risk.halts import ALL
from risk.models import Guard

Kind = Spell.Kind
UNSEEN = timedelta(seconds=30)  # machine's clock: nobody looked for so long, so nobody was at work
_WORKS = {Bot.State.RUNNING, Bot.State.DEPLOYING}


def record() -> None:
    """Lengthen each built bot's newest spell, or begin another."""
    prices = {price.symbol: price for price in Price.objects.all()}
    for bot in Bot.objects.exclude(deployed_at=None).select_related("config"):
        if (price := prices.get(bot.symbol)) is not None:
            _look(bot, price)


@transaction.atomic
def _look(bot: Bot, price: Price) -> None:
    kind, now = kind_of(bot, price), timezone.now()
    newest = Spell.objects.select_for_update().filter(bot=bot).order_by("-id").first()
    seen = newest is not None and now - newest.seen_at < UNSEEN
    if newest is not None and seen:
        newest.until, newest.seen_at = max(price.time, newest.until), now
        newest.save(update_fields=["until", "seen_at"])
        if newest.kind == kind:
            return
    since = newest.until if newest is not None and seen else price.time
    Spell.objects.create(bot=bot, kind=kind, since=since, until=since, seen_at=now)


def kind_of(bot: Bot, price: Price) -> Kind:
    """What stands in the bot's way now; the gravest of several."""
    if bot.state not in {*_WORKS, Bot.State.PAUSED} or limits_for(*subjects_of(bot)).no_sells:
        return Kind.HALTED
    closed = Guard.objects.filter(
        subject__in=(ALL, *subjects_of(bot)), no_buys=True, state=Guard.State.TRIPPED
    )
    subjects = set(closed.values_list("subject", flat=True))
    config = bot.config
    gates = {gate_of(pair) for pair in references_of(config)} if config is not None else set()
    if subjects - gates:
        return Kind.HALTED
    if bot.state == Bot.State.PAUSED:
        return Kind.PAUSED
    if subjects:
        return Kind.GATE
    if config is not None:
        lowest, highest = bounds_of(config)
        if not lowest <= price.last <= highest:
            return Kind.OUTSIDE
    return Kind.FREE
