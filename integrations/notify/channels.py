"""Who is told of what: an event becomes a parcel for each channel that hears of its level."""

from functools import cache

from django.conf import settings

from integrations.notify.addresses import Channel, parse
from integrations.outbox import Item, put


@cache
def _parsed(addresses: tuple[str, ...]) -> list[Channel]:
    return parse(addresses)


def channels() -> list[Channel]:
    """The channels of the settings."""
    return _parsed(tuple(secret.reveal() for secret in settings.NOTIFY_URLS))


def announce(key: str, level: int, title: str, text: str = "") -> None:
    """Have everyone told who hears of that level; once for each key, however often it is called."""
    item = Item(key, {"title": title, "text": text}, level)
    put([channel.lane for channel in channels() if level >= channel.level], [item])
