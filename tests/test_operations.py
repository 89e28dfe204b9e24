"""What docs/operations.md and .env.example say is so: its commands exist, its back-up restores."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import get_commands, load_command_class
from django.db import connection
from django.urls import resolve

ROOT = Path(settings.BASE_DIR)
TEXT = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh( \w+)?\n(.*?)```", TEXT, re.DOTALL)
LINES = [line for _, block in BLOCKS for line in block.replace("\\\n", "").splitlines()]
# Section 2 of the contract: these names are promises.
PROMISED = {
    "GRIDTRADER_MODE", "BYBIT_API_KEY", "BYBIT_API_SECRET", "BYBIT_REST_URL", "BYBIT_WS_URL",
    "DATABASE_URL", "REDIS_URL", "TRADINGVIEW_WEBHOOK_SECRET", "NOTION_TOKEN",
    "NOTION_TRADES_DATABASE", "NOTION_PORTFOLIO_DATABASE", "NOTION_BASE_URL", "COINGECKO_BASE_URL",
    "COINGECKO_API_KEY", "NOTIFY_URLS", "GRIDTRADER_HOST", "GRIDTRADER_PORT", "GRIDTRADER_DATA_DIR",
    "SECRET_KEY", "DEBUG", "ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS", "PAPER_TAPE", "PAPER_SPEED",
}  # fmt: skip


@pytest.mark.parametrize("line", [line for line in LINES if "manage.py" in line])
def test_its_commands_are_understood(line: str) -> None:
    words = shlex.split(line, comments=True)
    name, *given = words[words.index("manage.py") + 1 :]
    command = load_command_class(get_commands()[name], name)
    command.create_parser("manage.py", name).parse_args(given)


@pytest.mark.parametrize("path", sorted(set(re.findall(r"127\.0\.0\.1:8000(/[\w/-]+)", TEXT))))
def test_its_addresses_exist(path: str) -> None:
    assert resolve(path).url_name not in {None, "api-nowhere"}


@pytest.mark.skipif(not settings.DATABASE_IS_EMBEDDED, reason="the back-up of embedded servers")
def test_its_back_up_holds_every_table(db: None, tmp_path: Path) -> None:
    (script,) = (block for name, block in BLOCKS if name.strip() == "backup")
    (tmp_path / "var").symlink_to(settings.DATA_DIR)
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    place = str(connection.settings_dict["NAME"])
    script = re.sub(r"^    postgres >", f"    {place} >", script, flags=re.MULTILINE)
    assert place in script
    subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=tmp_path, check=True, timeout=60)
    listed = (tmp_path / "gridtrader.list").read_text()
    tables = connection.introspection.table_names()
    assert [table for table in tables if f"TABLE DATA public {table} " not in listed] == []


def test_the_example_names_every_variable_that_is_read() -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    named = set(re.findall(r"^#([A-Z_]+)=", example, re.MULTILINE))
    read = set()
    for module in ("settings", "bybit"):
        source = (ROOT / "gridtrader" / f"{module}.py").read_text(encoding="utf-8")
        read |= set(re.findall(r"env\.\w+\(\s*\"([A-Z_]+)\"", source))
    assert read >= PROMISED
    assert read == named


def test_a_change_begins_with_an_issue() -> None:
    for path in (
        ".github/pull_request_template.md",
        ".github/ISSUE_TEMPLATE/enhancement.md",
        "CONTRIBUTING.md",
    ):
        assert "starts with an issue" in (ROOT / path).read_text(encoding="utf-8")
