"""`manage.py seed`: the four bots, the roles and the operator; a second run changes nothing."""

from django.conf import settings
from django.core.management.base import BaseCommand

from bots import seeds


class Command(BaseCommand):
    """Create what is missing and say so."""

    requires_system_checks = ()
    help = "Create the four bots, the roles and the operator's account where they are missing."

    def handle(self, *args: object, **options: object) -> None:
        for bot in seeds.seed_bots():
            self.stdout.write(f"bot {bot.name} will deploy on the first price it sees")
        place = settings.DATA_DIR / seeds.PASSWORD_FILE
        password = seeds.seed_operator(settings.DATA_DIR)
        if password is not None:
            self.stdout.write(f"login: user {seeds.OPERATOR}, password {password}")
            self.stdout.write(f"the password is kept in {place} and is not shown again")
        elif place.exists():
            self.stdout.write(f"login: user {seeds.OPERATOR}, first password in {place}")
        else:
            self.stdout.write(
                f"login: user {seeds.OPERATOR}; its password is not in {place}; "
                f"`manage.py changepassword {seeds.OPERATOR}` sets a new one"
            )
