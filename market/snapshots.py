"""One moment of the database for many questions."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def snapshot(*, writes: bool = False) -> Iterator[None]:
    """Have all that is read inside be of one moment; unless it `writes`, nothing can be written.

    Inside a transaction that has begun already it is that one's to say what is seen.
    """
    if connection.in_atomic_block:
        yield
        return
    level = "REPEATABLE READ" if writes else "REPEATABLE READ, READ ONLY"
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"SET TRANSACTION ISOLATION LEVEL {level}")
        yield
