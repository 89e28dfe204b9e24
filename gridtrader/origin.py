"""Tells the audit trail where a request came from."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from risk.origin import coming_from

DOORS = (("/api/", "API"), ("/admin/", "admin"))
Answer = Callable[[HttpRequest], HttpResponse]


def origin(get_response: Answer) -> Answer:
    """Name the door and the address; behind a proxy the address is the proxy's word for it."""

    def middleware(request: HttpRequest) -> HttpResponse:
        door = next((name for path, name in DOORS if request.path.startswith(path)), "page")
        address = request.META.get("REMOTE_ADDR", "")
        with coming_from(f"{door} {address}".strip()):
            return get_response(request)

    return middleware
