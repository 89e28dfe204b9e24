"""CoinGecko's API v3 by plain requests: one GET at a time, and its failures in our words.

A client library would read prices as floats and repeat by itself; two GETs need none.
"""

import time
from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import urlsplit

import requests
from django.conf import settings

CONNECT_S, READ_S, WHOLE_S = 3.0, 10.0, 20.0
MOST_BYTES = 2_000_000
SOON = timedelta(minutes=1)  # what never arrived counts against no limit
LONGEST_WAIT = timedelta(hours=6)
_USUAL_PATH = "/api/v3"
_PRO_HOST = "pro-api."
_DENIED = {
    400: "CoinGecko refuses the request",
    401: "CoinGecko does not know the key of COINGECKO_API_KEY",
    403: "CoinGecko forbids it to this address or key",
    404: "COINGECKO_BASE_URL leads to no such page",
}


class Unavailable(Exception):
    """CoinGecko did not tell; the text says why, `wait` how long to leave it (None: as usual)."""

    def __init__(self, text: str, wait: timedelta | None = None) -> None:
        super().__init__(text)
        self.wait = wait


def is_on() -> bool:
    """Whether the overview is wanted: COINGECKO_BASE_URL=off asks nobody anything."""
    return bool(settings.COINGECKO_BASE_URL)


def get(path: str, query: Mapping[str, str]) -> str:
    """The text of one answer. Raises Unavailable.

    A redirect is not followed: the key is for one host.
    """
    try:
        with requests.get(
            _base() + path,
            params=query,
            headers={"Accept": "application/json", **_key()},
            timeout=(CONNECT_S, READ_S),
            allow_redirects=False,
            stream=True,
        ) as answer:
            if answer.status_code != requests.codes.ok:
                raise _refusal(answer)
            return _body(answer)
    except requests.ConnectionError:
        raise Unavailable("CoinGecko is not reached", SOON) from None
    except requests.Timeout:
        raise Unavailable(f"CoinGecko gave no answer within {READ_S:.0f} s") from None
    except (requests.RequestException, UnicodeDecodeError) as error:
        raise Unavailable(f"CoinGecko's answer broke off: {type(error).__name__}") from None


def _base() -> str:
    """A host alone is completed by the path that CoinGecko has."""
    base: str = settings.COINGECKO_BASE_URL
    return base if urlsplit(base).path else base + _USUAL_PATH


def _key() -> dict[str, str]:
    """Paid keys work on a host and in a header of their own."""
    key = settings.COINGECKO_API_KEY
    if not key:
        return {}
    paid = (urlsplit(settings.COINGECKO_BASE_URL).hostname or "").startswith(_PRO_HOST)
    return {"x-cg-pro-api-key" if paid else "x-cg-demo-api-key": key.reveal()}


def _body(answer: requests.Response) -> str:
    """The whole text, unless it is too long or drips too slowly."""
    until, taken = time.monotonic() + WHOLE_S, bytearray()
    while piece := answer.raw.read1(decode_content=True):
        taken += piece
        if len(taken) > MOST_BYTES or time.monotonic() > until:
            raise Unavailable("CoinGecko's answer is too long or too slow")
    return taken.decode()


def _refusal(answer: requests.Response) -> Unavailable:
    status = answer.status_code
    if status == requests.codes.too_many_requests:
        wait = _seconds(answer.headers.get("Retry-After"))
        return Unavailable("CoinGecko's rate limit is reached", wait)
    if status >= requests.codes.internal_server_error:
        wait = _seconds(answer.headers.get("Retry-After"))
        return Unavailable(f"CoinGecko failed with {status}", wait)
    wait = timedelta(hours=1)  # a person has to set something right first
    return Unavailable(f"{_DENIED.get(status, 'CoinGecko refuses')} ({status})", wait)


def _seconds(text: str | None) -> timedelta | None:
    """What Retry-After asks for; None where it is not a number of seconds."""
    if not text or not (text.isascii() and text.isdigit()):
        return None
    return min(timedelta(seconds=min(int(text), 10**6)), LONGEST_WAIT)
