"""Deploys that reach a real server at once: one succeeds, all others are told why they did not."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
import requests

from bots.books import ledger
from bots.models import Bot, GridConfig
from bots.roles import Role
from integrations.bybit.gateway import Gateway
from tests.api.test_deploy import GRID
from tests.factories import UserFactory, new_token
from tests.rig.web import serving
from tests.simulator.fixture import RunningSimulator

TWENTY = 20
Post = Callable[..., Sequence[requests.Response]]


@pytest.fixture
def at_once(
    transactional_db: None, exchange: Gateway, simulator: RunningSimulator, tmp_path: Path
) -> Iterator[Post]:
    """Sends twenty deploys at the same moment, each on a connection of its own."""
    simulator.step({"BTCUSDT": "97000"})
    ledger.open_books(exchange)
    token = new_token(UserFactory(role=Role.TRADER))
    venue = {
        "BYBIT_REST_URL": simulator.rest_url,
        "BYBIT_WS_URL": simulator.ws_url,
        "BYBIT_API_KEY": simulator.key,
        "BYBIT_API_SECRET": simulator.secret,
    }
    with serving(tmp_path, **venue) as address:

        def send(
            wish: Callable[[int], dict[str, Any]], key: Callable[[int], str | None]
        ) -> list[requests.Response]:
            answers: list[requests.Response] = []
            together = Barrier(TWENTY)

            def one(number: int) -> None:
                name = key(number)
                headers = {"Authorization": f"Token {token}"}
                headers |= {"Idempotency-Key": name} if name else {}
                together.wait()
                answers.append(
                    requests.post(
                        f"{address}/api/deploy", json=wish(number), headers=headers, timeout=60
                    )
                )

            threads = [Thread(target=one, args=(number,)) for number in range(TWENTY)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return answers

        yield send


def keyless(_: int) -> None:
    return None


def keyed(number: int) -> str:
    return f"deploy {number}"


def apart(number: int, **others: object) -> dict[str, Any]:
    """A range that meets no other one's."""
    lower = 50_000 + 2_500 * number
    return {**GRID, "lower": str(lower), "upper": str(lower + 2_000), "grids": 2, **others}


def refusals(answers: Sequence[requests.Response]) -> list[requests.Response]:
    """All but the one that succeeded, which made one bot with one version."""
    refused = [answer for answer in answers if answer.status_code != 201]
    assert len(refused) == TWENTY - 1, [answer.text for answer in answers]
    assert (Bot.objects.count(), GridConfig.objects.count()) == (1, 1)
    return refused


def test_with_one_key_all_get_the_answer_of_the_one_that_was_done(at_once: Post) -> None:
    answers = at_once(lambda _: GRID, lambda _: "one")
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    replayed = [answer.headers.get("Idempotency-Replayed") for answer in answers]
    assert sorted(replayed, key=str) == [None] + ["true"] * (TWENTY - 1)
    assert (Bot.objects.count(), GridConfig.objects.count()) == (1, 1)


@pytest.mark.parametrize("key", [keyless, keyed])
def test_of_equal_deploys_one_gets_the_range(at_once: Post, key: Callable[[int], Any]) -> None:
    for answer in refusals(at_once(lambda _: GRID, key)):
        assert answer.status_code == 400
        assert "trades 95500 to 99000 already" in answer.json()["error"]["fields"]["lower"][0]


def test_one_gets_the_name(at_once: Post) -> None:
    wish = {"slug": "one", "capital": "1000"}
    for answer in refusals(at_once(lambda number: apart(number, **wish), keyless)):
        assert answer.status_code == 409
        assert "a bot named one exists already" in answer.json()["error"]["message"]


def test_one_gets_the_capital(at_once: Post) -> None:
    def wish(number: int) -> dict[str, Any]:
        return apart(number, slug=f"bot-{number}", capital="20000")

    for answer in refusals(at_once(wish, keyless)):
        assert answer.status_code == 400
        assert "14000 USDT are free" in answer.json()["error"]["fields"]["capital"][0]
