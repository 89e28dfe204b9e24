"""Compare our books with the exchange's, and mend what can be mended."""

import time
from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError

from bots import runner
from bots.books import reconcile
from bots.models import Bot
from bots.tasks import WORKING
from integrations.bybit.account import gateway_from_settings
from market.exchange import ExchangeError
from market.types import plain

PATIENCE_S = 15.0


class Command(BaseCommand):
    """Sweep, tick, compare; again until both sides agree or patience ends."""

    help = "Compare open orders, executions and wallet with the exchange, and mend."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--bot", metavar="SLUG", help="tick only this bot while mending")
        parser.add_argument("--dry-run", action="store_true", help="compare only, mend nothing")

    def handle(self, *args: object, bot: str | None, dry_run: bool, **options: object) -> None:
        bots = Bot.objects.filter(state__in=WORKING)
        if bot is not None:
            bots = bots.filter(slug=bot)
            if not bots:
                known = ", ".join(Bot.objects.values_list("slug", flat=True))
                raise CommandError(f"no working bot named {bot}; known: {known}")
        try:
            found = _until_agreed([bot.pk for bot in bots], mend=not dry_run)
        except ExchangeError as error:
            raise CommandError(f"the exchange does not answer: {error}") from error
        self._print(found)
        if not found.agrees:
            raise CommandError(f"{len(found.differences)} differences")

    def _print(self, found: reconcile.Comparison) -> None:
        write = self.stdout.write
        write(f"open orders   {found.open_orders:>8}   foreign {found.foreign_orders}")
        write(f"executions    {found.executions:>8}   foreign {len(found.foreign_executions)}")
        for coin, held in sorted(found.coins.items()):
            write(f"{coin:<12}  {plain(held)}")
        for difference in found.differences:
            write(
                f"DIFFERENT {difference.what}: ours {difference.ours}, "
                f"the exchange's {difference.theirs}"
            )
        if found.agrees:
            write("Both sides agree: open orders, executions and wallet are the same.")


def _until_agreed(bot_ids: list[int], *, mend: bool) -> reconcile.Comparison:
    """Orders move while both sides are read, so a difference counts when it lasts."""
    exchange = gateway_from_settings()
    patience = time.monotonic() + PATIENCE_S
    while True:
        if mend:
            reconcile.sweep(exchange)
            for bot_id in bot_ids:
                runner.run_once(bot_id, exchange, lambda _: None)
        found = reconcile.compare(exchange)
        if found.agrees or time.monotonic() > patience:
            return found
        time.sleep(0.3)
