"""Compute every projection again from the fills, and tell what differs."""

from argparse import ArgumentParser
from contextlib import nullcontext

from django.core.management.base import BaseCommand, CommandError

from bots.books import days, identity, posting, rebuild
from bots.models import BookLine, Bot, GridConfig
from market.snapshots import snapshot


class Command(BaseCommand):
    """Cells, trips, ledger and sums are only conclusions; fills and capital moves are the facts."""

    help = "Recompute cells, round trips and ledger from the fills; with --write, keep the result."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--bot", metavar="SLUG", help="only this bot")
        parser.add_argument("--write", action="store_true", help="replace what differs")

    def handle(self, *args: object, bot: str | None, write: bool, **options: object) -> None:
        """Look at one moment of the database: an edit that takes over meanwhile is no difference.

        What is written looks again, each version at its own moment.
        """
        with nullcontext() if write else snapshot():
            self._all(bot, write=write)

    def _all(self, bot: str | None, *, write: bool) -> None:
        configs = GridConfig.objects.select_related("bot").order_by("bot__position", "version")
        if bot is not None:
            configs = configs.filter(bot__slug=bot)
            if not configs:
                raise CommandError(f"no bot is named {bot}")
        found = sum(self._one(config, write=write) for config in configs)
        found += self._ledger(Bot.objects.filter(slug=bot).first(), write=write)
        found += self._days(write=write)
        if not found:
            mine = Bot.objects.filter(configs__in=configs).distinct()
            found = sum(self._identity(each) for each in mine)
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

    def _ledger(self, bot: Bot | None, *, write: bool) -> int:
        wrong = list(posting.mistakes(bot))
        self.stdout.write(f"ledger: {BookLine.objects.count()} lines, {len(wrong)} differences")
        for mistake in wrong:
            self.stdout.write(f"  {mistake}")
            if write:
                posting.correct(mistake)
        if wrong and write:
            self.stdout.write("  corrected")
        return len(wrong)

    def _days(self, *, write: bool) -> int:
        wrong = list(days.differences())
        for _, words in wrong:
            self.stdout.write(f"  {words}")
        if wrong and write:
            days.mark(day for day, _ in wrong)
            self.stdout.write("  added up anew")
        return len(wrong)

    def _identity(self, bot: Bot) -> int:
        """Whether the parts add up, now that each is what its fills say."""
        rest = identity.residual(bot)
        if rest.is_zero:
            return 0
        self.stdout.write(f"{bot}: the ledger is beyond its parts by {rest}")
        return 1
