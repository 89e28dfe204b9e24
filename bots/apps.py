"""Django's name for the app `bots`."""

from django.apps import AppConfig


class BotsConfig(AppConfig):
    """Grids that trade."""

    name = "bots"
