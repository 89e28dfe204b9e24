"""A house with one small grid on BTCUSDT, whose market moves by hand."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from bots.models import Bot
from tests.contract.invariants import ALWAYS, Watch, broken
from tests.rig.house import WAYS, House, house

LOW, HIGH, GRIDS = "96000", "98000", 4  # levels every 500; price begins at 97200

PLACE, CANCEL = "/v5/order/create*", "/v5/order/cancel*"
ONE_WAY = [frozenset({way}) for way in sorted(WAYS)]


def in_words(ways: frozenset[str]) -> str:
    """The name of a case: the same in every process."""
    return "+".join(sorted(ways))


Begin = Callable[..., House]
_watches: dict[int, Watch] = {}  # by house


@pytest.fixture
def begin(transactional_db: None) -> Iterator[Begin]:
    """Opens a house with faults on from the first request, and deploys its grid."""
    with ExitStack() as stack:

        def open_house(*faults: dict[str, Any], ways: frozenset[str] = WAYS) -> House:
            live = stack.enter_context(house(ways))
            _watches[id(live)] = Watch()
            live.faults(*faults, seed=1)
            live.deploy("BTCUSDT", LOW, HIGH, grids=GRIDS, capital=2_000)
            live.look()
            return live

        yield open_house


@pytest.fixture
def live(begin: Begin) -> House:
    """A house at rest, no fault so far."""
    running = begin()
    running.settle(every=20)
    return running


def check_always(live: House) -> None:
    """What must hold at every moment, faults or not."""
    assert broken(live.truth(), ALWAYS) + _watches[id(live)].look() == []


def check_quiet(live: House, most: float = 400) -> None:
    """Faults off: everything comes to rest within `most` seconds, and all is equal."""
    check_always(live)
    live.faults(off="all")
    live.settle(most, every=20)
    assert broken(live.truth()) == []


def cross_all(live: House) -> None:
    """Price goes down through every level and up through every level."""
    for price in ("95900", "98100", "97200"):
        live.move(10, BTCUSDT=price)
        live.look()
        live.run(12, every=4)
        check_always(live)


def happened(live: House, kind: str) -> int:
    return live.faults()["happened"].get(kind, 0)


def bot(live: House) -> Bot:
    found = live.bots[0]
    found.refresh_from_db()
    return found


def sent(live: House, **values: Any) -> list[dict[str, Any]]:
    """Orders of ours on the exchange whose rows have these values."""
    rows = live.truth()["orders"]
    return [row for row in rows if "-" in row["orderLinkId"] and values.items() <= row.items()]
