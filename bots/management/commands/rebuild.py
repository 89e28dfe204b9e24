"""Compute every projection again from the fills, and tell what differs."""

from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError

from bots.books import rebuild
from bots.models import GridConfig


class Command(BaseCommand):
    """Cells and round trips are only conclusions; the fills are the facts."""

    help = "Recompute cells and round trips from the fills; with --write, keep the result."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--bot", metavar="SLUG", help="only this bot")
        parser.add_argument("--write", action="store_true", help="replace what differs")

    def handle(self, *args: object, bot: str | None, write: bool, **options: object) -> None:
        configs = GridConfig.objects.select_related("bot").order_by("bot__position", "version")
        if bot is not None:
            configs = configs.filter(bot__slug=bot)
            if not configs:
                raise CommandError(f"no bot is named {bot}")
        found = sum(self._one(config, write=write) for config in configs)
        if found and not write:
            raise CommandError(f"{found} differences; --write replaces what is kept")

    def _one(self, config: GridConfig, *, write: bool) -> int:
        again = rebuild.rebuild(config)
        if again is None:
            return 0
        told = list(rebuild.differences(again))
        self.stdout.write(
            f"{config}: {again.fills} fills, {len(again.trips)} round trips, "
            f"{len(told)} differences"
        )
        for line in told:
            self.stdout.write(f"  {line}")
        if told and write:
            rebuild.write(again)
            self.stdout.write("  replaced")
        return len(told)
