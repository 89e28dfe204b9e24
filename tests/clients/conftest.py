"""Each client of this folder gets the same simulator, whose time stands until a test steps it."""

from tests.simulator.fixture import simulator

__all__ = ["simulator"]
