"""Who calls the API: `Authorization: Token KEY`, looked up by the key's SHA-256."""

from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from bots.models import ApiToken
from bots.tokens import digest

_KEYWORD = "Token"
_WANTED = "send the header `Authorization: Token KEY`, KEY as `manage.py token` printed it"


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
        if found.expires_at <= timezone.now():
            ended = found.expires_at.strftime("%Y-%m-%d %H:%M UTC")
            raise AuthenticationFailed(f"the token ended on {ended}; make a new one")
        return found.user, found

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002 - DRF's signature
        """Answer 401, not 403, to those who sent no login."""
        return _KEYWORD
