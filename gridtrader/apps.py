"""Makes the house an installed app, so that its commands and its Celery application are found."""

from importlib import import_module

from django.apps import AppConfig


class HouseConfig(AppConfig):
    """The project as a Django app: it has no models, only commands."""

    name = "gridtrader"

    def ready(self) -> None:
        """Bind shared tasks to our Celery application in every Django process."""
        import_module("gridtrader.celery")
