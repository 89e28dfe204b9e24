"""Tests of what Celery runs: bounded, fresh, in time, and harmless when it comes twice."""
