"""`manage.py replay NUMBER`: carries out a backtest that was asked for on the page."""

import os
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from bots.backtest import runs


class Command(BaseCommand):
    """Started by the worker for each backtest; ends early when the worker is gone."""

    help = "Carry out a backtest that waits in the database."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("number", type=int, help="of the backtest, as in its address")

    def handle(self, *args: object, **given: Any) -> None:  # noqa: ANN401 - Django's signature
        runs.lower_priority()
        parent = os.getppid()
        runs.carry_out(given["number"], is_wanted=lambda: os.getppid() == parent)
