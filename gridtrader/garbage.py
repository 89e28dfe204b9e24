"""Garbage collection in processes that must answer at once."""

import gc


def settle() -> None:
    """Leave what is loaded by now out of all later collections: it stays as long as the process.

    Walking through all of Django and its libraries again and again held a process up for a fifth
    of a second each time, many times a minute in a flood of requests.
    """
    gc.collect()
    gc.freeze()
