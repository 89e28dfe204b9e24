"""Guards the two login forms: who guesses is told to wait, however many names he tries."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from bots.api.throttling import Bucket

FORMS = ("/login/", "/admin/login/")
_tries = Bucket(30)  # a minute, from one address: hashing a password costs time on purpose


def locked_out(request: HttpRequest, *_: object) -> HttpResponse:
    """The answer to a name that is closed for a while (django-axes asks for it)."""
    return _wait(request, 15 * 60)


def paced(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[..., HttpResponse]:
    """Middleware: so many tries a minute from one address, whatever the names."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.method == "POST" and request.path in FORMS:
            wait = _tries.take(request.META.get("REMOTE_ADDR", ""))
            if wait:
                return _wait(request, wait)
        return get_response(request)

    return middleware


def _wait(request: HttpRequest, seconds: float) -> HttpResponse:
    minutes = max(1, round(seconds / 60))
    answer = render(request, "429.html", {"minutes": minutes}, status=429)
    answer["Retry-After"] = f"{max(1, round(seconds))}"
    return answer
