"""`manage.py token USER --role ROLE`: a new key to the API, printed once."""

from argparse import ArgumentParser

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from bots import roles
from bots.api.authentication import new_token
from bots.roles import Role
from risk import audit


class Command(BaseCommand):
    """Create the account when needed, give it the role, print a key."""

    requires_system_checks = ()
    help = "Create the user when needed, give it the role, and print a new API token once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", help="name of the account")
        parser.add_argument(
            "--role", required=True, choices=[role.value for role in Role], help="its only role"
        )

    @transaction.atomic
    def handle(self, *args: object, **options: object) -> None:
        role = Role(str(options["role"]))
        user = _account(str(options["user"]))
        if user.is_superuser and role is not Role.ADMIN:
            raise CommandError(
                f"{user.username} is a superuser, so its token can do everything; "
                "use --role admin or name another user"
            )
        before = roles.give(user, role)
        audit.record(
            "token", f"user:{user.pk}", who="manage.py token", origin="command line",
            before={"roles": sorted(before)}, after={"user": user.username, "role": role},
        )  # fmt: skip
        if before:
            names = " and ".join(sorted(before))
            self.stderr.write(f"{user.username} was {names} and is {role} now, all its tokens too")
        self.stdout.write(new_token(user))


def _account(name: str) -> User:
    """The active account of that name, created without a password if need be."""
    user = User.objects.filter(username=name).first()
    if user is None:
        user = User(username=name)
        user.set_unusable_password()
        try:
            user.full_clean(exclude=["password"])
        except ValidationError as error:
            raise CommandError(f"user name {name!r}: {' '.join(error.messages)}") from None
        user.save()
    if not user.is_active:
        raise CommandError(f"{name} is not active; activate it in the admin or name another user")
    return user
