"""Tests of the bots: rows, ticks, and the whole stack."""
