"""What people are told that has no row of its own: streams that stay away, and how the day was."""

from datetime import timedelta

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from bots.models import Bot
from bots.outside import goals, marks
from bots.reports import cards, metrics
from integrations.models import Mark, Parcel
from integrations.notify.addresses import PREFIX
from integrations.notify.channels import announce
from integrations.outbox import Level
from market.models import Price
from risk import pulse

SILENCE = timedelta(seconds=60)
_PRIVATE = f"{pulse.FEED}:private"
_WORKING = (Bot.State.DEPLOYING, Bot.State.RUNNING, Bot.State.PAUSED)


def tell() -> None:
    """Announce what is so now, each once."""
    _silence()
    _disconnection()
    _summary()


def _silence() -> None:
    """Say when no price has come for a while, and when prices come again."""
    newest = Price.objects.aggregate(newest=Max("received_at"))["newest"]
    if newest is None or not Bot.objects.filter(state__in=_WORKING).exists():
        return
    if timezone.now() - newest > SILENCE:
        text = f"the last came at {newest:%Y-%m-%d %H:%M:%S} UTC; the streams try to reconnect"
        announce(f"silence:{newest.isoformat()}", Level.WARNING, "No price comes in", text)
        return
    _end_of("silence:", "Prices come in again")


def _disconnection() -> None:
    """Say when the account's stream stays away, and when it is back."""
    seen = pulse.heard(_PRIVATE)
    if seen is None or not Bot.objects.filter(state__in=_WORKING).exists():
        return
    if timezone.now() - seen > SILENCE:
        text = (
            f"last seen at {seen:%Y-%m-%d %H:%M:%S} UTC; fills are caught up every 30 s meanwhile"
        )
        announce(f"away:{seen.isoformat()}", Level.WARNING, "The account's stream is away", text)
        return
    _end_of("away:", "The account's stream is back")


def _end_of(prefix: str, title: str) -> None:
    """Say, once, that the trouble that was told last under that prefix is over."""
    begun = Parcel.objects.filter(lane__startswith=PREFIX, key__startswith=prefix)
    last = begun.order_by("-id").values_list("key", flat=True).first()
    if last and not marks.told([f"end of {last}"]):
        announce(f"end of {last}", Level.INFO, title)


def _summary() -> None:
    """The day's figures and what they miss, once after each UTC midnight of the machine."""
    today = timezone.now().date()
    mark = marks.mark("notify:summary", today.toordinal())
    if today.toordinal() <= mark.seen:
        return
    state = cards.dashboard()
    totals = state["totals"]
    lines = [f"Equity {totals['equity'] or 'unknown'}, total PnL {totals['total'] or 'unknown'}"]
    lines += [
        f"{card['name']}: {card['state_text']}, grid profit {card['grid_profit']}, "
        f"{card['fills_24h']} fills in 24 h, {card['round_trips']} round trips"
        for card in state["bots"]
    ]
    misses = goals.missed(metrics.metrics())
    with transaction.atomic():
        if misses:
            title = f"Targets missed: {len(misses)}"
            announce(f"targets:{today.isoformat()}", Level.WARNING, title, "\n".join(misses))
        title = f"Daily summary, {today.isoformat()}"
        announce(f"summary:{today.isoformat()}", Level.INFO, title, "\n".join(lines))
        Mark.objects.filter(pk=mark.pk).update(seen=today.toordinal())
