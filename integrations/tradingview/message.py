"""The alert message as TradingView posts it: strict JSON in, checked facts out."""

import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

MAX_BYTES = 8_192
ACTIONS = ("pause", "resume", "stop_buys", "allow_buys", "rebalance", "kill")
EVERY = "ALL"  # the symbol of an alert that means every bot
SOURCE = "tradingview"
_WANTED = ("secret", "id", "time", "symbol", "action")
_ALLOWED = ("source", "price", "interval", "exchange", "comment")
_SYMBOL = re.compile(r"[A-Z0-9]{2,32}")
_LENGTHS = {"id": 128, "time": 40, "symbol": 48, "action": 16, "source": 40}
_OTHER_LENGTH = 200


class Malformed(Exception):
    """The body is no message; the text says what would be one. `field` is where, if known."""

    def __init__(self, text: str, name: str = "") -> None:
        super().__init__(text)
        self.field = name


@dataclass(frozen=True, slots=True)
class Message:
    """An alert's facts. The secret is not among them."""

    id: str
    time: datetime
    symbol: str
    action: str
    source: str = SOURCE
    details: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 of everything that was said, to tell a repetition from a contradiction."""
        said = [self.id, self.time.isoformat(), self.symbol, self.action, self.source]
        text = json.dumps([*said, sorted(self.details.items())])
        return hashlib.sha256(text.encode()).hexdigest()


def parse(raw: bytes) -> dict[str, Any]:
    """Read a flat JSON object. Raises Malformed: no JSON, NaN, a name twice, something nested."""
    try:
        found = json.loads(
            raw.decode(),
            object_pairs_hook=_once,
            parse_constant=_refuse_constant,
            parse_float=Decimal,
        )
    except (ValueError, RecursionError) as error:
        if isinstance(error, _Refused):
            raise Malformed(str(error)) from None
        raise Malformed("the body is no JSON; accepted: one JSON object in UTF-8") from None
    if not isinstance(found, dict):
        raise Malformed("the body is no JSON object; accepted: {" + ", ".join(_WANTED) + "}")
    return found


class _Refused(ValueError):
    """JSON that Python would read and we do not."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise _Refused("a name stands twice in the JSON object; accepted: each name once")
    return dict(pairs)


def _refuse_constant(name: str) -> None:
    raise _Refused(f"{name} is no JSON; accepted: numbers")


def knows(body: Mapping[str, Any], secrets: Iterable[str]) -> bool:
    """Whether the body holds one of the secrets; takes as long whichever it is, or none.

    Digests are compared, so that neither length nor letters show in the time it takes.
    """
    given = body.get("secret")
    text = given if isinstance(given, str) else ""
    mine = _digest(text)
    found = False
    for secret in secrets:
        found |= hmac.compare_digest(mine, _digest(secret))
    return found and bool(text)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()


def read(body: Mapping[str, Any]) -> Message:
    """Check a parsed body and leave its secret behind. Raises Malformed, naming the field."""
    known = (*_WANTED, *_ALLOWED)
    unknown = sorted(set(body) - set(known))
    if unknown:
        raise Malformed(f"unknown; accepted: {', '.join(known)}", unknown[0][:40])
    texts = {name: _text(name, value) for name, value in body.items() if name != "secret"}
    for name in _WANTED[1:]:
        if not texts.get(name):
            raise Malformed("is missing or empty", name)
    action = texts["action"].lower()
    if action not in ACTIONS:
        raise Malformed(f"accepted: {', '.join(ACTIONS)}", "action")
    details = {n: texts[n] for n in _ALLOWED[1:] if n in texts}
    return Message(
        id=texts["id"],
        time=_time(texts["time"]),
        symbol=_symbol(texts["symbol"]),
        action=action,
        source=texts.get("source") or SOURCE,
        details=details,
    )


def _text(name: str, value: object) -> str:
    """A text, or a number as it was written; nothing that a database or a log would choke on."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise Malformed("must be a text or a number", name)
    text = format(value, "f") if isinstance(value, Decimal) else str(value).strip()
    longest = _LENGTHS.get(name, _OTHER_LENGTH)
    if len(text) > longest:
        raise Malformed(f"has {len(text)} characters; accepted: at most {longest}", name)
    if not text.isprintable():
        raise Malformed("has characters that cannot be printed", name)
    return text


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise Malformed("accepted: ISO 8601 with a zone, as 2026-01-31T12:00:00Z", "time")
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise Malformed("is out of this calendar", "time") from None


def _symbol(text: str) -> str:
    """A pair as Bybit writes it; TradingView may put the exchange before it."""
    exchange, colon, ticker = text.upper().rpartition(":")
    symbol = ticker.replace("/", "")
    if (colon and exchange != "BYBIT") or not _SYMBOL.fullmatch(symbol):
        raise Malformed(f"accepted: a pair as BTCUSDT or BYBIT:BTCUSDT, or {EVERY}", "symbol")
    return symbol
