"""Notion's API by notion-client: one request at a time, paced, and its failures in our words.

API version 2026-03-11, in which a database holds data sources, and these hold pages.
"""

import json
import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
from django.conf import settings
from notion_client import Client
from notion_client.errors import HTTPResponseError, NotionClientErrorBase, RequestTimeoutError

from integrations.outbox import NotTaken

VERSION = "2026-03-11"
PACE_S = 0.35  # between two requests: Notion promises three a second
TIMEOUT_MS = 10_000
LONGEST_RATE_WAIT_S = 3_600
TOO_MANY = (429, 529)
_DENIED = {
    400: "Notion refuses the request",
    401: "Notion does not know the token of NOTION_TOKEN",
    403: "Notion forbids it to the integration of NOTION_TOKEN",
    404: "Notion shows no such database to the integration: share the database with it",
}
# notion-client's own logger gets a handler of its own, past our format; so it gets none of ours.
log = logging.getLogger(__name__)


class Refused(NotTaken):
    """Notion said no for good (400, 401, 403, 404): something must be set right first."""

    def __init__(self, status: int, text: str) -> None:
        wait = None if status == httpx.codes.BAD_REQUEST else timedelta(minutes=15)
        super().__init__(text, wait=wait, everything=wait is not None)
        self.status = status


class Connection:
    """Calls of Notion, no more of them than it takes. Not for several threads at once."""

    def __init__(self, token: str, base_url: str, pace_s: float) -> None:
        self.api = Client(
            auth=token,
            base_url=base_url,
            notion_version=VERSION,
            timeout_ms=TIMEOUT_MS,
            retry=False,  # the outbox repeats, and asks first whether it must
            logger=_quiet(),
            log_level=logging.CRITICAL,
        )
        self._pace_s = pace_s
        self._next = 0.0

    def __call__(self, method: Callable[..., Any], **body: Any) -> Any:  # noqa: ANN401 - JSON
        """Make one call. Raises NotTaken, saying whether Notion may have done it all the same."""
        time.sleep(max(self._next - time.monotonic(), 0.0))
        self._next = time.monotonic() + self._pace_s
        try:
            return method(**body)
        except HTTPResponseError as error:
            raise _refusal(error) from None
        except httpx.ConnectError as error:
            raise NotTaken(f"Notion is not reached: {error}", everything=True) from None
        except (RequestTimeoutError, httpx.TransportError) as error:
            text = str(error) or type(error).__name__
            raise NotTaken(f"Notion gave no answer: {text}", doubtful=True) from None
        except json.JSONDecodeError:
            raise NotTaken("Notion's answer is no JSON", doubtful=True) from None
        except NotionClientErrorBase as error:
            raise NotTaken(f"notion-client refused the call: {error}") from None

    def close(self) -> None:
        self.api.close()


def from_settings() -> Connection | None:
    """The connection of the settings; None while Notion is not set up."""
    token = settings.NOTION_TOKEN.reveal()
    return Connection(token, settings.NOTION_BASE_URL, PACE_S) if token else None


def _refusal(error: HTTPResponseError) -> NotTaken:
    status = error.status
    said = " ".join(str(error).split())[:200]
    if status in TOO_MANY:
        wait = timedelta(seconds=_seconds(error.headers.get("retry-after")))
        return NotTaken("Notion asks for a pause", wait=wait, everything=True)
    if status == httpx.codes.CONFLICT:
        return NotTaken(f"Notion met a conflict: {said}", wait=timedelta(seconds=5), doubtful=True)
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return NotTaken(f"Notion failed with {status}: {said}", doubtful=True)
    return Refused(status, f"{_DENIED.get(status, f'Notion answers {status}')}: {said}")


def _seconds(text: str | None) -> float:
    try:
        return min(max(float(text or ""), 1.0), LONGEST_RATE_WAIT_S)
    except ValueError:
        return 10.0


def _quiet() -> logging.Logger:
    quiet = logging.getLogger(f"{__name__}.client")
    quiet.propagate = False
    return quiet
