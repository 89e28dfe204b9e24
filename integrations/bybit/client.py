"""pybit's HTTP client made safe: no secret in sight, no retry of its own, the exchange's clock."""

import logging
import time
from typing import Any, Protocol

from pybit.unified_trading import HTTP

from market.exchange import NotSent

NO_RETRY = -999_999  # a code Bybit never sends; pybit takes an empty set for "use the defaults"


class Revealing(Protocol):
    """A secret that prints as stars."""

    def reveal(self) -> str: ...


def revealed(secret: str | Revealing) -> str:
    return secret if isinstance(secret, str) else secret.reveal()


class Clock:
    """The exchange's wall clock: the machine's, and how far that was last found to be off."""

    def __init__(self) -> None:
        self._ahead_ms = 0

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self._ahead_ms

    def set(self, theirs_ms: int, asked_ns: int, answered_ns: int) -> None:
        """Take over what the exchange's clock said between two moments of ours (time.time_ns)."""
        self._ahead_ms = theirs_ms - (asked_ns + answered_ns) // 2_000_000


class QuietHTTP(HTTP):  # type: ignore[misc]  # pybit has no types
    """pybit's client, which neither prints its secret nor logs what it sends."""

    clock = Clock()  # of the machine, unless the session sets its own
    sign_by: float | None = None  # time.monotonic after which nothing is signed any more

    def __post_init__(self) -> None:
        super().__post_init__()
        # pybit adds a handler to its logger for every client when the root logger has none.
        self.logger.handlers.clear()
        self.logger.addHandler(logging.NullHandler())

    def __repr__(self) -> str:
        return f"QuietHTTP({self.endpoint})"

    def _log_request(self, *_: object) -> None:
        """Log nothing: the headers hold the key and the signature."""

    def _prepare_headers(
        self, payload: str, recv_window: int, content_type: str = "application/json"
    ) -> dict[str, str]:
        """Sign with the session's clock (Bybit v5, authentication). Raises NotSent past `sign_by`.

        The stamp is taken before the look at the time: a process that stands still in between and
        is woken later sends nothing, and one that stands still after both sends what is refused
        for its stamp.
        """
        stamp = self.clock.now_ms()
        if self.sign_by is not None and time.monotonic() > self.sign_by:
            raise NotSent("kept back: its time had passed before it was signed", stamp)
        return {
            "Content-Type": content_type,
            "X-BAPI-API-KEY": self.api_key,
            "X-BAPI-SIGN": self._auth(payload, recv_window, stamp),
            "X-BAPI-SIGN-TYPE": "2",
            "X-BAPI-TIMESTAMP": str(stamp),
            "X-BAPI-RECV-WINDOW": str(recv_window),
        }


def quiet_client(
    url: str,
    key: str | Revealing,
    secret: str | Revealing,
    clock: Clock,
    **settings: Any,  # noqa: ANN401  # pybit's own settings
) -> QuietHTTP:
    """A client of one host that sends everything exactly once."""
    http = QuietHTTP(
        api_key=revealed(key) or None,
        api_secret=revealed(secret) or None,
        force_retry=False,
        max_retries=1,
        retry_codes={NO_RETRY},
        log_requests=False,
        **settings,
    )
    http.clock = clock
    http.endpoint = url
    http.client.trust_env = False  # no proxy variables, no .netrc
    return http
