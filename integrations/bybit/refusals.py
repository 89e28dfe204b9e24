"""The error that an answer of Bybit becomes: by its code's row in the table, or its HTTP status."""

from http import HTTPStatus

from integrations.bybit.buckets import BAN_S
from integrations.bybit.codes import Action, Code, Means, code
from market.exchange import (
    AlreadyExists,
    Broken,
    ExchangeError,
    Misfit,
    NoSuchOrder,
    NotTrading,
    RateLimited,
    Refused,
    Unresolved,
    WouldTake,
)

SHORTEST_WAIT_MS, USUAL_WAIT_MS, LONGEST_WAIT_MS = 100, 1_000, 5_000
BAN_MS = int(BAN_S * 1000)


class AddressBanned(RateLimited):
    """This address is shut out, for ten minutes at least."""


class ClockSkew(Broken):
    """Refused for its time stamp, so nothing happened: our clock and theirs differ too much."""


class NoSuchPath(Unresolved):
    """The server does not know this path; who answered so is not proven."""


def error_for(number: int, message: str, now_ms: int, reset_ms: int | None = None) -> ExchangeError:
    """The exception for a retCode other than 0.

    `message` is the exchange's own, already cleared of secrets. `now_ms` is the machine's clock
    and `reset_ms` the X-Bapi-Limit-Reset-Timestamp header, if there was one.
    """
    error = _error(number, message, now_ms, reset_ms)
    error.code = number
    return error


def _error(number: int, message: str, now_ms: int, reset_ms: int | None) -> ExchangeError:
    row = code(number)
    said = f"{row.words} ({message})" if message else row.words
    match row.means:
        case Means.RATE_LIMITED:
            return RateLimited(f"{number}: {said}", _until(now_ms, reset_ms))
        case Means.BANNED:
            return AddressBanned(f"{number}: {said}", now_ms + BAN_MS)
        case Means.BROKEN:
            return Broken(f"{number}: {said}; {row.action}")
        case Means.SKEWED:
            return ClockSkew(f"{number}: {said}; set the machine's clock")
        case Means.UNRESOLVED:
            return Unresolved(f"{number}: {said}")
        case _:
            return _definite(row)(number, said)


def _definite(row: Code) -> type[Refused]:
    """What a definite no asks of the caller."""
    match row:
        case Code(means=Means.EXISTS):
            return AlreadyExists
        case Code(means=Means.GONE):
            return NoSuchOrder
        case Code(means=Means.CROSSED):
            return WouldTake
        case Code(action=Action.FIX):
            return Misfit
        case Code(action=Action.WITHHOLD):
            return NotTrading
        case _:
            return Refused


def error_for_status(status: int, now_ms: int, reset_ms: int | None = None) -> ExchangeError:
    """The exception for an HTTP status other than 200. Business errors come with 200."""
    match status:
        case HTTPStatus.UNAUTHORIZED:
            return Broken("HTTP 401: the API key or its headers are not accepted")
        case HTTPStatus.FORBIDDEN:
            said = "HTTP 403: too many requests from this address, or its country is not served"
            return AddressBanned(said, now_ms + BAN_MS)
        case HTTPStatus.TOO_MANY_REQUESTS:
            return RateLimited("HTTP 429: system protection", _until(now_ms, reset_ms))
        case HTTPStatus.NOT_FOUND:
            return NoSuchPath("HTTP 404: no such path; is BYBIT_REST_URL the base of a v5 API?")
        case _:
            return Unresolved(f"HTTP {status}: the outcome is not proven")


def _until(now_ms: int, reset_ms: int | None) -> int:
    """When to look again; a header of the past or the far future must not lead us astray."""
    wait = USUAL_WAIT_MS if reset_ms is None else reset_ms - now_ms
    return now_ms + min(max(wait, SHORTEST_WAIT_MS), LONGEST_WAIT_MS)
