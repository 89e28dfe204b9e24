"""The account as a pure state machine: fees and locks by hand, conservation for any sequence."""

from dataclasses import replace
from decimal import Decimal
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.bybit.simulator.account import Account, Quotes, Request
from integrations.bybit.simulator.facts import Deposited, Filled, packed, unpacked
from integrations.bybit.simulator.fees import Rates
from integrations.bybit.simulator.pairs import load_pairs
from integrations.bybit.simulator.rows import execution_row, order_row
from integrations.bybit.simulator.wire import ApiError
from market.types import Side
from tests.thorough import examples

PAIRS = load_pairs()
SYMBOL = "BTCUSDT"
NOW = 1_700_000_000_000


def account(maker="0.001", taker="0.001", **coins):
    opened = Account(PAIRS, Rates(Decimal(maker), Decimal(taker)))
    opened.apply([Deposited(coin, Decimal(amount)) for coin, amount in coins.items()])
    return opened


def quotes(last="97000", depth="83"):
    tick = PAIRS[SYMBOL].instrument.tick
    price = Decimal(last)
    return Quotes(price - tick, price + tick, Decimal(depth), price)


def ask(side="Buy", price="96000", qty="0.1", *, tif="GTC", kind="Limit", unit="", link=""):
    return Request(SYMBOL, Side(side), kind, tif, Decimal(price), Decimal(qty), unit, link)


def place(where, request, book=None):
    events = where.place(request, book or quotes(), NOW)
    where.apply(events)
    return where.orders[events[0].order_id]


def wallet(where):
    return {name: (coin.total, coin.locked) for name, coin in where.wallet.items()}


def test_a_resting_buy_locks_quote_and_pays_its_fee_in_base():
    here = account(USDT="10000")
    order = place(here, ask(tif="PostOnly"))
    assert wallet(here) == {"USDT": (10000, 9600)}
    here.apply([here.fill_resting(order, NOW + 5)])
    assert order.status == "Filled"
    assert wallet(here) == {"USDT": (400, 0), "BTC": (Decimal("0.0999"), 0)}
    row = execution_row(here.executions[0])
    assert (row["execFee"], row["feeCurrency"], row["isMaker"]) == ("0.0001", "BTC", True)


def test_orders_written_before_self_match_prevention_are_read():
    opened = packed(account(USDT="10000").place(ask(), quotes(), NOW)[0])
    assert unpacked(opened[:-1]).smp_type == "None"
    with pytest.raises(ValueError, match="values"):
        unpacked(opened[:-2])


def test_a_resting_sell_locks_base_and_pays_its_fee_in_quote():
    here = account(BTC="1")
    order = place(here, ask("Sell", "98000"))
    assert wallet(here)["BTC"] == (1, Decimal("0.1"))
    here.apply([here.fill_resting(order, NOW)])
    assert wallet(here) == {"BTC": (Decimal("0.9"), 0), "USDT": (Decimal("9790.2"), 0)}


def test_a_negative_maker_rate_is_a_rebate_in_the_other_coin():
    here = account(maker="-0.0001", USDT="9600")
    here.apply([here.fill_resting(place(here, ask()), NOW)])
    assert wallet(here) == {"USDT": (Decimal("0.96"), 0), "BTC": (Decimal("0.1"), 0)}


def test_a_crossing_order_takes_the_books_price_not_its_own():
    here = account(USDT="10000")
    order = place(here, ask(price="99000", tif="IOC"))
    assert order.status == "Filled"
    assert wallet(here)["USDT"] == (10000 - Decimal("9700.001"), 0)


def test_post_only_that_would_take_is_cancelled_and_frees_its_funds():
    here = account(USDT="10000")
    order = place(here, ask(price="97000.01", tif="PostOnly"))
    assert (order.status, order.reason) == ("Cancelled", "EC_PostOnlyWillTakeLiquidity")
    assert wallet(here) == {"USDT": (10000, 0)}
    assert place(here, ask(price="97000", tif="PostOnly")).status == "New"


def test_what_an_ioc_order_cannot_take_is_cancelled():
    here = account(USDT="20000")
    order = place(here, ask(price="96999", tif="IOC"))
    assert (order.status, order.reason) == ("Cancelled", "EC_NoImmediateQtyToFill")
    part = place(here, ask(price="98000", qty="0.2", tif="IOC"), quotes(depth="0.05"))
    assert (part.status, part.cum_qty) == ("PartiallyFilledCanceled", Decimal("0.05"))
    assert here.wallet["USDT"].locked == 0


def test_a_market_buy_by_amount_buys_whole_lots():
    here = account(USDT="100")
    order = place(here, ask(kind="Market", price="0", qty="100", tif="IOC", unit="quoteCoin"))
    assert order.cum_qty == Decimal("0.00103")
    assert order_row(order)["leavesValue"] == "0.0899897"


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (ask(qty="0.2"), 170131),
        (ask("Sell", "98000"), 170131),
        (ask(link="mine"), 170141),
    ],
)
def test_refusals_change_nothing(request_, code):
    here = account(USDT="10000")
    here.apply(here.cancel(place(here, ask(qty="0.01", link="mine")), NOW))
    before = wallet(here)
    with pytest.raises(ApiError) as caught:
        here.place(request_, quotes(), NOW)
    assert caught.value.code == code
    assert wallet(here) == before


def test_a_closed_order_cannot_be_cancelled():
    here = account(USDT="10000")
    order = place(here, ask())
    here.apply(here.cancel(order, NOW))
    with pytest.raises(ApiError) as caught:
        here.cancel(order, NOW)
    assert caught.value.code == 170213


def test_the_five_hundred_and_first_open_order_is_refused():
    here = account(USDT="100000000")
    for _ in range(500):
        place(here, ask(qty="0.001"))
    with pytest.raises(ApiError) as caught:
        here.place(ask(qty="0.001"), quotes(), NOW)
    assert caught.value.code == 170810


def smp(where, smp_type, price="97000.5"):
    """A sell of ours rests in the spread; a buy of this smpType meets it, then the book."""
    mine = place(where, ask("Sell", "97000", "0.1"))
    taker = place(where, replace(ask(price=price, qty="0.15", tif="IOC"), smp_type=smp_type))
    return mine, taker


@pytest.mark.parametrize(
    ("smp_type", "mine", "taker", "bought"),
    [
        ("None", "Filled", "Filled", "0.15"),
        ("CancelMaker", "Cancelled", "Filled", "0.15"),
        ("CancelTaker", "New", "Cancelled", "0"),
        ("CancelBoth", "Cancelled", "Cancelled", "0"),
    ],
)
def test_self_match_prevention_is_the_arriving_orders_choice(smp_type, mine, taker, bought):
    here = account(USDT="30000", BTC="1")
    ours, arriving = smp(here, smp_type)
    assert (ours.status, arriving.status) == (mine, taker)
    assert arriving.cum_qty == Decimal(bought)
    for order, other in ((ours, arriving), (arriving, ours)):
        if order.status == "Cancelled":
            row = order_row(order)
            assert (row["cancelType"], row["rejectReason"]) == ("CancelBySmp", "EC_BySelfMatch")
            assert (row["smpOrderId"], row["smpType"]) == (other.order_id, order.smp_type)


def test_a_trade_with_oneself_pays_both_fees_and_moves_nothing_else():
    here = account(USDT="30000", BTC="1")
    smp(here, "None", price="97000")
    maker, taker = here.executions
    assert (maker.fill.is_maker, taker.fill.is_maker) == (True, False)
    assert maker.fill.qty == taker.fill.qty == Decimal("0.1")
    assert here.wallet["BTC"].total == 1 - Decimal("0.0001")
    assert here.wallet["USDT"].total == 30000 - Decimal("9.7")


def test_an_amend_locks_anew_and_may_take():
    here = account(USDT="10000")
    order = place(here, ask())
    here.apply(here.amend(order, Decimal(95000), Decimal("0.05"), quotes(), NOW + 1))
    assert (order.price, order.qty, order.updated) == (95000, Decimal("0.05"), NOW + 1)
    assert wallet(here)["USDT"] == (10000, 4750)
    here.apply(here.amend(order, Decimal("97000.01"), Decimal("0.05"), quotes(), NOW + 2))
    assert (order.status, order.cum_value) == ("Filled", Decimal("4850.0005"))
    assert here.wallet["USDT"].locked == 0


def test_a_post_only_order_amended_into_the_book_dies():
    here = account(USDT="10000")
    order = place(here, ask(tif="PostOnly"))
    here.apply(here.amend(order, Decimal(98000), order.qty, quotes(), NOW))
    assert (order.status, order.reason) == ("Cancelled", "EC_PostOnlyWillTakeLiquidity")


def test_the_total_quantity_is_amended_not_what_is_left():
    here = account(USDT="10000")
    order = place(here, ask())
    here.apply([here.fill_resting(order, NOW, part=Decimal("0.04"))])
    for qty in ("0.04", "0.03", "0.1", "0.2"):  # not above the executed, unchanged, too dear
        with pytest.raises(ApiError):
            here.amend(order, order.price, Decimal(qty), quotes(), NOW)
    here.apply(here.amend(order, order.price, Decimal("0.06"), quotes(), NOW))
    assert (order.status, order.leaves) == ("PartiallyFilled", Decimal("0.02"))
    assert here.wallet["USDT"].locked == 1920


def test_only_a_smaller_quantity_keeps_its_place_in_the_queue():
    here = account(USDT="100000")
    first, second, third = (place(here, ask()) for _ in range(3))
    here.apply(here.amend(second, second.price, Decimal("0.05"), quotes(), NOW))
    here.apply(here.amend(first, first.price, Decimal("0.2"), quotes(), NOW))
    assert list(here.open[SYMBOL].values()) == [second, third, first]


deeds = st.lists(
    st.one_of(
        st.tuples(
            st.just("place"),
            st.sampled_from(["Buy", "Sell"]),
            st.integers(9_500_000, 9_900_000),
            st.integers(100, 400_000),
            st.sampled_from(["GTC", "IOC", "FOK", "PostOnly"]),
            st.sampled_from(["Limit", "Market"]),
            st.sampled_from(["0.1", "83"]),
            st.sampled_from(["None", "CancelMaker", "CancelTaker", "CancelBoth"]),
        ),
        st.tuples(st.sampled_from(["fill", "part", "cancel"]), st.integers(0, 50)),
        st.tuples(
            st.just("amend"),
            st.integers(0, 50),
            st.integers(9_500_000, 9_900_000),
            st.integers(100, 400_000),
        ),
    ),
    max_size=40,
)


def do(here, deed, links):
    """One thing that may happen to an account; refusals are fine."""
    kind, *how = deed
    if kind == "place":
        side, cents, lots, tif, order_kind, depth, smp = how
        unit = "" if order_kind == "Limit" else "baseCoin"
        price, qty = Decimal(cents) / 100, Decimal(lots) / 1_000_000
        link = f"id-{next(links)}"
        tif = tif if order_kind == "Limit" else "IOC"
        request = ask(side, price, qty, tif=tif, kind=order_kind, unit=unit, link=link)
        request = replace(request, smp_type=smp)
        try:
            return here.place(request, quotes(depth=depth), NOW)
        except ApiError as refusal:
            if refusal.code == 170131:  # insufficient balance
                return []
            raise
    resting = list(here.open[SYMBOL].values())
    if not resting:
        return []
    order = resting[how[0] % len(resting)]
    if kind == "amend":
        return amended(here, order, Decimal(how[1]) / 100, Decimal(how[2]) / 1_000_000)
    if kind == "cancel":
        return here.cancel(order, NOW)
    return [here.fill_resting(order, NOW, part=order.leaves / (2 if kind == "part" else 1))]


def amended(here, order, price, qty):
    try:
        return here.amend(order, price, qty, quotes(), NOW)
    except ApiError as refusal:
        if refusal.code in (10001, 170131):  # unchanged or too little; insufficient balance
            return []
        raise


@examples(150)
@given(deeds, st.sampled_from(["0.001", "-0.0002", "0"]))
def test_whatever_happens_coins_are_conserved_and_locks_are_what_open_orders_need(story, maker):
    here, links, written = account(maker=maker, USDT="30000", BTC="0.3"), count(), []
    for deed in story:
        events = do(here, deed, links)
        here.apply(events)
        written += events
        check(here)
    again = account(maker=maker, USDT="30000", BTC="0.3")
    again.apply([unpacked(packed(event)) for event in written])
    assert wallet(again) == wallet(here)
    assert [order_row(order) for order in again.orders.values()] == [
        order_row(order) for order in here.orders.values()
    ]
    assert list(map(execution_row, again.executions)) == list(map(execution_row, here.executions))


def check(here):
    usdt, btc = Decimal(30000), Decimal("0.3")
    for execution in here.executions:
        fill: Filled = execution.fill
        sign = 1 if execution.order.side is Side.BUY else -1
        btc += sign * fill.qty - (fill.fee if fill.fee_coin == "BTC" else 0)
        usdt -= sign * fill.qty * fill.price + (fill.fee if fill.fee_coin == "USDT" else 0)
    resting = here.open[SYMBOL].values()
    buys = sum(order.leaves * order.price for order in resting if order.side is Side.BUY)
    sells = sum(order.leaves for order in resting if order.side is Side.SELL)
    assert wallet(here) == {"USDT": (usdt, buys), "BTC": (btc, sells)}
    assert all(coin.free >= 0 for coin in here.wallet.values())
    assert all(order.cum_qty <= order.goal for order in here.orders.values())
