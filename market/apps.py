"""Django's name for the app `market`."""

from django.apps import AppConfig


class MarketConfig(AppConfig):
    """The market: its words, rules, instruments and prices."""

    name = "market"
