"""Django's name for the app `risk`."""

from django.apps import AppConfig


class RiskConfig(AppConfig):
    """How much may be lost, and who must stop."""

    name = "risk"
