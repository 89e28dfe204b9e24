"""`python -m tests.faults --runs 500 --seed 1`: random fault runs, figures, failed seeds."""
# ruff: noqa: T201 - a command prints

import argparse
import json
import queue
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

LEAST = 20  # times that each kind must have happened in 500 runs
WHOLE = 500

Row = dict[str, Any]


def main() -> int:
    """0 when no run failed and every kind of fault was met often enough."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=WHOLE)
    parser.add_argument("--seed", type=int, default=1, help="of the first; each next has one more")
    parser.add_argument("--jobs", type=int, default=1, help="processes, each with its PostgreSQL")
    parser.add_argument("--verbose", action="store_true", help="a line for each run")
    parser.add_argument("--lines", action="store_true", help="verdicts as JSON, no figures")
    given = parser.parse_args()
    began = time.monotonic()
    rows: list[Row] = []
    for row in (
        _spread(given) if given.jobs > 1 else _run(range(given.seed, given.seed + given.runs))
    ):
        rows.append(row)
        if given.lines:
            print(json.dumps(row), flush=True)
        elif given.verbose or row["broken"]:
            print(_line(row), *row["broken"][:10], sep="\n  ", flush=True)
    if given.lines:
        return 0
    return _report(rows, time.monotonic() - began)


def _run(seeds: range) -> Iterator[Row]:
    """The verdicts of these seeds, in this process."""
    from tests import plugin

    plugin.start()
    with _database():
        from tests.faults.run import forget, run

        for seed in seeds:
            forget()
            verdict = run(seed)
            yield {**asdict(verdict), "kinds": dict(verdict.kinds)}


def _spread(given: argparse.Namespace) -> Iterator[Row]:
    """The same by several processes, each with every n-th block of seeds."""
    share = -(-given.runs // given.jobs)
    starts = range(given.seed, given.seed + given.runs, share)
    command = [sys.executable, "-m", "tests.faults", "--lines"]
    workers = [
        subprocess.Popen(
            [*command, "--seed", str(start), "--runs", str(min(share, starts.stop - start))],
            stdout=subprocess.PIPE,
            text=True,
        )
        for start in starts
    ]
    # All are read at once: one whose pipe is full would stand still.
    with ThreadPoolExecutor(len(workers)) as pool:
        came: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        for worker in workers:
            pool.submit(_read, worker, came)
        for _ in workers:
            while (line := came.get()) is not None:
                yield json.loads(line)
    for worker in workers:
        if worker.wait():
            raise SystemExit(f"a process of the runs ended with {worker.returncode}")


def _read(worker: "subprocess.Popen[str]", into: "queue.SimpleQueue[str | None]") -> None:
    for line in worker.stdout or ():
        if line.startswith("{"):
            into.put(line)
    into.put(None)


@contextmanager
def _database() -> Iterator[None]:
    """A test database, gone at the end."""
    import django

    django.setup()
    from django.test.utils import setup_databases, teardown_databases

    before = setup_databases(verbosity=0, interactive=False)
    try:
        yield
    finally:
        teardown_databases(before, verbosity=0)


def _line(row: Row) -> str:
    met = ", ".join(f"{kind} {count}" for kind, count in sorted(row["kinds"].items()))
    return (
        f"seed {row['seed']}: {row['seconds']:.1f} s, {row['orders']} orders, {row['fills']} fills,"
        f" {row['errors']} errors, tail {row['tail']:g} s; {met}"
    )


def _report(rows: list[Row], seconds: float) -> int:
    from integrations.bybit.simulator.faults import KINDS

    kinds: Counter[str] = Counter()
    for row in rows:
        kinds.update(row["kinds"])
    failed = [row["seed"] for row in rows if row["broken"]]
    sums = {
        name: sum(row[name] for row in rows) for name in ("orders", "fills", "trips", "seconds")
    }
    print(f"{len(rows)} runs in {seconds:.0f} s, {sums['seconds'] / len(rows):.2f} s a run")
    print(
        f"{sums['orders']} orders, {sums['fills']} fills, {sums['trips']} round trips,"
        f" {kinds.total()} faults of {len(kinds)} kinds"
    )
    for kind in KINDS:
        print(f"  {kind:22}{kinds[kind]:8}")
    seldom = [kind for kind in KINDS if kinds[kind] < LEAST * len(rows) / WHOLE]
    if seldom:
        print("too seldom:", ", ".join(seldom))
    print("failed:", ", ".join(map(str, failed)) if failed else "none")
    return 1 if failed or seldom else 0


if __name__ == "__main__":
    sys.exit(main())
