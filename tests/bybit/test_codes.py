"""The table of Bybit's answer codes: none is missing, and what is ambiguous never means no."""

import pytest

from integrations.bybit.codes import CODES, Action, Means, code

OPEN = {Means.UNRESOLVED, Means.RATE_LIMITED, Means.BANNED}

#: Bybit v5, error codes, by what a bot has to do (docs: v5/error and the order endpoints).
SHEET: dict[Action, set[int]] = {
    Action.SYNC_CLOCK: {-1, 10002},
    Action.STOP_ALL: {
        10003, 10004, 10005, 10007, 10008, 10009, 10010, 10024, 10027, 10028, 33004, -2015, 170209,
        *range(110123, 110133),
    },
    Action.WAIT: {10006, 170005, 170222, 20003, 10403},
    Action.KEEP_AWAY: {10018},
    Action.WITHHOLD: {10029, 110074, 170121, 170151, 170157, 110100},
    Action.LOOK_UP: {
        10000, 10014, 10016, 10019, 10429, 20006, 500000, 170001, 170007, 170032, 170146, 170147,
        170149, 170150, 170234, 170310, 170311, 110079, 170144, 170191, 170212,
        110001, 170213, 110008, 110010, 170139, 170142, 170143, 170190,
    },
    Action.ADOPT: {110072, 170141},
    Action.PARK_FUNDS: {
        110004, 110006, 110007, 110012, 110044, 110045, 110051, 110052, 110053, 170131, 170033,
    },
    Action.PARK_PRICE: {
        110003, 110120, 110121, 170132, 170133, 170192, 170193, 170194, 170371, 170372, 30208,
        30209,
    },
    Action.FIX: {
        10001, 10017, 10404, 170134, 170137, 170148, 170136, 170140, 110094, 170124, 170381, 170382,
        170135, 170341, 170197, 170198, 110017, 110022, 110023, 110066,
    },
    Action.STOP_ADDING: {110020, 170810},
    Action.NOTHING: {110025, 110026, 110043},
    Action.REPRICE: {170210, 170217, 170218, 110103},
}  # fmt: skip

#: What a request may have come to in spite of its code; taking one for a no doubles an order.
AMBIGUOUS = {
    10000, 10006, 10014, 10016, 10018, 10019, 10403, 10429, 20003, 20006, 110079, 170001, 170005,
    170007, 170032, 170144, 170146, 170147, 170149, 170150, 170191, 170212, 170222, 170234, 170310,
    170311, 500000,
}  # fmt: skip

#: What certainly had no effect, so that the id is free for another attempt.
DEFINITE = {
    10001, 10002, 10003, 10004, 10005, 10010, 10024, 10027, 10029, 110003, 110004, 110007, 110012,
    110017, 110020, 110045, 110066, 110074, 110094, 110120, 110121, 170121, 170124, 170131, 170132,
    170133, 170134, 170135, 170136, 170137, 170140, 170148, 170151, 170157, 170193, 170194, 170217,
    170218, 170371, 170372, 170810,
}  # fmt: skip


@pytest.mark.parametrize("action", Action, ids=lambda action: action.name)
def test_every_code_has_its_row_and_its_action(action: Action) -> None:
    assert {number for number, row in CODES.items() if row.action is action} == SHEET[action]


def test_the_sheet_names_no_code_twice() -> None:
    assert sum(map(len, SHEET.values())) == len(CODES)


@pytest.mark.parametrize("number", sorted(AMBIGUOUS))
def test_what_is_ambiguous_is_looked_up(number: int) -> None:
    assert code(number).means in OPEN


@pytest.mark.parametrize("number", sorted(DEFINITE))
def test_what_is_definite_is_a_no(number: int) -> None:
    assert code(number).means in {Means.REFUSED, Means.CROSSED, Means.SKEWED, Means.BROKEN}


@pytest.mark.parametrize("number", [1, 404, 99_999, 170_998, -7])
def test_what_is_not_listed_proves_nothing(number: int) -> None:
    assert code(number).means is Means.UNRESOLVED


def test_what_proves_nothing_is_exactly_what_the_sheet_calls_ambiguous() -> None:
    assert {number for number, row in CODES.items() if row.means in OPEN} == AMBIGUOUS
