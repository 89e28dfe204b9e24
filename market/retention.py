"""How long each time series is kept, and the forgetting of what is older."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from market import storage

YEAR = timedelta(days=365)
KEEP: Mapping[str, timedelta] = {
    "market_candle": 3 * YEAR,  # minutes; hours and days are rolled up before
    "market_rollup": 50 * YEAR,
    "risk_equitypoint": 5 * YEAR,
    "risk_latencysample": timedelta(days=90),
}
LONGEST = max(KEEP.values())  # for a series that nobody has thought about


def forget(now: datetime) -> Mapping[str, int]:
    """Drop what is too old at `now` (exchange clock); how many chunks or rows, by table."""
    return {
        series.table: storage.drop_before(series, now - KEEP.get(series.table, LONGEST))
        for series in storage.all_series()
    }
