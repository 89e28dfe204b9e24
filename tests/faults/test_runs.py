"""A short sample of the random fault runs; `make faults` has five hundred."""

import pytest

from tests.faults import menu
from tests.faults.run import run

SEEDS = (*range(1, 13), 29, 60, 64, 101)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_run_ends_quiet_and_equal(transactional_db: None, seed: int) -> None:
    assert run(seed).broken == []


def test_every_kind_is_on_the_menu() -> None:
    from integrations.bybit.simulator.faults import KINDS

    assert menu.SWITCHES.keys() == KINDS.keys()
