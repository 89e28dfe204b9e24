"""A short sample of the random fault runs; `make faults` has five hundred."""

import pytest

from tests.faults.run import run

SEEDS = (*range(1, 13), 29, 60, 64, 101)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_run_ends_quiet_and_equal(transactional_db: None, seed: int) -> None:
    assert run(seed).broken == []
