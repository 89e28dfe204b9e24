"""Benchmarks: what each thing costs on this machine, one JSON line apiece."""
