"""Tests of the whole system, as a newcomer starts it."""
