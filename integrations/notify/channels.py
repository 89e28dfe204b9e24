"""Where notifications go: the addresses of NOTIFY_URLS, each with the level from which it hears.

An address is `[LEVEL=]URL` in Apprise's form, as `warning=tgram://TOKEN/CHAT` or
`mailtos://USER:PASSWORD@HOST?to=...`; LEVEL is info (the default), warning or critical.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache

from django.conf import settings

from integrations.models import Parcel
from integrations.outbox import Item, put

Level = Parcel.Level
PREFIX = "notify:"
_ADDRESS = re.compile(r"(?:(?P<level>\w+)=)?(?P<url>(?P<kind>[a-zA-Z][a-zA-Z0-9+.-]*)://.+)")
_LEVELS = {str(level.label): level for level in Level}


class BadAddress(ValueError):
    """An address that cannot be used; the text names its place in the list, not its content."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One place that hears of things. The lane's name tells kinds apart and betrays no address."""

    lane: str
    level: int
    url: str = field(repr=False)


def parse(addresses: Iterable[str]) -> list[Channel]:
    """The channels of addresses. Raises BadAddress."""
    return [_channel(place, text) for place, text in enumerate(addresses, 1)]


def _channel(place: int, text: str) -> Channel:
    found = _ADDRESS.fullmatch(text)
    if found is None:
        raise BadAddress(f"address {place} is no URL; accepted: [LEVEL=]KIND://...")
    level = (found["level"] or Level.INFO.label).lower()
    if level not in _LEVELS:
        raise BadAddress(f"address {place} has level {level!r}; accepted: {', '.join(_LEVELS)}")
    # The address holds a token of many random characters: 32 bits of a hash give none of it away.
    mark = hashlib.sha256(found["url"].encode()).hexdigest()[:8]
    return Channel(f"{PREFIX}{found['kind'].lower()[:12]}-{mark}", _LEVELS[level], found["url"])


@cache
def _configured(addresses: tuple[str, ...]) -> list[Channel]:
    return parse(addresses)


def channels() -> list[Channel]:
    """The channels of the settings. Raises BadAddress."""
    return _configured(tuple(secret.reveal() for secret in settings.NOTIFY_URLS))


def announce(key: str, level: int, title: str, text: str = "") -> None:
    """Have everyone told who hears of that level; once for each key, however often it is called."""
    item = Item(key, {"title": title, "text": text}, level)
    put([channel.lane for channel in channels() if level >= channel.level], [item])
