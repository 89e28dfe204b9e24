"""One key on one REST host: pybit's HTTP client made safe, every failure in one error family."""

import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from pybit.exceptions import FailedRequestError, InvalidRequestError

from integrations.bybit.client import Clock, QuietHTTP, Revealing, quiet_client, revealed
from integrations.bybit.fields import number, optional_text, rows
from integrations.bybit.limits import Limits, Turn, limits_of
from integrations.bybit.refusals import AddressBanned, ClockSkew, error_for, error_for_status
from market.exchange import Broken, ExchangeError, NotSent, RateLimited, Unresolved

TIMEOUT = (3.0, 7.0)  # seconds to connect, seconds to wait for each piece of the answer
CLOCK_WITHIN_NS = 1_000_000_000  # a clock that took longer to read is not believed
READS, READ_AGAIN_WITHIN_S = 3, 4.0
LIMIT_HEADER, LEFT_HEADER = "X-Bapi-Limit", "X-Bapi-Limit-Status"
RESET_HEADER = "X-Bapi-Limit-Reset-Timestamp"


class Outcome(StrEnum):
    """What came of one request, for whoever counts them."""

    OK = "ok"
    REFUSED = "a business refusal, or keys that are not accepted"
    LIMITED = "too many requests"
    FAILED = "no answer, an unreadable one, or an outcome that is not proven"
    UNREACHED = "no connection could be made, so nothing was sent"


FAILURES = frozenset({Outcome.FAILED, Outcome.UNREACHED})

#: Told of every request that was sent: the method of pybit, what came of it, and the exchange's
#: code (0 when all went well, None when it gave none). Must not raise.
Told = Callable[[str, Outcome, int | None], None]


@dataclass(frozen=True, slots=True)
class Answer:
    """What stood in the envelope of a call that succeeded. `time` is the exchange's stamp, ms."""

    result: Mapping[str, Any]
    time: int
    extra: Mapping[str, Any]  # Bybit: retExtInfo


class Unreached(Unresolved):
    """No connection could be made, so nothing was sent."""


class NoKey(Broken):
    """There is no key to sign with, so nothing was sent."""


class Session:
    """Calls pybit's endpoint methods by name and returns their results, or raises ExchangeError.

    GETs are repeated a little after failures of transport or server. POSTs are sent exactly once,
    whatever happens, but for those refused for their time stamp. Everything waits for its turn
    under the rate limits; NotSent is raised where that would take too long. Broken is raised only
    where the request certainly had no effect. No text, chain or frame of a raised error holds the
    request. One client per thread: a requests.Session is not documented to be safe when shared.
    """

    def __init__(
        self,
        rest_url: str,
        key: str | Revealing,
        secret: str | Revealing,
        recv_window: int = 5_000,
        timeout: tuple[float, float] = TIMEOUT,
        *,
        limits: Limits | None = None,
        told: Told | None = None,
    ) -> None:
        parts = urlsplit(rest_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("the REST base URL must look like https://api.bybit.com")
        self._url = rest_url.rstrip("/")
        self._host = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
        self._key = key
        self._secret = secret
        self._recv_window = recv_window
        self._timeout = timeout
        self._limits = limits or limits_of(self._url, revealed(key))
        self._told = told
        self._clock = Clock()
        self._mine = threading.local()

    def __repr__(self) -> str:
        return f"Session({self._host})"

    def get(self, endpoint: str, **params: str | int) -> Answer:
        """Read. `endpoint` is the name of pybit's method. Repeated up to twice, within seconds."""
        began = time.monotonic()
        for attempt in range(READS):
            try:
                return self.send(self.turn([endpoint]), params, again=True)
            except RateLimited:
                raise
            except Unresolved as error:
                if attempt + 1 == READS or time.monotonic() - began > READ_AGAIN_WITHIN_S:
                    self._count(endpoint, _outcome(error) or Outcome.FAILED)
                    raise
            time.sleep(random.uniform(0.05, 0.15) * 2**attempt)  # noqa: S311  # only jitter
        raise AssertionError("unreachable: the last attempt returns or raises")

    def turn(self, endpoints: Sequence[str], wanted: int = 1, by: float | None = None) -> Turn:
        """Wait for a turn to send; see Limits.turn."""
        return self._limits.turn(endpoints, wanted, by)

    def send(
        self,
        turn: Turn,
        params: Mapping[str, object],
        by: float | None = None,
        *,
        again: bool = False,
    ) -> Answer:
        """Send one request of pybit's method `turn.endpoint`, exactly once.

        `again`: should it fail it may be repeated; the caller counts the failure when it is not.

        Refused for its time stamp it certainly had no effect: then the exchange's clock is read and
        the same is sent once more. Nothing is signed past `by` (time.monotonic): NotSent.
        """
        came = self._try(turn.endpoint, params, by)
        self._tell(turn, came, again=again)
        if isinstance(came, ClockSkew) and self._read_clock():
            second = self._try(turn.endpoint, params, by)
            self._tell(turn, second)
            came = came if isinstance(second, NotSent) else second
        if isinstance(came, Answer):
            return came
        # Raised here, outside every handler and without inner frames: the cause and its frames
        # hold the request with its signature, and error pages and trackers print both.
        raise came.with_traceback(None)

    def _read_clock(self) -> bool:
        """Sign by the exchange's clock from now on; False when it does not tell it."""
        asked = time.time_ns()
        came = self._try("get_server_time", {})
        answered = time.time_ns()
        if not isinstance(came, Answer) or answered - asked > CLOCK_WITHIN_NS:
            return False
        try:
            theirs = int(number(came.result, "timeNano")) // 1_000_000
        except Unresolved:
            return False
        self._clock.set(theirs, asked, answered)
        return True

    def pages(self, endpoint: str, **params: str | int) -> Iterator[Answer]:
        """Read a list of the spot category page by page.

        Ends at an empty page, and at an empty or repeated cursor.
        """
        seen: set[str] = set()
        answer = self.get(endpoint, category="spot", **params)
        while True:
            yield answer
            cursor = optional_text(answer.result, "nextPageCursor")
            if not cursor or cursor in seen or not rows(answer.result, "list"):
                return
            seen.add(cursor)
            answer = self.get(endpoint, category="spot", cursor=as_sent(cursor), **params)

    def _try(
        self, endpoint: str, params: Mapping[str, object], by: float | None = None
    ) -> Answer | ExchangeError:
        self._mine.budget = None
        http = self._http()
        http.sign_by = by
        try:
            envelope = getattr(http, endpoint)(**params)
        except ExchangeError as error:
            return error
        except PermissionError:  # pybit's word for "there is no key"
            return NoKey("no API key is set: BYBIT_API_KEY and BYBIT_API_SECRET are needed")
        except (
            requests.RequestException,
            urllib3.exceptions.HTTPError,
            FailedRequestError,
            InvalidRequestError,
            OSError,
            ValueError,
        ) as error:
            words = f"{endpoint} on {self._host}: {type(error).__name__}"
            return Unreached(words) if _was_not_sent(error) else Unresolved(words)
        stamp, extra = envelope.get("time"), envelope.get("retExtInfo")
        return Answer(
            envelope.get("result") or {},
            stamp if isinstance(stamp, int) else 0,
            extra if isinstance(extra, dict) else {},
        )

    def _tell(self, turn: Turn, came: Answer | ExchangeError, *, again: bool = False) -> None:
        """Pass on what a request has shown, to the rate limits and to whoever counts."""
        outcome = _outcome(came)
        if outcome is None:
            return
        if isinstance(came, AddressBanned):
            self._limits.banned()
        elif isinstance(came, RateLimited):
            self.refused(turn.endpoint, came)
        elif turn.is_probe and outcome not in FAILURES:
            self._limits.probe_answered()
        if self._mine.budget is not None:
            self._limits.heard(turn.endpoint, *self._mine.budget)
        if not (again and outcome in FAILURES):
            self._count(turn.endpoint, outcome, 0 if isinstance(came, Answer) else came.code)

    def _count(self, endpoint: str, outcome: Outcome, code: int | None = None) -> None:
        """Tell whoever counts what became of a call, however many tries it took."""
        if self._told is not None:
            self._told(endpoint, outcome, code)

    def refused(self, endpoint: str, error: RateLimited) -> None:
        """Let the pool of this method rest as the exchange asked, at the top or for one item."""
        self._limits.refused(endpoint, error.until_ms / 1000 - time.time())

    def _http(self) -> QuietHTTP:
        """This thread's client."""
        http: QuietHTTP | None = getattr(self._mine, "http", None)
        if http is None:
            http = quiet_client(
                self._url,
                self._key,
                self._secret,
                self._clock,
                timeout=self._timeout,
                recv_window=self._recv_window,
            )
            http.client.hooks["response"].append(self._judge)
            self._mine.http = http
        return http

    def _judge(self, response: requests.Response, *_: object, **__: object) -> None:
        """Raise for anything but a Bybit envelope with retCode 0.

        Runs as a hook of requests, so before a redirect is followed (which would send the order
        twice) and before pybit, which takes a JSON object without retCode for success.
        """
        now = int(time.time() * 1000)
        reset, limit, left = (
            _number(response.headers.get(name))
            for name in (RESET_HEADER, LIMIT_HEADER, LEFT_HEADER)
        )
        if limit and left is not None:
            self._mine.budget = limit, left
        if response.status_code != HTTPStatus.OK:
            raise error_for_status(response.status_code, now, reset)
        try:
            envelope = response.json()
        except (ValueError, RecursionError):
            envelope = None
        number = envelope.get("retCode") if isinstance(envelope, dict) else None
        if type(number) is not int:
            raise Unresolved(f"{self._host} answered something that is not a Bybit envelope")
        if number != 0:
            raise error_for(number, self.clear(envelope.get("retMsg")), now, reset)
        if not isinstance(envelope.get("result") or {}, dict):
            raise Unresolved(f"{self._host} answered with a result that is no object")

    def clear(self, message: object) -> str:
        """The exchange's words, short and without what they may echo of ours (10004 does)."""
        text = re.sub(r"origin_string\[.*", "", str(message or ""), flags=re.DOTALL)
        for secret in (revealed(self._key), revealed(self._secret)):
            if secret:
                text = text.replace(secret, "***")
        return text[:200].strip()


def _was_not_sent(error: Exception) -> bool:
    """Whether no connection came about: refused, or not made in time."""
    if isinstance(error, requests.ConnectTimeout):
        return True
    cause = error.args[0] if isinstance(error, requests.ConnectionError) and error.args else None
    return isinstance(getattr(cause, "reason", None), urllib3.exceptions.NewConnectionError)


def _outcome(came: Answer | ExchangeError) -> Outcome | None:
    """How a request counts; None when none was made."""
    match came:
        case Answer():
            return Outcome.OK
        case NoKey() | NotSent():
            return None
        case RateLimited():
            return Outcome.LIMITED
        case Unreached():
            return Outcome.UNREACHED
        case Unresolved():
            return Outcome.FAILED
        case _:
            return Outcome.REFUSED


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None


def as_sent(cursor: str) -> str:
    """A page cursor in the spelling that requests will put on the wire, so that the signature fits.

    Bybit's cursors are percent-encoded already and usually stay as they are; requests rewrites
    some (%2d, %7E), and pybit signs before it does.
    """
    url = requests.Request("GET", f"http://any/?cursor={cursor}").prepare().url or ""
    return url.partition("cursor=")[2]
