"""Gives every request an id: on its log lines, on the tasks that it sends, and in its answer."""

import re
import secrets
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from market.about import about

HEADER = "X-Request-ID"
_SOUND = re.compile(r"[A-Za-z0-9_-]{8,64}")


def request_id(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: the id that a proxy gave, if it is a sound one, or one of our own."""

    def respond(request: HttpRequest) -> HttpResponse:
        given = request.headers.get(HEADER, "")
        name = given if _SOUND.fullmatch(given) else secrets.token_hex(8)
        with about(request=name):
            response = get_response(request)
        response.headers[HEADER] = name
        return response

    return respond
