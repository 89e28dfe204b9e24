"""Tells the audit trail where a request came from."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from risk import audit

Answer = Callable[[HttpRequest], HttpResponse]


def origin(get_response: Answer) -> Answer:
    """Name the door and the address; behind a proxy the address is the proxy's word for it."""

    def middleware(request: HttpRequest) -> HttpResponse:
        door = "API" if request.path.startswith("/api/") else "page"
        address = request.META.get("REMOTE_ADDR", "")
        with audit.coming_from(f"{door} {address}".strip()):
            return get_response(request)

    return middleware
