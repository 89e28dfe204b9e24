"""The page's texts for numbers, times and words, as the templates write them."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.templatetags.numbers import find, node, show

VECTORS = json.loads(Path(__file__).with_name("number_vectors.json").read_text(encoding="utf-8"))
amounts = st.decimals(-(10**15), 10**15, allow_nan=False, places=18)


@pytest.mark.parametrize(("value", "kind", "tick", "text"), VECTORS)
def test_the_vectors_of_the_specification(value, kind, tick, text):
    assert show(value, kind, tick).text == text


def test_a_shortened_number_carries_its_full_value():
    assert show("0.000004162", "price", "0.0000000001").full == "0.0000041620"
    assert show("79312345.5", "size").full == "79312345.5"
    assert show("98412.5", "price", "0.01").full == ""


def test_floats_are_refused():
    with pytest.raises(TypeError, match="float"):
        show(0.1, "money")


@given(amounts)
def test_a_price_without_a_tick_loses_no_digit(number):
    shown = show(format(number, "f"), "price")
    digits = shown.full or shown.text.replace(",", "").replace("−", "-")
    assert Decimal(digits) == number


@given(amounts)
def test_a_profit_says_its_sign(number):
    shown = show(format(number, "f"), "signed")
    rounded = round(number, 2)
    assert shown.tone == ("up" if rounded > 0 else "down" if rounded < 0 else "")
    assert shown.text[0] in {"up": "+", "down": "−", "": "0"}[shown.tone]


def test_the_element_of_a_tiny_price_hides_the_pretty_text_from_screen_readers():
    assert node("0.00000416", "price", "", {"data-live": "a.b"}) == (
        '<span data-live="a.b" data-format="price" data-raw="0.00000416">'
        '<span class="pretty" aria-hidden="true" title="0.00000416">0.0₅416</span>'
        '<span class="vh">0.00000416</span></span>'
    )


def test_texts_are_escaped():
    assert "<b>" not in node("<b>", "text", "", {})


def test_a_path_through_what_is_missing_finds_nothing():
    state = {"bots": {"btc-usdt": {"price": None, "cells": [{"low": "1"}]}}}
    assert find(state, "bots.btc-usdt.price.last") is None
    assert find(state, "bots.btc-usdt.cells.0.low") == "1"
    assert find(state, "bots.btc-usdt.cells.7.low") is None
