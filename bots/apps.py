"""Django's name for the app `bots`."""

from importlib import import_module

from django.apps import AppConfig
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_out
from django.db import transaction
from django.db.models.signals import m2m_changed, post_delete, post_save


class BotsConfig(AppConfig):
    """Grids that trade."""

    name = "bots"

    def ready(self) -> None:
        """Have open pages asked again for their right to be, whenever rights may have changed."""
        account = get_user_model()
        user_logged_out.connect(_look_again)
        m2m_changed.connect(_look_again, sender=account.groups.through)
        post_save.connect(_look_again, sender=account)
        post_delete.connect(_look_again, sender=account)


def _look_again(**_: object) -> None:
    live = import_module("bots.live")
    transaction.on_commit(live.rights_changed)
