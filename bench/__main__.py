"""Runs the benchmarks, or those named: `python -m bench orders`. Each is a module with `run()`."""

import importlib
import json
import pkgutil
import sys

import bench


def main(wanted: list[str]) -> int:
    """Print a JSON line for each figure; answers the exit code."""
    names = (module.name for module in pkgutil.iter_modules(bench.__path__))
    known = [name for name in names if not name.startswith("_")]
    if unknown := set(wanted) - set(known):
        sys.stderr.write(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(known)}\n")
        return 2
    for name in wanted or known:
        for figures in importlib.import_module(f"bench.{name}").run():
            sys.stdout.write(json.dumps(figures) + "\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
