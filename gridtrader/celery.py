"""The Celery application: tasks of all apps, our logging, time limits, lasting connections."""

import logging.config

from celery import Celery, Task, signals
from django.conf import settings
from django.db import connections

from gridtrader.nudge import Nudge, TimeLimit

app = Celery("gridtrader", task_cls=Nudge)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


_limit = TimeLimit(settings.TASK_TIME_LIMIT_S)


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


@signals.worker_ready.connect
def keep_to_the_time_limit(**_: object) -> None:
    """From now on no task may run for ever."""
    _limit.watch()


@signals.task_prerun.connect
def begin(task_id: str, task: Task, **_: object) -> None:
    """A task begins in this thread."""
    _limit.begun(task_id, task.name)


@signals.task_postrun.connect
def end(task_id: str, **_: object) -> None:
    """A task has ended, however."""
    _limit.done(task_id)
