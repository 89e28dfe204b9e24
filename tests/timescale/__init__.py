"""Real TimescaleDB for the storage tests: `make test-timescale`."""
