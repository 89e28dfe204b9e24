"""Beat, of which one alone sends: whoever holds a lock of the database. Others stand by."""

import logging
import time

from celery.beat import Scheduler
from django.db import DatabaseError, InterfaceError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from market.locks import Lock
from risk import pulse

log = logging.getLogger(__name__)

LOOK_S = 1.0  # between two looks whether the lock is held, or free


class Turn:
    """The right to send, held by a session of the database: the server ends it with the session."""

    def __init__(self) -> None:
        self._session: BaseDatabaseWrapper | None = None
        self._looked = float("-inf")

    def is_mine(self) -> bool:
        """Whether it is ours; looks at most once a second, and takes it when it is free."""
        now = time.monotonic()
        if now - self._looked >= LOOK_S:
            self._looked = now
            self._look()
        return self._session is not None

    def give_back(self) -> None:
        """End the session, and the turn with it."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def _look(self) -> None:
        mine = self._session is not None
        try:
            if self._session is None:
                self._take()
            else:
                with self._session.cursor() as cursor:
                    cursor.execute("SELECT 1")
            if self._session is not None:
                pulse.beat(pulse.BEAT)
        except (DatabaseError, InterfaceError) as error:
            self.give_back()
            connections["default"].close()
            if mine:
                log.warning(
                    "beat stands by, the database is away: %s", " ".join(str(error).split())
                )

    def _take(self) -> None:
        session = connections["default"].copy()
        try:
            with session.cursor() as cursor:
                # A machine that vanished must not keep the lock for hours, as TCP would let it.
                cursor.execute(
                    "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5;"
                    "SET tcp_keepalives_count = 3; SELECT pg_try_advisory_lock(%s)",
                    [Lock.BEAT],
                )
                (mine,) = cursor.fetchone()
        except (DatabaseError, InterfaceError):
            session.close()
            raise
        if mine:
            self._session = session
            log.info("this beat sends")
        else:
            session.close()


class OneBeat(Scheduler):
    """Celery's scheduler, in memory (no file that a crash could break). Sends in its turn."""

    max_interval = LOOK_S

    def __init__(self, *args: object, **options: object) -> None:
        self._turn = Turn()
        super().__init__(*args, **options)

    def tick(self, *args: object, **options: object) -> float:
        """Send what is due; answers for how many seconds to sleep."""
        if not self._turn.is_mine():
            return LOOK_S
        wait: float = super().tick(*args, **options)
        return wait

    def close(self) -> None:
        self._turn.give_back()
        super().close()
