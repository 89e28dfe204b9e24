"""What a role opens in the API. Views import this module, so it does not import them."""

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from bots.models import ApiToken
from bots.roles import KILLERS, READERS, STEERERS, Role, roles_of


def opens(request: Request, roles: frozenset[Role]) -> bool:
    """Whether the account has one of the roles, and its token's scope is one of them too."""
    token = request.auth
    within = not isinstance(token, ApiToken) or not token.scope or token.scope in roles
    return within and not roles.isdisjoint(roles_of(request.user))


class _RolePermission(BasePermission):
    """Leave for those who have one of some roles; the refusal names them."""

    roles: frozenset[Role] = frozenset()

    def has_permission(self, request: Request, view: object) -> bool:  # noqa: ARG002
        if opens(request, self.roles):
            return True
        wanted = ", ".join(role for role in Role if role in self.roles)
        has = ", ".join(sorted(roles_of(request.user))) or "none"
        scope = request.auth.scope if isinstance(request.auth, ApiToken) else ""
        self.message = f"this needs one of the roles {wanted}; yours: {has}" + (
            f", of which the token's scope leaves what a {scope} may" if scope else ""
        )
        return False


class Nobody(BasePermission):
    """What a view opens to that names no permission of its own: nothing."""

    def has_permission(self, request: Request, view: object) -> bool:  # noqa: ARG002
        return False


class MayRead(_RolePermission):
    """Viewer, trader, admin."""

    roles = READERS


class MaySteer(_RolePermission):
    """Trader, admin."""

    roles = STEERERS


class MayKill(_RolePermission):
    """Killer, admin."""

    roles = KILLERS
