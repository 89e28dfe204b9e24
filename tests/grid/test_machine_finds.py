"""The random life of a grid is worth what it finds: each planted defect is found by it."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.database import InMemoryExampleDatabase
from hypothesis.stateful import run_state_machine_as_test

from bots import engine
from bots.grid import accounting, carry
from tests.grid import test_machine

Plant = Callable[[pytest.MonkeyPatch], None]
SATOSHI = Decimal("0.00000001")


def a_satoshi_too_much(patch: pytest.MonkeyPatch) -> None:
    """Each execution books a satoshi more than it brought."""
    right = accounting.book

    def wrong(cell: Any, fill: Any, *others: Any, **named: Any) -> Any:
        after, trip = right(cell, fill, *others, **named)
        return replace(after, held=after.held + SATOSHI), trip

    patch.setattr(engine, "book", wrong)


def an_execution_twice(patch: pytest.MonkeyPatch) -> None:
    """What was booked is booked again with the next news."""
    right = engine._book
    last: list[Any] = []

    def wrong(grid: Any, fills: Any) -> Any:
        news = [*fills]
        again = [fill for fill in last if fill.client_id.startswith(grid.name)][:1] if news else []
        last[:] = news
        return right(grid, [*again, *news])

    patch.setattr(engine, "_book", wrong)


def two_orders_for_a_cell(patch: pytest.MonkeyPatch) -> None:
    """An order that rests is overlooked."""
    right = engine._by_cell

    def wrong(orders: Any, settled: Any) -> Any:
        live = right(orders, settled)
        live.pop(0, None)
        return live

    patch.setattr(engine, "_by_cell", wrong)


def an_edit_that_loses_cost(patch: pytest.MonkeyPatch) -> None:
    """The heir holds the coins at a price of its own."""
    right = carry.succeed

    def wrong(*given: Any) -> Any:
        heir = right(*given)
        cells = tuple(replace(cell, cost=cell.cost + bool(cell.held)) for cell in heir.cells)
        return replace(heir, cells=cells)

    patch.setattr(test_machine, "succeed", wrong)


def a_bare_cell_without_a_word(patch: pytest.MonkeyPatch) -> None:
    """A cell without an order says nothing of why."""
    right = engine.want

    def wrong(grid: Any, cell: Any, price: Any, limits: Any) -> Any:
        wanted = right(grid, cell, price, limits)
        return replace(wanted, reason="") if isinstance(wanted, engine.Idle) else wanted

    patch.setattr(engine, "want", wrong)


PLANTED: tuple[Plant, ...] = (
    a_satoshi_too_much,
    an_execution_twice,
    two_orders_for_a_cell,
    an_edit_that_loses_cost,
    a_bare_cell_without_a_word,
)


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_defect_is_found(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    machine = seed(7)(type("Life", (test_machine.Life,), {}))
    with pytest.raises(BaseException) as found:  # noqa: PT011 - or a group of several
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=200, stateful_step_count=40, deadline=None, phases=[Phase.generate],
                database=InMemoryExampleDatabase(), suppress_health_check=list(HealthCheck),
            ),
        )  # fmt: skip
    assert isinstance(found.value, AssertionError | ValueError | BaseExceptionGroup)
