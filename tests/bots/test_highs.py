"""Highs and falls: kept or read from the first point on, they are the same."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from bots.books import highs
from bots.models import CapitalMove
from bots.reports import worths
from risk.models import EquityPoint, HighWater
from tests.factories import InstrumentFactory
from tests.thorough import examples

D = Decimal
NOON = datetime(2026, 1, 12, 12, tzinfo=UTC)


def point(minute: int, equity: int, came: int | None) -> None:
    at = NOON + timedelta(minutes=minute)
    given = None if came is None else D(came)
    EquityPoint.objects.create(subject="all", time=at, equity=D(equity), given=given)


def drawdown(points: list[tuple[int, int]]) -> tuple[Decimal, Decimal] | None:
    """From the definition, over all points: how far below the high now, and at the worst."""
    nets = [D(equity - (came - points[0][1])) for equity, came in points]
    tops = [max(D(0), *nets[: i + 1]) for i in range(len(nets))]
    falls = [1 - net / top for net, top in zip(nets, tops, strict=True) if top > 0]
    return (falls[-1], max(D(0), *falls)) if falls else None


class AnyCourse(TestCase):
    @examples(60)
    @given(
        st.lists(
            st.tuples(st.integers(-50, 500), st.integers(0, 3), st.booleans()),
            min_size=1, max_size=12,
        )
    )  # fmt: skip
    def test_what_is_kept_changes_nothing(self, course: list[tuple[int, int, bool]]) -> None:
        """A worth, what came in before it, and whether it is written down then."""
        points: list[tuple[int, int]] = []
        came = 1_000
        for minute, (worth, more, kept) in enumerate(course):
            came += 100 * more
            points.append((worth + came - 1_000, came))
            point(minute, *points[-1])
            if kept:
                highs.keep([None])
            found, wanted = worths.drawdown(), drawdown(points)
            if wanted is None:
                assert found is None
            else:
                assert found is not None
                assert found.now == pytest.approx(wanted[0])
                assert found.worst == pytest.approx(wanted[1])


def test_only_the_points_since_are_read(db: None) -> None:
    for minute in range(5):
        point(minute, 100 - minute, 0)
    highs.keep([None])
    EquityPoint.objects.filter(time__lt=NOON + timedelta(minutes=5)).update(equity=10_000)
    point(5, 90, 0)
    with CaptureQueriesContext(connection) as queries:
        found = worths.drawdown()
    assert found == worths.Drawdown(D("0.1"), D("0.1")), "100 is remembered, 10,000 was not read"
    assert len(queries) == 2


def test_points_from_before_flows_were_kept_with_them_take_these_from_the_books(db: None) -> None:
    InstrumentFactory()  # the quote is known
    CapitalMove.objects.create(coin="USDT", amount=100, opening=True)
    later = datetime.now(UTC) - NOON + timedelta(hours=1)
    point(0, 100, None)
    EquityPoint.objects.create(subject="all", time=NOON + later, equity=D(150))
    mark = highs.of()
    assert mark is not None
    assert (mark.first, mark.net) == (0, 50), "what came in since the first point is no profit"


def test_nothing_is_kept_of_what_has_no_point(db: None) -> None:
    highs.keep([None])
    assert not HighWater.objects.exists()
    assert worths.drawdown() is None
