"""Fill rules: hand-worked bars and segments, and what must hold for all of them."""

from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.matching import met, path
from market.types import Candle, Side


@dataclass(frozen=True)
class Rest:
    side: Side
    price: Decimal
    name: str = ""


def bar(opened, high, low, close):
    prices = (Decimal(price) for price in (opened, high, low, close))
    return Candle("BTCUSDT", "1", 0, *prices, Decimal(1), Decimal(1))


def buy(price, name=""):
    return Rest(Side.BUY, Decimal(price), name)


def sell(price, name=""):
    return Rest(Side.SELL, Decimal(price), name)


@pytest.mark.parametrize(
    ("kind", "candle", "points"),
    [
        ("nearest", bar(100, 104, 99, 102), (100, 99, 104, 102)),  # low is nearer
        ("nearest", bar(100, 101, 90, 99), (100, 101, 90, 99)),  # high is nearer
        ("nearest", bar(100, 105, 95, 101), (100, 95, 105, 101)),  # a tie: it rose
        ("nearest", bar(100, 105, 95, 99), (100, 105, 95, 99)),  # a tie: it fell
        ("nearest", bar(100, 105, 95, 100), (100, 95, 105, 100)),  # a tie: unchanged counts as rise
        ("color", bar(100, 101, 90, 100), (100, 90, 101, 100)),
        ("color", bar(100, 109, 99, 98), (100, 109, 99, 98)),
    ],
)
def test_path_of_a_bar(kind, candle, points):
    assert path(candle, kind) == tuple(Decimal(point) for point in points)


def test_a_buy_fills_only_when_price_goes_below_it():
    orders = [buy(98), buy(99), buy(100)]
    assert met(orders, Decimal(101), Decimal(99)) == [buy(100)]
    assert met(orders, Decimal(101), Decimal(99), "touch") == [buy(100), buy(99)]


def test_a_sell_fills_only_when_price_goes_above_it():
    orders = [sell(103), sell(102), sell(101)]
    assert met(orders, Decimal(100), Decimal(102)) == [sell(101)]
    assert met(orders, Decimal(100), Decimal(102), "touch") == [sell(101), sell(102)]


def test_a_rise_meets_no_buy_and_a_fall_no_sell():
    assert met([buy(99)], Decimal(98), Decimal(105)) == []
    assert met([sell(99)], Decimal(100), Decimal(90)) == []


def test_orders_at_one_price_keep_their_turn():
    first, second = buy(99, "first"), buy(99, "second")
    assert met([first, second, buy(100)], Decimal(101), Decimal(98)) == [buy(100), first, second]


prices = st.integers(1, 60).map(Decimal)
orders = st.lists(st.builds(Rest, st.sampled_from(Side), prices, st.text(max_size=2)), max_size=8)


@given(orders, prices, prices)
def test_touch_meets_all_that_through_meets_and_only_those_at_the_end_more(resting, start, end):
    through, touch = met(resting, start, end), met(resting, start, end, "touch")
    assert [order for order in touch if order.price != end] == through


@given(orders, prices, prices)
def test_a_segment_meets_in_path_order(resting, start, end):
    distances = [
        abs(order.price - start)
        for order in met(resting, start, end, "touch")
        if min(start, end) <= order.price <= max(start, end)
    ]
    assert distances == sorted(distances)


@given(orders, prices, st.lists(prices, min_size=1, max_size=4))
def test_a_straight_way_cut_into_pieces_meets_the_same(resting, start, stops):
    way = [start, *sorted(stops, reverse=True)]
    way = [price for price in way if price <= start]
    waiting = [order for order in resting if order.side is Side.BUY and order.price <= start]
    whole, pieces = met(waiting, way[0], way[-1]), []
    for before, after in pairwise(way):
        hit = met(waiting, before, after)
        pieces += hit
        waiting = [order for order in waiting if order not in hit]
    assert sorted(pieces, key=lambda order: -order.price) == whole or len(way) == 1


@given(prices, prices, prices, prices, st.sampled_from(["nearest", "color"]))
def test_a_path_visits_the_bars_four_prices(one, two, three, four, kind):
    low, *between, high = sorted([one, two, three, four])
    candle = bar(between[0], high, low, between[1])
    points = path(candle, kind)
    assert sorted(points) == sorted([candle.open, candle.high, candle.low, candle.close])
    assert (points[0], points[3]) == (candle.open, candle.close)
