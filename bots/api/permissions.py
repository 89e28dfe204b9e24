"""What a role opens in the API. Views import this module, so it does not import them."""

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from bots.roles import KILLERS, READERS, STEERERS, Role, roles_of


class _RolePermission(BasePermission):
    """Leave for those who have one of some roles; the refusal names them."""

    roles: frozenset[Role] = frozenset()

    def has_permission(self, request: Request, view: object) -> bool:  # noqa: ARG002
        mine = roles_of(request.user)
        wanted = ", ".join(role for role in Role if role in self.roles)
        has = ", ".join(sorted(mine)) or "none"
        self.message = f"this needs one of the roles {wanted}; yours: {has}"
        return bool(mine & self.roles)


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
