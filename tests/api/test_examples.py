"""The calls of docs/api.md, made one after another: each is answered as the page says."""

import json
import re
import shlex
import uuid
from collections.abc import Iterator
from io import StringIO
from typing import NamedTuple

import pytest
from django.conf import settings
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client

from bots import control, seeds
from bots.api import kill
from bots.books import ledger
from integrations.bybit.gateway import Gateway
from tests.simulator.fixture import RunningSimulator

PAGE = settings.BASE_DIR / "docs" / "api.md"
HERE = "http://127.0.0.1:8000"
PRICES = {"MNTUSDT": "1.08", "BTCUSDT": "97000", "DOGEUSDT": "0.137", "PEPEUSDT": "0.00000445"}


class Example(NamedTuple):
    """A command of the page, and the line below it that says what it is answered."""

    command: str
    told: str


def examples() -> Iterator[Example]:
    blocks = re.findall(r"(?:^    .*\n)+", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    for block in blocks:
        lines = [line.removeprefix("    ") for line in block.splitlines()]
        told = lines.pop() if lines[-1].startswith("# ") else ""
        yield Example("\n".join(lines), told.removeprefix("# "))


def token(command: str) -> str:
    """What KEY=$(...) gives."""
    found = re.fullmatch(r"KEY=\$\(\.venv/bin/python manage\.py (.*)\)", command)
    assert found is not None, command
    printed = StringIO()
    call_command(*shlex.split(found[1]), stdout=printed)
    return printed.getvalue().strip()


def curl(command: str, key: str) -> HttpResponse:
    """What curl does with the options that the page uses; others fail."""
    command = command.replace("$KEY", key).replace("$(uuidgen)", str(uuid.uuid4()))
    words = iter(shlex.split(command.replace("\\\n", " ")))
    assert next(words) == "curl"
    headers, body, url = {}, None, ""
    for word in words:
        if word == "-H":
            name, _, value = next(words).partition(": ")
            headers[name] = value
        elif word == "-d":
            body = next(words)
        elif word not in {"-O", "-J"}:
            assert word.startswith(f"{HERE}/"), word
            url = word.removeprefix(HERE)
    kind = headers.pop("Content-Type", "application/x-www-form-urlencoded")
    method = "GET" if body is None else "POST"
    return Client().generic(method, url, body or "", content_type=kind, headers=headers)


@pytest.fixture
def market(
    db: None, exchange: Gateway, simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three of the four bots, and the capital of the fourth."""
    simulator.step(PRICES)
    ledger.open_books(exchange)
    for wish in seeds.BOTS:
        if wish.symbol != "MNTUSDT":
            control.deploy(wish, by="a test")
    monkeypatch.setattr(kill, "EXCHANGE", exchange)


def test_all_examples_are_answered_as_told(market: None) -> None:
    key, seen = "", 0
    for example in examples():
        if example.command.startswith("KEY="):
            key = token(example.command)
            continue
        answer = curl(example.command, key)
        status, _, told = example.told.partition(" ")
        said = b"" if answer.streaming else answer.content
        assert answer.status_code == int(status), f"{example.command}\n{said.decode()}"
        if told == "text/csv":
            assert answer["Content-Type"].startswith(told)
        else:
            assert set(told.split(", ")) <= set(json.loads(said)), example.command
        seen += 1
    assert seen >= 10
