"""The suite itself on trial: mistakes of the usual kinds, put into our code, must be seen."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from bots import engine, journal, lookup
from bots.books import reconcile
from bots.grid import accounting
from market.exchange import Patience
from market.types import ZERO, OrderStatus
from tests.contract.conftest import Begin, check_quiet, cross_all
from tests.rig.house import House

PLACE = "/v5/order/create*"


def is_seen(live: House, *, most: float = 300) -> bool:
    """Whether something is found broken, at any look or at the end."""
    try:
        cross_all(live)
        cross_all(live)
        check_quiet(live, most)
    except (AssertionError, ValueError):
        return True
    return False


def test_without_a_mistake_nothing_is_seen(begin: Begin) -> None:
    assert not is_seen(begin({"kind": "lost_answer", "at": PLACE, "count": 2}))


def test_a_fresh_id_after_a_lost_answer(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that proves nothing is taken for a no."""
    kept = journal.DatabaseJournal._move

    def hasty(client_id: str, known: Any, status: OrderStatus, **facts: Any) -> None:
        if status is OrderStatus.UNKNOWN:
            status, facts = OrderStatus.REJECTED, {}
        kept(client_id, known, status, **facts)

    monkeypatch.setattr(journal.DatabaseJournal, "_move", staticmethod(hasty))
    assert is_seen(
        begin({"kind": "lost_answer", "at": PLACE, "count": 2}, ways=frozenset({"sweep"}))
    )


def test_not_found_believed_at_once(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Patience, "proof", timedelta(0))
    monkeypatch.setattr(lookup, "NEGATIVE_ROUNDS", 1)
    live = begin({"kind": "late", "at": PLACE, "ms": 3_500, "count": 1}, ways=frozenset({"sweep"}))
    live.run(8, every=1)
    assert is_seen(live)


def test_more_sold_than_held(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fee in base is forgotten."""
    booked = accounting.book

    def gross(cell: Any, fill: Any, instrument: Any, **how: Any) -> Any:
        return booked(cell, _without_fee(fill), instrument, **how)

    monkeypatch.setattr(engine, "book", gross)
    assert is_seen(begin())


def _without_fee(fill: Any) -> Any:
    from dataclasses import replace

    return replace(fill, fee=ZERO)


@pytest.mark.parametrize("lost", ["execution", "*"])
def test_no_sweep_and_no_lookup(begin: Begin, lost: str) -> None:
    """Messages that are lost stay lost where no other way is open."""
    live = begin(
        {"kind": "drop_message", "at": lost, "probability": 0.5}, ways=frozenset({"stream"})
    )
    assert is_seen(live)


def test_an_order_over_before_its_fills(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    over: Callable[[Any], bool] = lambda own: own.order.status.is_closed  # noqa: E731
    monkeypatch.setattr(engine.OwnOrder, "is_over", property(over))
    assert is_seen(begin({"kind": "delay_message", "at": "execution", "ms": 6_000}))


def test_a_sweep_without_overlap_is_masked_by_lookups(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two ways that each suffice: this mistake is only seen with the other way closed."""
    monkeypatch.setattr(reconcile, "OVERLAP", timedelta(hours=-2))
    assert is_seen(begin({"kind": "drop_message", "at": "execution"}, ways=frozenset({"sweep"})))
