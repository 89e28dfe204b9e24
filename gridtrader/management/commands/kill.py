"""`manage.py kill`: stops everything, and cancels whatever of ours rests, whatever else is down.

It needs the exchange alone: neither Redis nor Celery nor the web process, and not the database,
without which a file of the data folder stands for the halt until it can be committed.
"""

import json
import threading
from argparse import ArgumentParser
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.utils import timezone

from bots.models import Bot
from bots.safety import killing
from bots.safety.killing import DATABASE_AWAY, Course
from gridtrader.hosting import borrowed
from gridtrader.services import ServiceError
from integrations.bybit.account import gateway_from_settings
from market.exchange import ExchangeError
from risk import halts
from risk.models import Halt

COMMIT_PATIENCE_S = 1.0  # then cancelling begins, and the commit is tried on beside it
NOT_COMMITTED = 3  # exit code: nothing rests, but no halt stands in the database


class _Commit(threading.Thread):
    """Commits the halt, with the folder's own database started for that if need be."""

    def __init__(self, **wish: Any) -> None:  # noqa: ANN401 - passed on to halts.arm
        super().__init__(name="commit", daemon=True)
        self._wish = wish
        self._finished = threading.Event()
        self.halt: Halt | None = None
        self.trouble = ""

    def run(self) -> None:
        try:
            self.halt = halts.arm(**self._wish)
        except DATABASE_AWAY as error:
            self.trouble = " ".join(str(error).split())
            connection.close()
            self._with_own_database()
        finally:
            connection.close()

    def _with_own_database(self) -> None:
        if not settings.DATABASE_IS_EMBEDDED:
            return
        try:
            with borrowed(settings.DATA_DIR, ["postgres"]):
                self.halt = halts.arm(**self._wish)
                connection.close()
                self._finished.wait()
        except (*DATABASE_AWAY, ServiceError) as error:
            self.trouble = " ".join(str(error).split())

    def finish(self) -> None:
        """The database is not needed any more."""
        self._finished.set()
        self.join(20)


class Command(BaseCommand):
    """Commit a halt on all, cancel until the exchange shows nothing of ours at two looks."""

    help = "Stop everything now: no order is sent any more, and ours are cancelled."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--reason", required=True, metavar="TEXT", help="why, for the record")
        parser.add_argument("--sell", action="store_true", help="bots sell what they hold, too")
        parser.add_argument(
            "--drill",
            action="store_true",
            help="a real kill, measured; trading goes on afterwards when both sides' books agree",
        )

    def handle(
        self, *args: object, reason: str, sell: bool, drill: bool, **options: object
    ) -> None:
        if not reason.strip():
            raise CommandError("--reason is empty; say why")
        if drill and sell:
            raise CommandError("a drill does not sell; use --drill or --sell")
        began = timezone.now()
        commit = _Commit(reason=reason, by="manage.py kill", origin="command line", sell=sell)
        commit.start()
        commit.join(COMMIT_PATIENCE_S)
        if commit.halt is None:
            halts.raise_flag(reason)
        with ExitStack() as stack:
            stack.callback(commit.finish)
            course = self._cancel(commit, began)
            self._tell(commit, course)
            if drill:
                self._after_drill(began, course)
        if commit.halt is None:
            raise CommandError(
                f"the database does not answer ({commit.trouble or 'it is silent'}), so no halt is "
                f"committed; {halts.flag()} stands for it on this machine",
                returncode=NOT_COMMITTED,
            )

    def _cancel(self, commit: _Commit, began: datetime) -> Course:
        exchange = gateway_from_settings(alone=True)
        course = killing.course_of(commit.halt) if commit.halt else Course(committed_at=began)
        told = ""

        def save(course: Course) -> None:
            nonlocal told
            if commit.halt is not None:
                killing.saved_to(commit.halt)(course)
                halts.flag().unlink(missing_ok=True)
            words = f"{course.state}: {course.open_orders} of ours open, {course.trouble}"
            if words != told:
                self.stdout.write(words.rstrip(", "))
                self.stdout.flush()
                told = words

        return killing.run(
            exchange, course, save,
            enough=lambda course: course.is_over,
            database=lambda: commit.halt is not None,
        )  # fmt: skip

    def _tell(self, commit: _Commit, course: Course) -> None:
        self.stdout.write(
            f"DONE: {course.cancelled} cancelled; nothing of ours was open at "
            f"{course.first_empty_at:%H:%M:%S.%f} and at {course.done_at:%H:%M:%S.%f} UTC"
        )
        if commit.halt is not None:
            self.stdout.write(
                f"halt {commit.halt.pk} stands for {Bot.objects.count()} bots until an admin "
                "resumes with rearm"
            )

    def _after_drill(self, began: datetime, course: Course) -> None:
        path = _report(began, course)
        self.stdout.write(f"the drill is measured in {path}")
        try:
            killing.rearm(
                gateway_from_settings(alone=True),
                by="manage.py kill", reason="end of the drill", origin="command line",
            )  # fmt: skip
        except (halts.NotPossible, ExchangeError) as error:
            raise CommandError(f"the kill stays: {error}") from error
        self.stdout.write("trading goes on")


def _report(began: datetime, course: Course) -> Path:
    """Write what a drill measured, in ms since it began."""
    moments = {
        "committed": course.committed_at,
        "cancels_sent": course.sent_at,
        "first_seen_empty": course.first_empty_at,
        "done": course.done_at,
    }
    report = {
        "began": began.isoformat(timespec="milliseconds"),
        "cancelled": course.cancelled,
        "ms": {
            name: round((at - began).total_seconds() * 1000) for name, at in moments.items() if at
        },
    }
    folder = Path(settings.DATA_DIR) / "drills"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"kill-{began:%Y%m%dT%H%M%S}.json"
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="ascii")
    return path
