"""`manage.py recentre`: move a bot's range around the price, after showing what that would do."""

from argparse import ArgumentParser
from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from bots import control, edits
from bots.grid.levels import InvalidGrid
from bots.models import Bot
from integrations.bybit.account import gateway_from_settings
from market.exchange import ExchangeError
from market.types import MalformedNumber, decimal

OPTIONS = ("stop_loss", "take_profit", "trailing_cap")


class Command(BaseCommand):
    """Without --yes nothing is changed."""

    help = "Move a bot's range so that the price lies in its middle; --yes carries it out."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("bot", help="its slug, e.g. btc-usdt")
        for name in OPTIONS:
            option = "--" + name.replace("_", "-")
            parser.add_argument(option, metavar="PRICE", help="anew, where the range meets it")
        parser.add_argument("--yes", action="store_true", help="do it")

    def handle(self, *args: object, **given: Any) -> None:  # noqa: ANN401 - Django's signature
        bot = Bot.objects.select_related("config", "next_config").filter(slug=given["bot"]).first()
        if bot is None:
            slugs = ", ".join(Bot.objects.values_list("slug", flat=True))
            raise CommandError(f"no such bot; accepted: {slugs}")
        try:
            self._recentre(bot, _changes(given), yes=given["yes"])
        except InvalidGrid as error:
            raise CommandError(f"{error.field}: {error}") from error
        except (control.NotPossible, ExchangeError) as error:
            raise CommandError(str(error)) from error

    def _recentre(self, bot: Bot, changes: dict[str, Decimal], *, yes: bool) -> None:
        exchange = gateway_from_settings()
        changes = {**changes, **edits.centred(exchange, bot)}
        found, told = edits.look_at(exchange, bot, changes)
        for line in _words(bot, told):
            self.stdout.write(line)
        if not yes:
            self.stdout.write("Nothing was changed; --yes carries it out.")
            return
        for objection in found.objections:
            raise objection
        config = control.edit(bot, changes, by="manage.py recentre", unless=found.beyond)
        self.stdout.write(f"Version {config.version} takes over with the next ticks.")


def _changes(given: dict[str, Any]) -> dict[str, Decimal]:
    try:
        return {name: decimal(given[name]) for name in OPTIONS if given[name] is not None}
    except MalformedNumber as error:
        raise CommandError(str(error)) from error


def _words(bot: Bot, told: dict[str, Any]) -> list[str]:
    edit, levels = told["edit"], told["levels"]
    counts = [len(edit[name]) for name in ("kept", "cancelled", "placed")]
    lines = [
        f"{bot.name} at {told['price']}: {levels[0]} to {levels[-1]}, {len(levels) - 1} grids",
        "orders: {} stay, {} are cancelled, {} are placed".format(*counts),
    ]
    if sales := edit["sales"]:
        then = f"{sales['before']} as it stands, {sales['after']} after it"
        lines.append(f"the coins held, sold at their levels: {then}")
        lines.append(f"loss made real by the sales below cost: {sales['loss']}")
    return [*lines, *(f"note: {warning}" for warning in told["warnings"])]
