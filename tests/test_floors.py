"""The house rules of architecture: who may import whom, proven on the syntax tree of every file."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
APPS = ["market", "integrations", "risk", "bots", "gridtrader"]  # each may import those before it
PURE_FLOOR = 2
FORBIDDEN_WHEN_PURE = {
    "django", "rest_framework", "celery", "channels", "redis", "psycopg2",
    "pybit", "requests", "aiohttp", "time", "random", "uuid", "socket", "os", "threading",
}  # fmt: skip
DOORS = {
    "tasks", "switches", "api", "views", "forms", "consumers", "admin", "urls",
}  # fmt: skip


def floor(path: Path) -> int:  # noqa: PLR0911 - a table of floors reads best as one
    """The floor a file of an app lives on (see the table in docs/architecture.md)."""
    app, *rest = path.parts
    name = path.stem
    if app == "gridtrader":
        return 6
    if (app, name) == ("market", "types"):
        return 0
    if (app, name) in {
        ("market", "exchange"), ("market", "matching"), ("market", "volatility"), ("risk", "rules"),
        ("risk", "guards"), ("risk", "belief"), ("risk", "gate"),
    } or rest[0] == "grid":  # fmt: skip
        return 1
    if path in {
        Path("bots/engine.py"),
        Path("bots/backtest/replay.py"),
        Path("bots/backtest/sweep.py"),
    }:
        return 2
    if name in {"models", "apps", "__init__"} or rest[0] in {"models", "migrations"}:
        return 3
    if rest[0] in {"management", "templatetags", "pages", "api"} or name in DOORS:
        return 5
    return 4


def sources() -> Iterator[Path]:
    for app in APPS:
        for path in sorted((ROOT / app).rglob("*.py")):
            yield path.relative_to(ROOT)


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where a name comes from"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def target(name: str) -> Path | None:
    """The file of ours that a dotted name imports, if it is ours."""
    if name.split(".", maxsplit=1)[0] not in APPS:
        return None
    path = Path(*name.split("."))
    if (ROOT / path).with_suffix(".py").is_file():
        return path.with_suffix(".py")
    if (ROOT / path / "__init__.py").is_file():
        return path / "__init__.py"
    return None


@pytest.mark.parametrize("path", list(sources()), ids=str)
def test_imports_go_left_and_down(path: Path) -> None:
    for name in imported(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        goal = target(name)
        if goal is None or goal == path:
            continue
        here, there = APPS.index(path.parts[0]), APPS.index(goal.parts[0])
        assert there <= here, f"{path} imports {name}: {goal.parts[0]} is to the right"
        if goal.name == "__init__.py":
            continue
        assert floor(goal) <= floor(path), f"{path} imports {name}, which is a floor above"


@pytest.mark.parametrize("path", [path for path in sources() if floor(path) <= PURE_FLOOR], ids=str)
def test_the_pure_floors_know_no_machine(path: Path) -> None:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    for name in imported(tree):
        assert name.split(".")[0] not in FORBIDDEN_WHEN_PURE, f"{path} imports {name}"
    clocks = [
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in {"now", "utcnow", "today"}
    ]
    assert not clocks, f"{path} reads a clock"


def test_only_doors_enqueue_tasks() -> None:
    for path in sources():
        if floor(path) >= 5:
            continue
        names = set(imported(ast.parse((ROOT / path).read_text(encoding="utf-8"))))
        assert not {name for name in names if name.endswith(".tasks") or "celery" in name}, path


def test_modules_import_without_cycles() -> None:
    graph = {
        path: {
            goal
            for name in imported(ast.parse((ROOT / path).read_text(encoding="utf-8")))
            if (goal := target(name)) is not None
            and goal not in {path, path.parent / "__init__.py"}
        }
        for path in sources()
    }
    done: set[Path] = set()

    def visit(path: Path, above: tuple[Path, ...]) -> None:
        assert path not in above, " -> ".join(map(str, (*above, path)))
        if path in done:
            return
        for goal in graph.get(path, ()):
            visit(goal, (*above, path))
        done.add(path)

    for path in graph:
        visit(path, ())
