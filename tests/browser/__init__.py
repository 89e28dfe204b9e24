"""Tests of the pages in a real browser, on the real application."""
