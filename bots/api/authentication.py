"""Who calls the API: `Authorization: Token KEY`, looked up by the key's SHA-256."""

import hashlib
import secrets

from django.contrib.auth.models import User
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from bots.models import ApiToken

_KEYWORD = "Token"
_WANTED = "send the header `Authorization: Token KEY`, KEY as `manage.py token` printed it"


def digest(key: str) -> str:
    """What is kept of a key. It holds 256 random bits, so a plain hash cannot be guessed back."""
    return hashlib.sha256(key.encode()).hexdigest()


def new_token(user: User) -> str:
    """Make a key for the account and return it: the only time that it can be seen."""
    key = secrets.token_urlsafe(32)
    ApiToken.objects.create(user=user, digest=digest(key))
    return key


class TokenAuthentication(BaseAuthentication):
    """Logs a request in by the token in its header."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        """Find the owner of the key; None when no key was sent. Raises AuthenticationFailed."""
        words = get_authorization_header(request).split()
        if not words or words[0].lower() != _KEYWORD.lower().encode():
            return None
        if len(words) != 2:  # noqa: PLR2004 - the word Token and the key
            raise AuthenticationFailed(f"the token header is malformed; {_WANTED}")
        found = (
            ApiToken.objects.select_related("user")
            .filter(digest=digest(words[1].decode("latin-1")), user__is_active=True)
            .first()
        )
        if found is None:
            raise AuthenticationFailed(f"the token is not valid; {_WANTED}")
        return found.user, found

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002 - DRF's signature
        """Answer 401, not 403, to those who sent no login."""
        return _KEYWORD
