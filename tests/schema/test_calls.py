"""Schemathesis against a live server, as each role: all checks, and none may fail.

EXAMPLES is how many cases of each call are made up at random; the document itself suggests some
1,500 for each role beside them.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bots.api.docs import document
from bots.roles import Role
from tests.factories import (
    BotFactory,
    CellFactory,
    FillFactory,
    InstrumentFactory,
    PriceFactory,
    RoundTripFactory,
    UserFactory,
    new_token,
)  # fmt: skip

EXAMPLES = os.environ.get("SCHEMA_EXAMPLES", "5")
CONFIG = Path(__file__).with_name("schemathesis.toml")
LEAST = 1_250  # cases of each role, of whom there are four


@pytest.mark.slow
@pytest.mark.timeout(1_200)
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("role", Role)
def test_nothing_breaks_and_nothing_bad_is_taken(site: str, role: Role, tmp_path: Path) -> None:
    InstrumentFactory()
    PriceFactory()
    bot = BotFactory(slug="btc-usdt", name="BTC/USDT")
    CellFactory(config=bot.config)
    FillFactory(order__bot=bot)
    RoundTripFactory(bot=bot)
    key = new_token(UserFactory(role=role))
    schema = tmp_path / "schema.json"
    schema.write_text(json.dumps(document()), encoding="utf-8")
    run = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(CONFIG),
            "run", str(schema), "--url", site, "--header", f"Authorization: Token {key}",
            "--checks", "all", "--max-examples", EXAMPLES, "--seed", "7", "--no-color",
            "--suppress-health-check", "all", "--generation-database", "none",
            "--warnings", "off", "--request-timeout", "30",
        ],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-12_000:] + run.stderr[-2_000:]
    made = re.search(r"Test cases:\s+([\d,]+) generated", run.stdout)
    assert made, run.stdout[-2_000:]
    assert int(made[1].replace(",", "")) >= LEAST
