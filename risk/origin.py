"""Where an act comes from: a request, a task, a process. The audit trail tells it of every row."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

_PROGRAMS = ("worker", "beat")  # one word of Celery's command line says which it is

_within: ContextVar[str] = ContextVar("origin", default="")
_process = "a process that was not named"


@contextmanager
def coming_from(origin: str) -> Iterator[None]:
    """Whatever is done inside the block came from there."""
    token = _within.set(origin)
    try:
        yield
    finally:
        _within.reset(token)


def started_as(words: list[str]) -> None:
    """Name this process by its command line: what is done outside of any block came from it."""
    global _process  # noqa: PLW0603 - a process has one name, and its threads share it
    _process = named(words)


def named(words: list[str]) -> str:
    """A process in few words: "manage.py watchdog", "celery worker", "daphne"."""
    program = Path(words[0])
    name = program.parent.name if program.stem == "__main__" else program.name
    if name == "manage.py":
        return " ".join(["manage.py", *words[1:2]])
    return " ".join([name, *(word for word in words[1:] if word in _PROGRAMS)])


def here() -> str:
    """From where what runs now comes; never empty."""
    return _within.get() or _process
