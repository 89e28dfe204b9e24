"""Lengths of bars, in Bybit's spelling of intervals: minutes as "1" to "720", then "D" and "W"."""

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
WEEK_MS = 7 * DAY_MS
MONDAY_MS = 4 * DAY_MS  # 1970-01-05: weeks begin on Monday, UTC

LENGTH_MS = {
    **{str(n): n * MINUTE_MS for n in (1, 3, 5, 15, 30, 60, 120, 240, 360, 720)},
    "D": DAY_MS,
    "W": WEEK_MS,
}


class UnknownInterval(ValueError):
    """Not an interval of bars of a fixed length."""


def length_ms(interval: str) -> int:
    """How long a bar lasts. Raises UnknownInterval, which names those that are known."""
    if interval not in LENGTH_MS:
        raise UnknownInterval(f"{interval!r} is no interval; accepted: {', '.join(LENGTH_MS)}")
    return LENGTH_MS[interval]


def opening(interval: str, time: int) -> int:
    """When the bar that holds this moment (exchange clock, ms) opens."""
    begin = MONDAY_MS if interval == "W" else 0
    return time - (time - begin) % length_ms(interval)
