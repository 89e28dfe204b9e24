"""The Celery application: tasks of all apps, our logging, lasting database connections."""

import logging.config

from celery import Celery
from celery.signals import setup_logging, task_prerun
from django.conf import settings
from django.db import connections

app = Celery("gridtrader")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def log_as_django_does(**_: object) -> None:
    """Keep our redacting one-line format in worker and beat."""
    logging.config.dictConfig(settings.LOGGING)


@task_prerun.connect
def look_at_connections(**_: object) -> None:
    """Let the first query of a task find out whether a reused connection still lives.

    Workers reuse connections (CELERY_DB_REUSE_MAX); Django would check them only at the start of
    a web request, so a restarted PostgreSQL would leave every worker thread with a dead one.
    """
    for connection in connections.all(initialized_only=True):
        connection.health_check_done = False  # type: ignore[attr-defined]
