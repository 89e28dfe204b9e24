"""Delivers notifications by Apprise: the first at once, those of a burst together after a while.

No messenger can be asked whether it has a message, so what a dead sender may have sent goes out
again, marked as a possible repetition and with the same reference: people lose none of them.
"""

import logging
from collections.abc import Sequence
from datetime import timedelta
from functools import partial

import apprise
from django.utils import timezone

from integrations import outbox
from integrations.models import Parcel
from integrations.notify.addresses import Channel
from integrations.notify.channels import channels
from integrations.outbox import Level, NotTaken

GAP = timedelta(seconds=30)  # between two messages of a channel; what is critical does not wait
DIGEST = 50  # parcels in one message
_TYPES = {
    Level.INFO: apprise.NotifyType.INFO,
    Level.WARNING: apprise.NotifyType.WARNING,
    Level.CRITICAL: apprise.NotifyType.FAILURE,
}
# Its messages may hold parts of addresses; what went wrong is said by us, without them.
logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)


def deliver_all() -> int:
    """Send what is due on every channel; answers how many notifications were taken."""
    return sum(deliver(channel) for channel in channels())


def deliver(channel: Channel) -> int:
    """Send what is due on a channel, as one message."""
    due = Parcel.objects.filter(lane=channel.lane, processed_at=None, due_at__lte=timezone.now())
    if not due.exists():
        return 0
    turn = outbox.take_turn(channel.lane, urgent=due.filter(level=Level.CRITICAL).exists())
    if turn is None:
        return 0
    return outbox.deliver(turn, partial(_send, channel), at_once=DIGEST, gap=GAP)


def _send(channel: Channel, parcels: Sequence[Parcel]) -> str:
    """Send parcels as one message. Raises NotTaken."""
    asset = apprise.AppriseAsset(app_id="GridTrader", app_desc="GridTrader", async_mode=False)
    post = apprise.Apprise(asset=asset)
    if not post.add(channel.url):
        raise NotTaken("Apprise cannot read the address", everything=True)
    level = max(parcel.level for parcel in parcels)
    title, text = words(parcels)
    taken = post.notify(
        body=text or title,
        title=title if text else "",
        notify_type=_TYPES[Level(level)],
        body_format=apprise.NotifyFormat.TEXT,
    )
    if not taken:
        # Apprise does not say whether it was refused or not answered: the next try says so too.
        raise NotTaken(
            "the service refused the message or did not answer",
            wait=outbox.backoff(parcels),
            doubtful=True,
        )
    return f"{len(parcels)} in one" if len(parcels) > 1 else "alone"


def words(parcels: Sequence[Parcel]) -> tuple[str, str]:
    """Title and text of a message: one notification, or a digest of several, the gravest first."""
    if len(parcels) == 1:
        (parcel,) = parcels
        return _title(parcel), parcel.payload["text"]
    gravest = sorted(parcels, key=lambda parcel: (-parcel.level, parcel.pk))
    lines = [f"{parcel.created_at:%H:%M:%S} {_line(parcel)}" for parcel in gravest]
    return f"{len(parcels)} messages: {_title(gravest[0])}", "\n".join(lines)


def _line(parcel: Parcel) -> str:
    text = parcel.payload["text"]
    return _title(parcel) + (f" – {text}" if text else "")


def _title(parcel: Parcel) -> str:
    again = " (perhaps a repetition)" if parcel.begun_at is not None else ""
    return f"{parcel.payload['title']} [#{parcel.pk}]{again}"
