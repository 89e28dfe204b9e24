"""Django's name for the app `integrations`."""

from django.apps import AppConfig


class IntegrationsConfig(AppConfig):
    """Outside services: Bybit and the others."""

    name = "integrations"
