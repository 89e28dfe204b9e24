"""A progress bar for commands that people wait for; silent where nobody watches."""

from collections.abc import Callable, Iterable, Iterator
from typing import TextIO, TypeVar

WIDTH = 32
EVERY = 4096  # items between two drawings: some a second, and free of cost

T = TypeVar("T")


def shown(
    items: Iterable[T], share: Callable[[], float], what: str, on: TextIO, every: int = EVERY
) -> Iterator[T]:
    """The items, with a bar on `on` while they are taken if it is a terminal.

    `share` says how much is done, from 0 to 1. The bar is wiped when the items end or fail.
    """
    if not on.isatty():
        yield from items
        return
    try:
        for count, item in enumerate(items):
            if count % every == 0:
                done = share()
                filled = round(WIDTH * done)
                on.write(f"\r{'█' * filled}{'░' * (WIDTH - filled)} {done:4.0%}  {count:,} {what}")
                on.flush()
            yield item
    finally:
        on.write("\r\x1b[K")
        on.flush()
