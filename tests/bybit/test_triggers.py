"""Orders that wait for a price, on the wire: asked for and cancelled kind by kind."""

import pytest

from integrations.bybit.gateway import Gateway
from integrations.bybit.triggers import KINDS
from market.exchange import Refused, Trigger, Unresolved
from tests.bybit.conftest import KEY, SECRET
from tests.bybit.fake_rest import FakeRest, dropped, ok, page, refused

REALTIME, CANCEL = "/v5/order/realtime", "/v5/order/cancel"


def row(number: str, link: str = "") -> dict[str, str]:
    return {
        "orderId": number,
        "orderLinkId": link,
        "symbol": "BTCUSDT",
        "orderStatus": "Untriggered",
    }


def test_every_kind_is_asked_for_page_by_page(bybit: FakeRest, gateway: Gateway) -> None:
    """A kind that the server does not know has none; the others are listed all the same."""
    bybit.on(
        REALTIME,
        page(row("1", "by-hand"), cursor="more"),
        page(row("2")),
        refused(10001, "params error: orderFilter"),
        page(),
        page(row("3", "gabcdefg-1-0-B-0")),
    )
    assert gateway.triggers() == [
        Trigger("StopOrder", "BTCUSDT", "1", "by-hand"),
        Trigger("StopOrder", "BTCUSDT", "2", ""),
        Trigger("BidirectionalTpslOrder", "BTCUSDT", "3", "gabcdefg-1-0-B-0"),
    ]
    asked = [one.params for one in bybit.asked]
    assert [params["orderFilter"] for params in asked] == ["StopOrder", *KINDS]
    assert all((params["category"], params["openOnly"]) == ("spot", "0") for params in asked)
    assert asked[1]["cursor"] == "more"
    assert all(one.is_signed_with(KEY, SECRET) for one in bybit.asked)


def test_what_cannot_be_seen_is_not_taken_for_none(bybit: FakeRest, gateway: Gateway) -> None:
    bybit.on(REALTIME, dropped)
    with pytest.raises(Unresolved):
        gateway.triggers()


def test_a_cancel_names_the_exchanges_id_and_the_kind(bybit: FakeRest, gateway: Gateway) -> None:
    bybit.on(CANCEL, ok({"orderId": "7", "orderLinkId": ""}), refused(170142, "not found"))
    trigger = Trigger("tpslOrder", "BTCUSDT", "7", "")
    gateway.cancel_trigger(trigger)
    (asked,) = bybit.asked
    assert asked.json == {
        "category": "spot",
        "symbol": "BTCUSDT",
        "orderId": "7",
        "orderFilter": "tpslOrder",
    }
    assert asked.is_signed_with(KEY, SECRET)
    with pytest.raises(Refused):
        gateway.cancel_trigger(trigger)
    assert len(bybit.asked) == 2, "asked once, each time"
