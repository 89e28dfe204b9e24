"""`make nightly`: the grid's random life until so many steps were made, with figures as JSON.

A hypothesis run draws afresh each time (its seed is printed and can be given again); what fails is
shrunk and printed with its traceback.
"""

import argparse
import json
import random
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed

from hypothesis import HealthCheck, settings
from hypothesis import seed as seeded
from hypothesis.database import InMemoryExampleDatabase
from hypothesis.stateful import run_state_machine_as_test

from tests.grid.test_machine import CAME, STEPS, Life

EXAMPLES, LENGTH = 100, 60


def lived(number: int) -> tuple[Counter[str], Counter[str]]:
    """The steps and what came of them in one run of hypothesis from a seed.

    Raises AssertionError with the shrunk life that failed.
    """
    STEPS.clear()
    CAME.clear()
    machine = seeded(number)(type("Life", (Life,), {}))
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES, stateful_step_count=LENGTH, deadline=None,
            database=InMemoryExampleDatabase(), suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
    return Counter(STEPS), Counter(CAME)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=random.randrange(10**9))
    given = parser.parse_args()
    began, runs, number = time.monotonic(), 0, given.seed
    steps: Counter[str] = Counter()
    came: Counter[str] = Counter()
    with ProcessPoolExecutor(given.jobs) as pool:
        waiting = set()
        while steps.total() < given.steps:
            if time.monotonic() - began > given.minutes * 60:
                break
            while len(waiting) < given.jobs:
                waiting.add(pool.submit(lived, number))
                number += 1
            done = next(as_completed(waiting))
            waiting.discard(done)
            try:
                more, happened = done.result()
            except Exception as error:
                sys.stderr.write(f"FAILED, seeds {given.seed} to {number - 1}: {error!r}\n")
                raise
            runs += 1
            steps += more
            came += happened
            if sys.stderr.isatty():
                sys.stderr.write(f"\r{steps.total():,} of {given.steps:,} steps")
    told = {
        "steps": steps.total(), "lives": runs * EXAMPLES, "by_kind": steps, "came": came,
        "seed": given.seed, "seconds": round(time.monotonic() - began),
    }  # fmt: skip
    sys.stdout.write(json.dumps(told) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
