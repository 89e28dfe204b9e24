"""`Idempotency-Key`: the same call again gives the same answer again, and does nothing twice."""

import hashlib
import json
import logging
import time
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any

from django.db import DatabaseError
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from bots.api.errors import Conflict
from integrations.models import StoredAnswer

HEADER = "Idempotency-Key"
LONGEST_KEY = 255
KEPT = timedelta(hours=48)
# A pause waits up to 10 s for buys on the wire; a twin waits a little longer than that.
PATIENCE_S, LOOK_S = 12.0, 0.05
ABANDONED = timedelta(seconds=60)  # a call that has no answer by then died with its process
REPLAYED = "Idempotency-Replayed"

Handler = Callable[..., Any]
log = logging.getLogger(__name__)


def idempotent(*, repeatable: bool) -> Callable[[Handler], Handler]:
    """Give a view's `post` the key: its answer is stored with it, for one user, for 48 hours.

    `repeatable`: doing it twice is doing it once, so a call that died without an answer may simply
    be done again; of any other the caller has to find out what became of it.
    """

    def wrap(post: Handler) -> Handler:
        @wraps(post)
        def keyed(view: APIView, request: Request, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            key = _key(request)
            if key is None:
                return post(view, request, *args, **kwargs)
            mine = _register(request, key)
            if mine is None:
                mine, known = _known(request, key, repeatable=repeatable)
                if known is not None:
                    return known
            return _answer(view, mine, lambda: post(view, request, *args, **kwargs))

        keyed.takes_key = True  # type: ignore[attr-defined]
        return keyed

    return wrap


def _key(request: Request) -> str | None:
    """The key of a call, if it has one. Raises ValidationError."""
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if not 0 < len(key) <= LONGEST_KEY or not key.isascii() or not key.isprintable():
        raise ValidationError(
            {HEADER: [f"accepted: 1 to {LONGEST_KEY} printable ASCII characters"]}
        )
    return key


def _call(request: Request) -> str:
    return f"{request.method} {request.path}"[:200]


def _digest(request: Request) -> str:
    """SHA-256 of what the body says, however it is written."""
    text = json.dumps(request.data, sort_keys=True, default=str)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _register(request: Request, key: str) -> StoredAnswer | None:
    """A new row for the key; None when there is one already (INSERT ... ON CONFLICT DO NOTHING)."""
    row = StoredAnswer(
        user=request.user,
        key=key,
        call=_call(request),
        body_hash=_digest(request),
        started_at=timezone.now(),
    )
    StoredAnswer.objects.bulk_create([row], ignore_conflicts=True)
    return _mine(row)


def _mine(row: StoredAnswer) -> StoredAnswer | None:
    """The stored row, if it is the one that this call wrote: its time says so, to the µs."""
    return StoredAnswer.objects.filter(
        user=row.user, key=row.key, started_at=row.started_at, status=None
    ).first()


def _known(
    request: Request, key: str, *, repeatable: bool
) -> tuple[StoredAnswer, HttpResponse | None]:
    """The answer of the call that had the key first, once it has one; or the right to do it anew.

    Raises Conflict: another body, or no answer yet.
    """
    patience = time.monotonic() + PATIENCE_S
    while True:
        row = StoredAnswer.objects.get(user=request.user, key=key)
        if (row.call, row.body_hash) != (_call(request), _digest(request)):
            raise Conflict(f"this {HEADER} came with another call or body; use a new key for this")
        if row.status is not None:
            return row, _response(row, replayed=True)
        if timezone.now() - row.started_at > ABANDONED:
            return _taken_over(row, repeatable=repeatable), None
        if time.monotonic() > patience:
            raise Conflict("the first call with this key is still at work; try again in a moment")
        time.sleep(LOOK_S)


def _taken_over(row: StoredAnswer, *, repeatable: bool) -> StoredAnswer:
    """The row of a call that died, ours from now on. Raises Conflict."""
    if not repeatable:
        raise Conflict(
            "the first call with this key ended without an answer and may have been done; "
            "look whether it was, then use a new key"
        )
    before, row.started_at = row.started_at, timezone.now()
    taken = StoredAnswer.objects.filter(pk=row.pk, started_at=before, status=None)
    if not taken.update(started_at=row.started_at):
        raise Conflict("another call with this key is at work; try again in a moment")
    return row


def _answer(view: APIView, row: StoredAnswer, post: Callable[[], Any]) -> HttpResponse:
    """Do the call and keep what it answers, a refusal too."""
    try:
        response = post()
    except APIException as error:
        response = view.handle_exception(error)
    except Exception:
        # Not an answer of ours: what was done is not known, so the key stays without one.
        log.warning("%s with key %s ended without an answer", row.call, row.pk)
        raise
    row.status = response.status_code
    row.content = JSONRenderer().render(response.data).decode()
    try:
        StoredAnswer.objects.filter(pk=row.pk, started_at=row.started_at).update(
            status=row.status, content=row.content
        )
    except DatabaseError as error:
        log.warning("the answer to %s was not stored: %s", row.call, " ".join(str(error).split()))
    return _response(row, replayed=False)


def _response(row: StoredAnswer, *, replayed: bool) -> HttpResponse:
    response = HttpResponse(row.content, status=row.status, content_type="application/json")
    if replayed:
        response[REPLAYED] = "true"
    return response


def forget_old() -> None:
    """Delete answers that were kept long enough."""
    StoredAnswer.objects.filter(started_at__lt=timezone.now() - KEPT).delete()
