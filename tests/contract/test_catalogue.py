"""The catalogue of faults, groups A and B: no row is without a test that bears its number."""

import re
from collections import defaultdict

from integrations.bybit.simulator.faults import KINDS
from tests.contract import test_a_orders, test_a_outcomes, test_b_prices, test_b_streams
from tests.faults import menu

#: By number: what goes wrong, and a word that the names of its tests must hold.
ROWS = {
    1: ("an order is accepted and the answer is lost", "answer_lost"),
    2: ("a request is lost on its way", "request_lost"),
    3: ("an order is accepted late", "late_acceptance"),
    4: ("a code says nothing of the outcome", "proves_nothing"),
    5: ("too many requests", "rate_limit"),
    6: ("the address is banned", "ban"),
    7: ("clocks differ", "clocks_differ"),
    8: ("the client id is taken", "taken"),
    9: ("a post-only order would cross", "post_only"),
    10: ("a filter refuses", "filter"),
    11: ("the balance is too small", "wallet"),
    12: ("too many open orders", "open_orders"),
    13: ("the price is outside the limit", "price_limit"),
    14: ("a part is filled, the rest cancelled", "part"),
    15: ("a fill overtakes a cancel", "overtakes"),
    16: ("an order is amended after its fill", "amended"),
    17: ("the outcome of a cancel is unknown", "cancel_is_unknown"),
    18: ("a part of a batch is refused", "batch"),
    19: ("the exchange cancels by itself", "by_itself"),
    20: ("two bots meet on one pair", "two_grids"),
    21: ("more would be sold than is held", "held"),
    22: ("dust gathers", "dust"),
    23: ("fees change", "fees"),
    24: ("a word or type that nobody knows", "do_not_know"),
    25: ("messages twice", "more_than_once"),
    26: ("messages out of order", "out_of_order"),
    27: ("messages lost", "lost"),
    28: ("a stream dies without a word", "dies"),
    29: ("a message cannot be read", "cannot_be_read"),
    30: ("nobody answers for a while", "nobody_answers"),
    31: ("the login is refused", "login"),
    32: ("a subscription fails", "subscription"),
    33: ("prices that cannot be", "cannot_be"),
    34: ("the feed is frozen", "frozen"),
    35: ("one price is far off", "far_off"),
    36: ("a crash through every level", "crash"),
    37: ("a gap over the grid", "gap_over"),
    38: ("a backlog of ticks", "backlog"),
    39: ("a gap in the book", "gap_in_the_book"),
    40: ("keys of another environment", "environment"),
}


def test_every_row_has_a_test_by_its_number() -> None:
    named: dict[int, list[str]] = defaultdict(list)
    for module in (test_a_orders, test_a_outcomes, test_b_prices, test_b_streams):
        for name in vars(module):
            if found := re.match(r"test_[ab](\d\d)_", name):
                named[int(found[1])].append(name)
    assert sorted(named) == sorted(ROWS) == list(range(1, 41))
    for number, (_, word) in ROWS.items():
        assert any(word in name for name in named[number]), (number, named[number])


def test_every_kind_of_fault_is_met_in_random_runs_too() -> None:
    assert menu.SWITCHES.keys() == KINDS.keys()
