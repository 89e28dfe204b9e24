"""Time, prices and orders together: what fills does not depend on how time is cut into steps."""

from collections import Counter
from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from integrations.bybit.simulator.account import Account, Request
from integrations.bybit.simulator.depth import Liquidity
from integrations.bybit.simulator.fees import Rates
from integrations.bybit.simulator.journal import Entry, Journal
from integrations.bybit.simulator.pairs import load_pairs
from integrations.bybit.simulator.venue import Venue
from market.types import Side
from tests.simulator.fixture import played
from tests.thorough import examples

PAIRS = load_pairs()
TAPE = "synthetic:11"
RATES = Rates(Decimal("0.001"), Decimal("0.001"))
COINS = {"USDT": Decimal(1_000_000), "BTC": Decimal(10), "MNT": Decimal(100_000)}
HOUR = 3_600_000


def venue(file=None, liquidity=None):
    journal = Journal(file, "test")
    return Venue(played(TAPE), Account(PAIRS, RATES), journal, COINS, liquidity)


def order(side="Buy", price="97000", qty="0.1", *, symbol="BTCUSDT", tif="GTC", kind="Limit"):
    unit = "baseCoin" if kind == "Market" else ""
    return Request(symbol, Side(side), kind, tif, Decimal(price), Decimal(qty), unit, "")


def test_a_resting_order_fills_in_parts_as_price_goes_deeper():
    here = venue(liquidity=Liquidity(parts=3))
    resting = here.place(order(qty="0.1", tif="PostOnly"))
    seen = []
    for price in ("96999.99", "97000", "96999.99", "96999.98", "96990"):
        here.step({"BTCUSDT": Decimal(price)}, 1)
        seen.append((resting.status, str(resting.cum_qty)))
    assert seen == [
        ("PartiallyFilled", "0.033333"),
        ("PartiallyFilled", "0.033333"),
        ("PartiallyFilled", "0.033333"),
        ("PartiallyFilled", "0.066666"),
        ("Filled", "0.100000"),
    ]
    assert [done.fill.leaves for done in here.account.executions] == [
        Decimal("0.066667"), Decimal("0.033334"), 0,
    ]  # fmt: skip


@examples(20)
@given(st.lists(st.integers(1, 3 * HOUR - 1), max_size=10), st.integers(2, 5))
def test_parts_do_not_depend_on_the_size_of_steps_either(cuts, parts):
    whole, pieces = (venue(liquidity=Liquidity(parts=parts)) for _ in range(2))
    for each in (whole, pieces):
        ladder(each)
    start = whole.now
    whole.advance(start + 3 * HOUR)
    for cut in sorted({*cuts, 3 * HOUR}):
        pieces.advance(start + cut)
    amounts = [
        [(done.order.link_id, done.fill.qty, done.fill.leaves) for done in one.account.executions]
        for one in (whole, pieces)
    ]
    assert sorted(amounts[0]) == sorted(amounts[1])
    assert len(amounts[0]) > 4


def test_a_book_with_levels_is_eaten_and_grows_again():
    here = venue(liquidity=Liquidity(level_value=Decimal(970)))
    market = here.market("BTCUSDT")
    here.step({"BTCUSDT": Decimal(97000)}, 1)
    big = here.place(order(kind="Market", price="0", qty="0.025", tif="IOC"))
    fills = [(str(done.fill.price), str(done.fill.qty)) for done in here.account.executions]
    assert fills == [("97000.01", "0.009999"), ("97000.02", "0.009999"), ("97000.03", "0.005002")]
    assert big.status == "Filled"
    assert market.book(4)["a"] == [["97000.03", "0.004997"], ["97000.04", "0.009999"]]
    assert here.account.wallet["USDT"].locked == 0
    here.step({}, 5)
    assert market.book(1)["a"] == [["97000.01", "0.004999"]]
    here.step({}, 5)
    assert market.book(1)["a"] == [["97000.01", "0.009999"]]


def test_a_limit_order_takes_what_there_is_and_rests_with_the_remainder():
    here = venue(liquidity=Liquidity(level_value=Decimal(970)))
    here.step({"BTCUSDT": Decimal(97000)}, 1)
    buy = here.place(order(price="97000.02", qty="0.05"))
    assert (buy.status, str(buy.cum_qty)) == ("PartiallyFilled", "0.019998")
    assert here.account.wallet["USDT"].locked == buy.leaves * buy.price
    killed = here.place(order(price="97000.03", qty="0.05", tif="FOK"))
    assert killed.reason == "EC_NoEnoughQtyToFill"


def ladder(here, symbol="BTCUSDT", step="40", qty="0.01", count=12):
    """Post-only orders on both sides of the price."""
    last = here.market(symbol).price
    for number in range(1, count + 1):
        for side, sign in ((Side.BUY, -1), (Side.SELL, 1)):
            price = PAIRS[symbol].instrument.price(last + sign * number * Decimal(step))
            name = f"{symbol}-{side}-{number}"
            here.place(Request(symbol, side, "Limit", "PostOnly", price, Decimal(qty), "", name))


def filled(here):
    return {done.order.link_id: done.fill.time for done in here.account.executions}


@examples(30)
@given(st.lists(st.integers(1, 3 * HOUR - 1), max_size=30))
def test_fills_do_not_depend_on_the_size_of_steps(cuts):
    whole, pieces = venue(), venue()
    for each in (whole, pieces):
        ladder(each)
        ladder(each, "MNTUSDT", "0.0005", "20")
    whole.advance(whole.now + 3 * HOUR)
    start = pieces.now
    for cut in sorted({*cuts, 3 * HOUR}):
        pieces.advance(start + cut)
    assert filled(whole).keys() == filled(pieces).keys()
    assert len(filled(whole)) > 4
    for name, time in filled(whole).items():
        assert abs(time - filled(pieces)[name]) <= 3_000  # a tick of MNT lasts some seconds
    assert {name: coin.total for name, coin in whole.account.wallet.items()} == {
        name: coin.total for name, coin in pieces.account.wallet.items()
    }


@examples(20)
@given(st.integers(1, 12), st.integers(1, 40))
def test_executions_come_in_order_of_time_at_prices_the_path_passes(hours, steps):
    here = venue()
    ladder(here)
    ladder(here, "MNTUSDT", "0.0005", "20")
    start = here.now
    for number in range(1, steps + 1):
        here.advance(start + hours * HOUR * number // steps)
    done = here.account.executions
    assert all(one.fill.time <= two.fill.time for one, two in pairwise(done))
    assert [int(two.fill.exec_id) - int(one.fill.exec_id) for one, two in pairwise(done)] == [
        1 for _ in done[1:]
    ]
    for execution in done:
        pair = PAIRS[execution.order.symbol]
        there = played(TAPE).paths[execution.order.symbol].at(execution.fill.time)
        assert abs(there - pair.ticks(execution.fill.price)) <= 2
        assert execution.fill.price == execution.order.price
    for symbol, path in played(TAPE).paths.items():
        passed = [path.at(start), path.at(here.now)]
        passed += [ticks for _, ticks in path.corners(start, here.now)]
        for order in here.account.open[symbol].values():
            mine = PAIRS[symbol].ticks(order.price)
            assert min(passed) >= mine if order.side is Side.BUY else max(passed) <= mine


def test_a_crash_between_two_lines_turns_no_clock_back(tmp_path):
    file = tmp_path / "state"
    here = venue(file)
    ladder(here)
    reserve, shown, position = 120_000, [], here.now
    for _ in range(400):
        position += 3_000
        here.advance(position, reserve)
        shown.append(here.now)
    fills = filled(here)
    here._journal.close()
    again = venue(file)
    assert shown[-1] <= again.until <= shown[-1] + reserve
    assert again.now <= shown[-1]
    assert filled(again) == fills
    again.advance(again.until, reserve)
    unbroken = venue()
    ladder(unbroken)
    unbroken.advance(again.now)
    assert filled(again).keys() == filled(unbroken).keys()


def test_time_alone_is_written_about_once_a_reserve(tmp_path):
    here = venue(tmp_path / "state")
    written = Counter()
    write = here._journal.write

    def count(entry: Entry) -> None:
        written["time"] += entry.only_time
        write(entry)

    here._journal.write = count
    position = here.now
    for _ in range(1_000):
        position += 3_000
        here.advance(position, 120_000)
    assert written["time"] <= 1_000 * 3_000 / 60_000 + 2
    here.rest()
