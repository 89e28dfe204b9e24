"""The addresses of NOTIFY_URLS, each with the level from which it hears of things.

An address is `[LEVEL=]URL` in Apprise's form, as `warning=tgram://TOKEN/CHAT` or
`mailtos://USER:PASSWORD@HOST?to=...`; LEVEL is info (the default), warning or critical.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

PREFIX = "notify:"
LEVELS = {"info": 20, "warning": 30, "critical": 40}
_TELLING = 8  # shorter parts are words, ports and flags
_ADDRESS = re.compile(r"(?:(?P<level>\w+)=)?(?P<url>(?P<kind>[a-zA-Z][a-zA-Z0-9+.-]*)://.+)")


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


def pieces(address: str) -> list[str]:
    """The parts of an address that logs must not show: tokens, passwords, ids, long host names."""
    found = _ADDRESS.fullmatch(address)
    rest = found["url"].partition("://")[2] if found else address
    return [part for part in re.split(r"[/:@?&=#,]+", rest) if len(part) >= _TELLING]


def _channel(place: int, text: str) -> Channel:
    found = _ADDRESS.fullmatch(text)
    if found is None:
        raise BadAddress(f"address {place} is no URL; accepted: [LEVEL=]KIND://...")
    level = (found["level"] or "info").lower()
    if level not in LEVELS:
        raise BadAddress(f"address {place} has an unknown level; accepted: {', '.join(LEVELS)}")
    # The address holds a token of many random characters: 32 bits of a hash give none of it away.
    mark = hashlib.sha256(found["url"].encode()).hexdigest()[:8]
    return Channel(f"{PREFIX}{found['kind'].lower()[:12]}-{mark}", LEVELS[level], found["url"])
