"""The database's advisory locks: one list of them, so that no two mean different things."""

from enum import IntEnum, unique

from django.db import connection


@unique
class Lock(IntEnum):
    """What each number stands for, in every process."""

    BOOKS = 7_201  # the account's opening balance is written
    SENDING = 7_202  # shared by the trigger on orders while one is marked SENT, alone by a kill
    AUDIT = 7_203  # a row is added to the audit trail
    GATE = 7_204  # one tick of the account is at the pre-trade gate
    REPAIR = 7_205  # gaps in the candles are refilled
    BEAT = 7_206  # this beat sends
    GRIDS = 7_207  # a bot is given a range and capital
    MOVES = 7_208  # a move of coins from outside is booked
    ALERTS = 7_209  # the effect of an alert on a bot is begun


def hold(lock: Lock) -> None:
    """Wait for a lock, and have it alone until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [lock])
