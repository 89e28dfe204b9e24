"""The Celery application: tasks of all apps, our logging, time limits, lasting connections."""

import logging.config
from contextlib import ExitStack

from celery import Celery, Task, signals
from django.conf import settings
from django.db import connections

from gridtrader.garbage import settle
from gridtrader.nudge import Nudge, TimeLimit
from market.about import about, facts
from risk.origin import coming_from

app = Celery("gridtrader", task_cls=Nudge)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


_limit = TimeLimit(settings.TASK_TIME_LIMIT_S)
_lines: dict[str, ExitStack] = {}


@signals.setup_logging.connect
def log_as_django_does(**_: object) -> None:
    """Keep our redacting one-line format in worker and beat."""
    logging.config.dictConfig(settings.LOGGING)


@signals.task_prerun.connect
def look_at_connections(**_: object) -> None:
    """Let the first query of a task find out whether a reused connection still lives.

    Workers reuse connections (CELERY_DB_REUSE_MAX); Django would check them only at the start of
    a web request, so a restarted PostgreSQL would leave every worker thread with a dead one.
    """
    for connection in connections.all(initialized_only=True):
        connection.health_check_done = False  # type: ignore[attr-defined]


@signals.before_task_publish.connect
def take_the_request_along(headers: dict[str, object], **_: object) -> None:
    """A task knows for which request it was sent, so that its log lines can name it."""
    if request := facts().get("request"):
        headers["request_id"] = request


@signals.worker_ready.connect
def be_quick(**_: object) -> None:
    """From now on no task may run for ever, nor wait for garbage that is none."""
    _limit.watch()
    settle()


@signals.task_prerun.connect
def begin(task_id: str, task: Task, **_: object) -> None:
    """A task begins in this thread: its lines name it, and the request that sent it."""
    _limit.begun(task_id, task.name)
    named = {"task": f"{task.name.rpartition('.')[2]}:{task_id[:8]}"}
    if request := getattr(task.request, "request_id", None):
        named["request"] = request
    _lines[task_id] = ExitStack()
    _lines[task_id].enter_context(about(**named))
    _lines[task_id].enter_context(coming_from(" ".join(["task", *named.values()])))


@signals.task_postrun.connect
def end(task_id: str, **_: object) -> None:
    """A task has ended, however."""
    _limit.done(task_id)
    if lines := _lines.pop(task_id, None):
        lines.close()
