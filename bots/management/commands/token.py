"""`manage.py token USER --role ROLE`: a new key to the API, printed once; lists and revokes too."""

from argparse import ArgumentParser

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from bots import roles, tokens
from bots.models import ApiToken
from bots.roles import Role
from risk import audit

ALL = "all"
_BY = "manage.py token"


class Command(BaseCommand):
    """Create the account when needed, give it the role, print a key."""

    requires_system_checks = ()
    help = "Create the user when needed, give it the role, and print a new API token once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        every = [role.value for role in Role]
        parser.add_argument("user", help="name of the account")
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--role", choices=every, help="its only role")
        what.add_argument("--list", action="store_true", help="show its tokens instead")
        what.add_argument(
            "--revoke", metavar="NUMBER", help="end one of its tokens, or all of them"
        )
        parser.add_argument("--scope", choices=every, default="", help="open no more than that")
        parser.add_argument(
            "--days", type=int, default=tokens.USUAL_DAYS, help="how long it lives (%(default)s)"
        )
        parser.add_argument("--name", default="", help="what it is for")

    @transaction.atomic
    def handle(self, *args: object, **options: object) -> None:
        name = str(options["user"])
        if options["list"]:
            for token in _of(name):
                self.stdout.write(_line(token))
        elif options["revoke"] is not None:
            self._revoke(name, str(options["revoke"]))
        else:
            self._make(name, Role(str(options["role"])), options)

    def _make(self, name: str, role: Role, options: dict[str, object]) -> None:
        user = _account(name)
        if user.is_superuser and role is not Role.ADMIN:
            raise CommandError(
                f"{user.username} is a superuser, so its token can do everything; "
                "use --role admin or name another user"
            )
        before = roles.give(user, role)
        audit.record(
            "role", f"user:{user.pk}", who=_BY,
            before={"roles": sorted(before)}, after={"user": user.username, "role": role},
        )  # fmt: skip
        if before:
            names = " and ".join(sorted(before))
            self.stderr.write(f"{user.username} was {names} and is {role} now, all its tokens too")
        try:
            key = tokens.make(
                user,
                by=_BY,
                name=str(options["name"])[:60],
                scope=str(options["scope"]),
                days=int(str(options["days"])),
            )
        except tokens.NotPossible as error:
            raise CommandError(str(error)) from None
        self.stdout.write(key)

    def _revoke(self, name: str, which: str) -> None:
        mine = list(_of(name))
        chosen = mine if which == ALL else [token for token in mine if str(token.pk) == which]
        if not chosen:
            numbers = ", ".join(str(token.pk) for token in mine) or "none: it has no token"
            raise CommandError(f"{name} has no token {which}; accepted: {ALL}, {numbers}")
        for token in chosen:
            line = _line(token)
            tokens.revoke(token, by=_BY)
            self.stdout.write(f"revoked: {line}")


def _of(name: str) -> list[ApiToken]:
    """The tokens of an account, oldest first. Raises CommandError."""
    if not User.objects.filter(username=name).exists():
        raise CommandError(f"there is no account {name!r}")
    return list(ApiToken.objects.filter(user__username=name).order_by("pk"))


def _line(token: ApiToken) -> str:
    facts = (
        str(token.pk),
        token.name or "without a name",
        f"scope {token.scope}" if token.scope else "all that its account may do",
        f"made {token.created_at:%Y-%m-%d}",
        f"ends {token.expires_at:%Y-%m-%d}",
    )
    return "  ".join(facts)


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
