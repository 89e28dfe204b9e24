"""Keys to the API: made and revoked, each time with a row in the audit trail."""

import hashlib
import secrets
from datetime import timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from bots.models import ApiToken
from bots.roles import KILLERS, READERS, STEERERS, Role, roles_of
from risk import audit

USUAL_DAYS, MOST_DAYS = 365, 3_650


class NotPossible(Exception):
    """No such token can be; the text says which could."""


def digest(key: str) -> str:
    """What is kept of a key. It holds 256 random bits, so a plain hash cannot be guessed back."""
    return hashlib.sha256(key.encode()).hexdigest()


def scopes_of(user: User) -> list[Role]:
    """The scopes that a token of this account may have: roles that may do no more than it."""
    mine = roles_of(user)
    return [
        scope
        for scope in Role
        if all(mine & group for group in (READERS, STEERERS, KILLERS) if scope in group)
    ]


@transaction.atomic
def make(user: User, *, by: str, name: str = "", scope: str = "", days: int = USUAL_DAYS) -> str:
    """Make a key for the account and return it: the only time that it can be seen.

    With a scope it opens no more than what an account of that role may do; it ends after so many
    days. Raises NotPossible.
    """
    if not 1 <= days <= MOST_DAYS:
        raise NotPossible(f"a token lives from 1 to {MOST_DAYS} days")
    fitting = scopes_of(user)
    if scope and scope not in fitting:
        accepted = ", ".join(fitting) or "none: the account has no role"
        raise NotPossible(f"{user} may not do what a {scope} may; accepted: {accepted}")
    key = secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        user=user,
        digest=digest(key),
        name=name,
        scope=scope,
        expires_at=timezone.now() + timedelta(days=days),
    )
    audit.record("token made", token.subject, who=by, after=_facts(token))
    return key


@transaction.atomic
def revoke(token: ApiToken, *, by: str) -> None:
    """End a token, at once and for good."""
    audit.record("token revoked", token.subject, who=by, before=_facts(token))
    token.delete()


def _facts(token: ApiToken) -> dict[str, str]:
    return {
        "user": token.user.get_username(),
        "name": token.name,
        "scope": token.scope,
        "expires_at": token.expires_at.isoformat(timespec="seconds"),
    }
