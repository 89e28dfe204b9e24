"""Makes the house an installed app, so that its commands and its Celery application are found."""

import sys
from importlib import import_module

from django.apps import AppConfig

from risk import origin


class HouseConfig(AppConfig):
    """The project as a Django app: it has no models, only commands."""

    name = "gridtrader"

    def ready(self) -> None:
        """Bind shared tasks to our Celery application in every Django process, and name it."""
        origin.started_as(sys.argv)
        import_module("gridtrader.celery")
