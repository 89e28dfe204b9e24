"""How many examples a property is tried on: a few in `make test`, all in `make test-all`."""

import os

from hypothesis import HealthCheck, settings

THOROUGH = os.environ.get("GRIDTRADER_THOROUGH") == "1"
SHARE = 1 if THOROUGH else 5  # one of so many examples is tried
USUAL = 100
HOUSE = "house"  # the name of the settings of all properties

# A machine that does other work too is slow now and then: no property is about that.
settings.register_profile(
    HOUSE,
    deadline=None,
    max_examples=USUAL // SHARE,
    suppress_health_check=[HealthCheck.too_slow],
)


def examples(number: int) -> settings:
    """Settings of a property that is worth so many examples where time is no matter."""
    return settings(max_examples=max(number // SHARE, 5))
