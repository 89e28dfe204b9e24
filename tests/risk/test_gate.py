"""The pre-trade gate: every cap holds and says so, and nothing passes that is no number."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from market.types import OrderRequest, Side, Tick
from risk.gate import Caps, Standing, judge
from tests.grid.examples import BTC

D = Decimal
PRICE = Tick("BTCUSDT", D(100), D(100), D(100), 1)
CAPS = Caps(D(1000), D(2000), D(3000), 10, 20, 30, D("0.10"))
NOTHING = Standing(D(0), D(0), D(0), 0, 0, 0, {"USDT": D(5000), "BTC": D(50)})


def buy(price: str = "99", quantity: str = "1", name: str = "b") -> OrderRequest:
    return OrderRequest(name, "BTCUSDT", Side.BUY, D(price), D(quantity))


def sell(price: str = "101", quantity: str = "1", name: str = "s") -> OrderRequest:
    return OrderRequest(name, "BTCUSDT", Side.SELL, D(price), D(quantity))


def reason(order: OrderRequest, standing: Standing = NOTHING, caps: Caps = CAPS) -> str:
    verdict = judge([order], BTC, PRICE, standing, caps)
    assert (order in verdict.passed) == (order.client_id not in verdict.refused)
    return verdict.refused.get(order.client_id, "")


def test_an_ordinary_order_passes() -> None:
    assert reason(buy()) == ""
    assert reason(sell()) == ""


@pytest.mark.parametrize(
    ("standing", "words"),
    [
        (replace(NOTHING, bot=D(902)), "the bot's capital"),
        (replace(NOTHING, pair=D(1902)), "the pair's exposure"),
        (replace(NOTHING, total=D(2902)), "the total exposure"),
        (replace(NOTHING, bot_orders=10), "the bot has 10 open orders"),
        (replace(NOTHING, account_orders=20), "the account has 20 open orders"),
        (replace(NOTHING, sent=30), "30 orders were sent within a minute"),
        (replace(NOTHING, free={"USDT": D(98)}), "99 USDT are needed and 98 are free"),
        (replace(NOTHING, free={}), "0 are free"),
        (replace(NOTHING, free=None), "the free balance is not known"),
    ],
)
def test_each_cap_refuses_a_buy_and_says_which(standing: Standing, words: str) -> None:
    assert words in reason(buy(), standing)


def test_up_to_the_cap_it_passes() -> None:
    assert reason(buy(), replace(NOTHING, bot=D(901), pair=D(1901), total=D(2901))) == ""
    assert reason(buy(), replace(NOTHING, bot_orders=9, account_orders=19, sent=29)) == ""


def test_a_sale_needs_coins_and_no_room() -> None:
    full = replace(NOTHING, bot=D(1000), pair=D(2000), total=D(3000))
    assert reason(sell(), full) == ""
    assert "2 BTC are needed" in reason(sell(quantity="2"), replace(full, free={"BTC": D(1)}))


@pytest.mark.parametrize(
    ("order", "passes"),
    [
        (buy("110"), True),
        (buy("110.01"), False),
        (sell("90"), True),
        (sell("89.99"), False),
        (buy("1"), True),  # far from the price on the harmless side
        (sell("900"), True),
    ],
)
def test_the_collar(order: OrderRequest, passes: bool) -> None:
    assert ("%" not in reason(order)) == passes


@pytest.mark.parametrize("number", ["NaN", "sNaN", "Infinity", "0", "-1"])
def test_what_is_no_number_never_passes(number: str) -> None:
    assert judge([replace(buy(), price=D(number))], BTC, PRICE, NOTHING, CAPS).passed == ()
    assert judge([replace(buy(), quantity=D(number))], BTC, PRICE, NOTHING, CAPS).passed == ()
    strange = replace(PRICE, last=D(number))
    assert judge([buy()], BTC, strange, NOTHING, CAPS).passed == ()


def test_off_tick_or_lot_and_of_another_pair() -> None:
    assert "tick and lot" in reason(buy("99.001"))
    assert "tick and lot" in reason(buy(quantity="0.0000000001"))
    assert "is not" in reason(replace(buy(), symbol="ETHUSDT"))


def test_orders_add_up_nearest_to_the_price_first() -> None:
    wanted = [buy("90", "5", "far"), buy("99", "6", "near"), sell(name="s")]
    verdict = judge(wanted, BTC, PRICE, NOTHING, CAPS)
    assert [order.client_id for order in verdict.passed] == ["near", "s"]
    assert "594 and 450 more are beyond the bot's capital" in verdict.refused["far"]


def test_leaving_is_not_stopped_by_counts() -> None:
    full = replace(NOTHING, bot_orders=10, account_orders=20, sent=30)
    assert judge([sell()], BTC, PRICE, full, CAPS, leaving=True).passed == (sell(),)
    assert judge([sell()], BTC, PRICE, full, CAPS).passed == ()


orders = st.builds(
    OrderRequest,
    client_id=st.uuids().map(str),
    symbol=st.just("BTCUSDT"),
    side=st.sampled_from(Side),
    price=st.integers(1, 20_000).map(lambda cents: D(cents) / 100),
    quantity=st.integers(1, 20_000_000).map(lambda lots: lots * BTC.lot),
)


@settings(suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no failure
@given(st.lists(orders, max_size=30), st.integers(0, 1000), st.integers(0, 40))
def test_no_list_of_orders_leads_beyond_any_cap(
    wanted: Sequence[OrderRequest], spent: int, sent: int
) -> None:
    standing = replace(NOTHING, bot=D(spent), pair=D(spent), total=D(spent), sent=sent)
    verdict = judge(wanted, BTC, PRICE, standing, CAPS)
    assert len(verdict.passed) + len(verdict.refused) == len(wanted)
    bought = sum((o.price * o.quantity for o in verdict.passed if o.side is Side.BUY), D(0))
    sold = sum((o.quantity for o in verdict.passed if o.side is Side.SELL), D(0))
    assert spent + bought <= CAPS.bot or not bought
    assert bought <= 5000
    assert sold <= 50
    assert len(verdict.passed) <= max(CAPS.bot_orders, 0)
    assert len(verdict.passed) + sent <= CAPS.per_minute or not verdict.passed
