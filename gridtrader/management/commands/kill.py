"""`manage.py kill`: stops everything, and cancels whatever of ours rests, whatever else is down.

It needs the exchange alone: neither Redis nor Celery nor the web process, and not the database,
without which a file of the data folder stands for the halt until it can be committed.
"""

import threading
from argparse import ArgumentParser
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.utils import timezone

from bots.models import Bot
from bots.safety import drill, killing
from bots.safety.course import DATABASE_AWAY, Course, course_of, saved_to
from gridtrader.hosting import borrowed
from gridtrader.services import ServiceError
from integrations.bybit.account import gateway_from_settings
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
            "--foreign", action="store_true", help="cancel orders that are not ours, too"
        )
        parser.add_argument(
            "--drill",
            action="store_true",
            help="a real kill, measured; trading goes on afterwards when both sides' books agree",
        )

    def handle(self, *args: object, **given: Any) -> None:  # noqa: ANN401 - Django's signature
        reason, wishes = given["reason"], {name: given[name] for name in ("sell", "foreign")}
        if not reason.strip():
            raise CommandError("--reason is empty; say why")
        if not given["drill"]:
            self._kill(reason, wishes)
        elif any(wishes.values()):
            raise CommandError("a drill is plain: it goes with neither --sell nor --foreign")
        else:
            self._drill(reason)

    def _kill(self, reason: str, wishes: Mapping[str, bool]) -> None:
        began = timezone.now()
        commit = _Commit(reason=reason, by="manage.py kill", **wishes)
        commit.start()
        commit.join(COMMIT_PATIENCE_S)
        if commit.halt is None:
            halts.raise_flag(halts.Wish(reason, **wishes))
        with ExitStack() as stack:
            stack.callback(commit.finish)
            course = self._cancel(commit, began, foreign=wishes["foreign"])
            self._tell(commit, course)
        if commit.halt is None:
            raise CommandError(
                f"the database does not answer ({commit.trouble or 'it is silent'}), so no halt is "
                f"committed; {halts.flag()} stands for it on this machine",
                returncode=NOT_COMMITTED,
            )

    def _cancel(self, commit: _Commit, began: datetime, *, foreign: bool) -> Course:
        exchange = gateway_from_settings(alone=True)
        course = course_of(commit.halt) if commit.halt else Course(began, foreign=foreign)
        told = ""

        def save(course: Course) -> None:
            nonlocal told
            if commit.halt is not None:
                saved_to(commit.halt)(course)
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

    def _drill(self, reason: str) -> None:
        """Kill, measure, and go on. Nothing is done while the database is away."""
        exchange = gateway_from_settings(alone=True)
        try:
            found = drill.run(exchange, reason=reason, by="manage.py kill")
        except halts.NotPossible as error:
            raise CommandError(f"no drill now: {error}") from error
        except DATABASE_AWAY as error:
            words = " ".join(str(error).split())
            raise CommandError(f"a drill needs the database ({words}); nothing was done") from error
        self.stdout.write(
            f"{found.state}: {found.cancelled} of {found.resting} orders cancelled; "
            + ", ".join(f"{name.replace('_', ' ')} {ms} ms" for name, ms in found.ms.items())
        )
        self.stdout.write(found.lifted)
        path = drill.path_of(datetime.fromisoformat(found.began))
        self.stdout.write(f"the report: {path}")
        if not found.is_good:
            raise CommandError("not as promised: " + "; ".join(found.broken))
