"""What a log line is about: the request, the task, the bot. Known to every line that is written."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

_facts: ContextVar[Mapping[str, str]] = ContextVar("about", default={})  # noqa: B039 - never changed


@contextmanager
def about(**facts: object) -> Iterator[None]:
    """Name what is worked on until the block ends; what was named before stays."""
    token = _facts.set({**_facts.get(), **{name: str(fact) for name, fact in facts.items()}})
    try:
        yield
    finally:
        _facts.reset(token)


def facts() -> Mapping[str, str]:
    """What is worked on here and now, by name."""
    return _facts.get()
