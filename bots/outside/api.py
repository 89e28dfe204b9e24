"""`POST /api/tv-alert`: TradingView's door. Checks, stores, answers; the work is done after."""

import logging
from typing import Any

from django.conf import settings
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from kombu.exceptions import OperationalError as BrokerError
from rest_framework import exceptions, status
from rest_framework.permissions import AllowAny
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from bots.api import answers
from bots.api.errors import Conflict
from bots.outside import journals
from bots.outside.tasks import apply_alert
from integrations.tradingview import inbox, message
from integrations.tradingview.door import OFF, WRONG_SECRET
from integrations.tradingview.inbox import Outcome, Pace

log = logging.getLogger(__name__)
_accepted = Pace("alerts")
_forged = Pace("forged-alerts")


class TooLarge(exceptions.APIException):
    """The body is longer than any alert."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"
    default_detail = f"the body is too long; accepted: at most {message.MAX_BYTES} bytes"


class TradingViewAlert(APIView):
    """An alert of TradingView: pause, resume, stop_buys, allow_buys, rebalance or kill.

    202 stored now, 200 stored before, 4xx refused for good, 5xx only when it is not stored, since
    TradingView sends again after 5xx. The secret in the body is the login, and opens nothing else.
    """

    authentication_classes = ()
    permission_classes = (AllowAny,)
    parser_classes = ()

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:  # noqa: ANN401, ARG002, FBT001, FBT002 - DRF's signature
        """Answer in JSON whatever the sender would like: TradingView reads the status alone."""
        return JSONRenderer(), JSONRenderer.media_type

    @extend_schema(
        request=answers.Alert,
        responses={
            202: OpenApiResponse(answers.AlertTaken, "Stored; it is applied at once."),
            200: OpenApiResponse(answers.AlertTaken, "It was stored before."),
            403: OpenApiResponse(answers.Refusal, "The secret is missing or wrong."),
        },
    )
    def post(self, request: Request) -> Response:
        told = self._facts(_body(request))
        count = _accepted.count()
        if count is not None and count > inbox.PER_WINDOW:
            raise exceptions.Throttled(
                wait=inbox.WINDOW_S,
                detail=f"more than {inbox.PER_WINDOW} alerts in {inbox.WINDOW_S} s",
            )
        try:
            taken = inbox.take(told, timezone.now())
        except inbox.Stale as error:
            raise exceptions.ValidationError({"time": [str(error)]}) from None
        except inbox.Contradiction as error:
            journals.contradiction(told.source, told.id)
            raise Conflict(str(error)) from None
        # The broker is the Redis that counts. Without it a nudge would hold up the answer for
        # seconds, and TradingView hangs up after three; the poller finds the alert.
        if taken.outcome is Outcome.NEW and count is not None:
            _nudge(taken.alert.pk)
        return Response(
            {"alert": taken.alert.pk, "state": taken.alert.state},
            status=(
                status.HTTP_202_ACCEPTED if taken.outcome is Outcome.NEW else status.HTTP_200_OK
            ),
        )

    def finalize_response(
        self, request: Request, response: Response, *args: object, **kwargs: object
    ) -> Response:
        """Keep Django from logging each refusal: a flood of forgeries must not fill the log."""
        setattr(response, "_has_been_logged", True)  # noqa: B010 - what Django's log_response reads
        return super().finalize_response(request, response, *args, **kwargs)

    def _facts(self, raw: bytes) -> message.Message:
        """The message, after its secret was found right. Raises APIException."""
        secrets = [secret.reveal() for secret in settings.TRADINGVIEW_WEBHOOK_SECRETS]
        if not secrets:
            raise exceptions.PermissionDenied(OFF)
        try:
            body = message.parse(raw)
        except message.Malformed as error:
            raise exceptions.ParseError(str(error)) from None
        if not message.knows(body, secrets):
            if _forged.count() == 1:  # once in a window, whatever the flood
                log.warning("an alert was refused: its secret is missing or wrong")
            raise exceptions.PermissionDenied(WRONG_SECRET)
        try:
            return message.read(body)
        except message.Malformed as error:
            raise exceptions.ValidationError({error.field: [str(error)]}) from None


def _body(request: Request) -> bytes:
    """The body as it came, whatever its content type says. Raises TooLarge."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    if length.isdigit() and int(length) > message.MAX_BYTES:
        raise TooLarge
    raw: bytes = request._request.read(message.MAX_BYTES + 1)  # noqa: SLF001 - DRF would parse it
    if len(raw) > message.MAX_BYTES:
        raise TooLarge
    return raw


def _nudge(alert_id: int) -> None:
    """Have it applied at once; without a broker the poller finds it within seconds."""
    try:
        apply_alert.apply_async((alert_id,), retry=False, expires=inbox.EXPIRES.total_seconds())
    except BrokerError as error:
        log.warning("alert %s waits for the poller: %s", alert_id, error)
