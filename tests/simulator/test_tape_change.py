"""A state file whose tape is another one now: money, orders, time and prices all go on."""

from decimal import Decimal
from itertools import pairwise

import pytest

from integrations.bybit.simulator.account import Account, Rates, Request
from integrations.bybit.simulator.journal import Journal, JournalError
from integrations.bybit.simulator.pairs import load_pairs
from integrations.bybit.simulator.tape import Tape
from integrations.bybit.simulator.venue import Venue
from market.types import Side
from tests.simulator.fixture import played

PAIRS = load_pairs()
OLD, NEW = "synthetic:11", "synthetic:12"
RATES = Rates(Decimal("0.001"), Decimal("0.001"))
COINS = {"USDT": Decimal(1_000_000)}
MINUTE = 60_000


def venue(file, source):
    return on_tape(file, played(source))


def on_tape(file, tape):
    return Venue(tape, Account(PAIRS, RATES), Journal(file, tape.print, tape.name), COINS)


def prices(here):
    return {symbol: market.price for symbol, market in here.markets.items()}


def run(here, minutes, reserve=2_000):
    for _ in range(minutes):
        here.advance(here.now + MINUTE, reserve)


def rest_buy(here, below="0.999"):
    price = PAIRS["BTCUSDT"].instrument.price(here.market("BTCUSDT").price * Decimal(below))
    name = f"buy-{len(here.account.orders)}"
    ask = Request("BTCUSDT", Side.BUY, "Limit", "PostOnly", price, Decimal("0.1"), "", name)
    return here.place(ask)


@pytest.fixture
def file(tmp_path):
    """A state of 90 minutes on the old tape, with an order that rests."""
    here = venue(tmp_path / "state", OLD)
    run(here, 90)
    rest_buy(here)
    here.rest()
    return tmp_path / "state"


def test_time_and_prices_go_on_from_where_they_were(file):
    before = venue(file, OLD)
    before.rest()
    here = venue(file, NEW)
    assert here.now == before.now
    assert prices(here) == prices(before)
    assert here.account.wallet == before.account.wallet
    assert here.earlier == ["synthetic:11"]
    run(here, 24 * 60)
    assert prices(here) != prices(before)
    (done,) = here.account.executions
    assert done.fill.time > before.now
    market = here.market("BTCUSDT")
    bars = [
        market.bars.bar(at, at + MINUTE, here.now)
        for at in range(before.now // MINUTE * MINUTE - 60 * MINUTE, here.now, MINUTE)
    ]
    assert all(abs(two.open / one.close - 1) < 0.005 for one, two in pairwise(bars))


def test_the_new_tape_keeps_its_shape(file):
    here = venue(file, NEW)
    hour = 60 * MINUTE
    path, other = here.market("BTCUSDT").path, played(NEW).paths["BTCUSDT"]
    shift = (here.now - played(NEW).start) // hour * hour
    for at in range(here.now, here.now + 300 * hour, hour):
        ratio = path.at(at) / path.at(here.now)
        assert abs(ratio - other.at(at - shift) / other.at(here.now - shift)) < 0.0001


def test_the_next_start_is_the_same_path_and_a_third_tape_goes_on_from_it(file):
    first = venue(file, NEW)
    run(first, 200)
    later = [first.market("MNTUSDT").path.at(first.now + n * MINUTE) for n in range(200)]
    first.rest()
    second = venue(file, NEW)
    assert second.now == first.now
    assert [second.market("MNTUSDT").path.at(second.now + n * MINUTE) for n in range(200)] == later
    run(second, 5)
    second.rest()
    back = venue(file, OLD)
    assert back.earlier == ["synthetic:11", "synthetic:12"]
    assert (back.now, prices(back)) == (second.now, prices(second))


def test_after_a_crash_too_and_time_does_not_turn_back(file):
    here = venue(file, OLD)
    run(here, 30)
    rest_buy(here, "0.99")
    shown, known = here.now, prices(here)
    here._journal.close()
    again = venue(file, NEW)
    assert again.now >= shown
    assert prices(again) == known
    assert len(again.account.open["BTCUSDT"]) == len(here.account.open["BTCUSDT"])


def test_steps_by_hand_end_with_their_tape(file):
    here = venue(file, OLD)
    here.step({"BTCUSDT": Decimal(91000)}, 60)
    here.rest()
    again = venue(file, NEW)
    assert again.market("BTCUSDT").price == 91000
    assert not again.stepped
    run(again, 300)
    assert again.market("BTCUSDT").price != 91000


def test_a_file_from_before_prices_were_noted_goes_on_from_its_last_order(file):
    lines = file.read_text().splitlines(keepends=True)
    kept = [line.replace(', "name": "synthetic:11"', "") for line in lines if "prices" not in line]
    file.write_text("".join(kept))
    here = venue(file, NEW)
    (order,) = here.account.orders.values()
    assert here.market("BTCUSDT").price == order.last_price
    assert here.market("MNTUSDT").price > 0


def test_a_tape_without_a_pair_that_has_open_orders_is_refused(file):
    short = Tape("short", "print", played(NEW).start, {"MNTUSDT": played(NEW).paths["MNTUSDT"]})
    with pytest.raises(JournalError, match="open orders in BTCUSDT"):
        on_tape(file, short)
    assert len(venue(file, NEW).account.open["BTCUSDT"]) == 1
