"""The form that edits a bot's grid: the fields of a deployment without its names."""

from decimal import Decimal
from typing import Any

from bots.forms import DeployForm
from bots.models import Bot, GridConfig
from market.types import plain

NAMES = ("slug", "name", "symbol")


class EditForm(DeployForm):
    """The next version of a bot's grid; what is left as it is stays as it is."""

    def __init__(self, bot: Bot, *args: Any, **options: Any) -> None:  # noqa: ANN401 - Django's own
        self.bot = self.instead_of = bot
        self.now = bot.next_config or bot.config
        options.setdefault("initial", shown(self.now) if self.now else {})
        super().__init__(*args, **options)
        for name in NAMES:
            del self.fields[name]

    def clean(self) -> dict[str, Any]:
        """The rules of a deployment, on the bot's pair."""
        self.cleaned_data.update({name: getattr(self.bot, name) for name in NAMES})
        found = super().clean()
        if not self.errors and not self.changes():
            self.add_error(None, "Nothing is different from the grid as it is.")
        return found

    def changes(self) -> dict[str, Any]:
        """The fields that would be another way, with what they would be."""
        return {
            name: self.cleaned_data[name]
            for name in self.fields
            if name in self.cleaned_data and self.cleaned_data[name] != getattr(self.now, name)
        }

    def differences(self) -> list[dict[str, str]]:
        """The same in words, each beside what it is now."""
        return [
            {"name": name, "before": text(getattr(self.now, name)), "after": text(value)}
            for name, value in self.changes().items()
        ]


def shown(config: GridConfig) -> dict[str, Any]:
    """A version as the form's fields show it."""
    names = EditForm.Meta.fields
    return {
        name: plain(value) if isinstance(value := getattr(config, name), Decimal) else value
        for name in names
    }


def text(value: object) -> str:
    """A field's value in words."""
    if value is None or value == "":
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return plain(value) if isinstance(value, Decimal) else str(value)
