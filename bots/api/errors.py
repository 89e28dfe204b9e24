"""Every refusal of the API in one shape: {"error": {"code", "message", "fields"?}}."""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import set_rollback

log = logging.getLogger(__name__)

_CODES: dict[type[exceptions.APIException], str] = {
    exceptions.ValidationError: "invalid",
    exceptions.ParseError: "malformed",
    exceptions.AuthenticationFailed: "not_authenticated",
    exceptions.NotAuthenticated: "not_authenticated",
    exceptions.PermissionDenied: "forbidden",
    exceptions.NotFound: "not_found",
    exceptions.MethodNotAllowed: "method_not_allowed",
    exceptions.NotAcceptable: "not_acceptable",
    exceptions.UnsupportedMediaType: "unsupported_media_type",
    exceptions.Throttled: "throttled",
}


class Conflict(exceptions.APIException):
    """The call makes no sense in the present state; the message says what would."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


class Unknown(exceptions.APIException):
    """A name of something that does not exist; the message tells what does."""

    status_code = status.HTTP_404_NOT_FOUND
    default_code = "not_found"

    def __init__(self, field: str, told: str) -> None:
        super().__init__({field: [told]})


def handle(error: Exception, context: Mapping[str, Any]) -> Response:
    """Turn an exception of a view into an answer (DRF's EXCEPTION_HANDLER)."""
    set_rollback()
    if isinstance(error, Http404):
        error = exceptions.NotFound(*error.args)
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied(*error.args)
    if isinstance(error, exceptions.APIException):
        return _refusal(error, context)
    if isinstance(error, OperationalError | InterfaceError):
        log.error("the database failed an API call: %s", " ".join(str(error).split()))
        message = "the database does not answer now; try again in a moment"
        return _answer(status.HTTP_503_SERVICE_UNAVAILABLE, "unavailable", message)
    log.error("an API call failed", exc_info=error)
    message = "an error of ours, written to the log; the call may have been half done"
    return _answer(status.HTTP_500_INTERNAL_SERVER_ERROR, "internal_error", message)


def _refusal(error: exceptions.APIException, context: Mapping[str, Any]) -> Response:
    code = _CODES.get(type(error), error.default_code)
    response = _answer(error.status_code, code, *_told(error, context))
    if header := getattr(error, "auth_header", None):
        response["WWW-Authenticate"] = header
    if wait := getattr(error, "wait", None):
        response["Retry-After"] = f"{wait:.0f}"
    return response


def _told(
    error: exceptions.APIException, context: Mapping[str, Any]
) -> tuple[str, dict[str, list[str]] | None]:
    if isinstance(error.detail, dict):
        fields = {str(name): list(_texts(told)) for name, told in error.detail.items()}
        message = "; ".join(f"{name}: {' '.join(texts)}" for name, texts in fields.items())
        return message, fields
    message = " ".join(_texts(error.detail))
    if isinstance(error, exceptions.NotAuthenticated):
        message = "log in, or send the header `Authorization: Token KEY`"
    elif isinstance(error, exceptions.UnsupportedMediaType):
        message += " Accepted: application/json."
    elif isinstance(error, exceptions.MethodNotAllowed):
        accepted = [name for name in context["view"].allowed_methods if name != "OPTIONS"]
        message += f" Accepted: {', '.join(accepted)}."
    return message, None


def _texts(detail: object) -> Iterator[str]:
    if isinstance(detail, dict):
        for name, told in detail.items():
            yield f"{name}: {' '.join(_texts(told))}"
    elif isinstance(detail, list):
        for told in detail:
            yield from _texts(told)
    else:
        yield str(detail)


def _answer(
    status_code: int, code: str, message: str, fields: dict[str, list[str]] | None = None
) -> Response:
    error: dict[str, Any] = {"code": code, "message": message}
    if fields:
        error["fields"] = fields
    return Response({"error": error}, status=status_code)
