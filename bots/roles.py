"""Roles: who may read, who may steer, who may only kill. A role is a Django group of its name."""

from enum import StrEnum

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, Group, Permission, User
from django.db import transaction

APPS = ("market", "integrations", "risk", "bots")


class Role(StrEnum):
    """What a person or a program may do."""

    VIEWER = "viewer"  # reads
    TRADER = "trader"  # reads, pauses, resumes, deploys
    ADMIN = "admin"  # everything
    KILLER = "killer"  # only kills


READERS = frozenset({Role.VIEWER, Role.TRADER, Role.ADMIN})
STEERERS = frozenset({Role.TRADER, Role.ADMIN})
ADMINS = frozenset({Role.ADMIN})
KILLERS = frozenset({Role.KILLER, Role.ADMIN})


def roles_of(user: AbstractBaseUser | AnonymousUser) -> frozenset[Role]:
    """The roles of an account; a superuser is an admin, nobody and the inactive have none."""
    if not isinstance(user, User) or not user.is_active:
        return frozenset()
    if user.is_superuser:
        return frozenset({Role.ADMIN})
    names = user.groups.filter(name__in=list(Role)).values_list("name", flat=True)
    return frozenset(Role(name) for name in names)


def ensure_groups() -> None:
    """Make the four groups where they are missing, with their rights to the admin's pages."""
    views = Permission.objects.filter(
        content_type__app_label__in=APPS, codename__startswith="view_"
    ).exclude(codename="view_apitoken")
    deploys = Permission.objects.filter(content_type__app_label="bots", codename="add_gridconfig")
    tokens = Permission.objects.filter(
        content_type__app_label="bots", codename__in=("view_apitoken", "delete_apitoken")
    )
    limits = Permission.objects.filter(
        content_type__app_label="risk", codename__in=("change_policy", "loosen_policy")
    )
    rights = {
        Role.VIEWER: [views],
        Role.TRADER: [views, deploys],
        Role.ADMIN: [views, deploys, tokens, limits],
        Role.KILLER: [],
    }
    for role, permissions in rights.items():
        group, created = Group.objects.get_or_create(name=role.value)
        if created:
            for permission in permissions:
                group.permissions.add(*permission)


@transaction.atomic
def give(user: User, role: Role) -> frozenset[Role]:
    """Make `role` the account's only role. Returns the roles that it takes the place of."""
    ensure_groups()
    groups = user.groups.filter(name__in=list(Role)).exclude(name=role.value)
    before = frozenset(Role(name) for name in groups.values_list("name", flat=True))
    user.groups.remove(*groups)
    user.groups.add(Group.objects.get(name=role.value))
    return before
