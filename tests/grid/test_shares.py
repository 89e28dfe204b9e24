"""Shared capital: a worked example, and what no market can break."""

from hypothesis import given
from hypothesis import strategies as st

from bots.grid.shares import FLOOR, LEAST, STEP, Member, share
from tests.grid.examples import D


def two(doge: str, pepe: str, *, spent: str = "0") -> dict:
    """DOGE and PEPE at 1,500 each, with what they are expected to earn a day."""
    return dict(
        share(
            [
                Member("doge", D(1500), D(0), D(doge)),
                Member("pepe", D(1500), D(spent), D(pepe)),
            ]
        )
    )


def test_the_better_one_gains_no_more_than_a_step() -> None:
    """By 3 : 1 DOGE would have 1,875, 375 more; a step of 10 % of 3,000 is 300."""
    assert two("0.003", "0.001") == {"doge": 1800, "pepe": 1200}


def test_a_small_difference_moves_as_much_as_it_is_worth() -> None:
    """By 11 : 9: floors of 750 and 1,500 x 11 / 20 make 1,575."""
    assert two("0.0011", "0.0009") == {"doge": 1575, "pepe": 1425}


def test_only_free_quote_moves() -> None:
    assert two("0.003", "0.001", spent="1420") == {"doge": 1580, "pepe": 1420}
    assert two("0.003", "0.001", spent="1500") == {"doge": 1500, "pepe": 1500}


def test_nothing_moves_for_nothing() -> None:
    unmoved = {"doge": 1500, "pepe": 1500}
    assert two("0", "-0.001") == unmoved
    assert two("0.00101", "0.001") == unmoved, "less than 1 % is not worth touching orders"
    assert share([Member("doge", D(1500), D(0), D(1))]) == {"doge": 1500}


@given(
    st.lists(
        st.tuples(
            st.integers(1, 10**5), st.integers(0, 10**5),
            st.decimals("-0.1", "0.1", places=6),
        ),
        min_size=1, max_size=6,
    )
)  # fmt: skip
def test_sums_steps_and_free_quote_hold_whatever_is_expected(rows) -> None:
    members = [Member(str(i), D(c), D(s), e) for i, (c, s, e) in enumerate(rows)]
    total = sum(m.capital for m in members)
    after = share(members)
    assert sum(after.values()) == total
    for member in members:
        move = after[member.name] - member.capital
        assert abs(move) <= STEP * total + len(members), "a step, and what rounding left over"
        assert move == int(move)
        if move < 0:
            assert after[member.name] >= member.spent


@given(st.decimals("0", "0.1", places=6), st.decimals("0", "0.1", places=6))
def test_moves_end_within_the_floors(first, second) -> None:
    members = [Member("a", D(2900), D(0), first), Member("b", D(100), D(0), second)]
    for _ in range(40):
        capital = share(members)
        members = [Member(m.name, capital[m.name], D(0), m.expected) for m in members]
    if first or second:
        assert all(m.capital >= (FLOOR - LEAST) * 3000 for m in members)
