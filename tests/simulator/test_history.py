"""What the simulator remembers: pages, windows of time, and all of it again after a restart."""

from decimal import Decimal

from tests.simulator.client import limit, refused


def test_the_signature_covers_the_query_as_it_was_sent(client):
    client.place_order(**limit(orderLinkId="a"))
    client.place_order(**limit(orderLinkId="b"))
    first = client.get_open_orders(category="spot", limit=1)["result"]
    assert first["nextPageCursor"].startswith("page_token%3D")
    second = client.get_open_orders(category="spot", limit=1, cursor=first["nextPageCursor"])
    assert [row["orderLinkId"] for row in first["list"]] == ["b"]
    assert [row["orderLinkId"] for row in second["result"]["list"]] == ["a"]
    assert second["result"]["nextPageCursor"] == ""


def walk(call, **arguments):
    rows, cursor = [], None
    while True:
        page = call(category="spot", cursor=cursor, **arguments)["result"]
        rows += page["list"]
        cursor = page["nextPageCursor"]
        if not cursor:
            return rows


def test_history_pages_through_everything_newest_first(client, simulator):
    for number in range(7):
        client.place_order(**limit(orderLinkId=f"n{number}", price=str(96300 - number)))
    simulator.step({"BTCUSDT": "96000"})
    client.place_order(**limit(orderLinkId="open", price="95000"))
    names = [row["orderLinkId"] for row in walk(client.get_order_history, limit=3)]
    assert names == [f"n{number}" for number in reversed(range(7))]
    fills = walk(client.get_executions, limit=2)
    assert [row["orderLinkId"] for row in fills] == names
    assert [int(row["execTime"]) for row in fills] == sorted(
        (int(row["execTime"]) for row in fills), reverse=True
    )
    assert refused(client.get_executions, category="spot", cursor="nonsense") == 10001


def test_history_windows_run_on_the_tapes_clock(client, simulator):
    client.place_order(**limit(price="96300", orderLinkId="old"))
    clock = simulator.step({"BTCUSDT": "96000"})["clock"]
    day = 24 * 3_600_000
    simulator.step(seconds=8 * 24 * 3600)
    assert client.get_executions(category="spot")["result"]["list"] == []
    found = client.get_executions(category="spot", startTime=clock - day)["result"]["list"]
    assert [row["orderLinkId"] for row in found] == ["old"]
    assert refused(
        client.get_executions, category="spot", startTime=clock, endTime=clock + 8 * day
    ) == 10001  # fmt: skip
    (row,) = client.get_executions(category="spot", orderLinkId="old")["result"]["list"]
    assert row["execPrice"] == "96300"


def test_empty_cancels_are_forgotten_after_a_day(client, simulator):
    client.place_order(**limit(orderLinkId="brief"))
    client.cancel_order(category="spot", symbol="BTCUSDT", orderLinkId="brief")
    ask = {"category": "spot", "orderLinkId": "brief"}
    assert len(client.get_order_history(**ask)["result"]["list"]) == 1
    simulator.step(seconds=25 * 3600)
    assert client.get_order_history(**ask)["result"]["list"] == []


def test_a_restart_changes_nothing(client, simulator):
    for number in range(4):
        client.place_order(**limit(price=str(96300 - 100 * number), qty="0.0123"))
    client.place_order(**limit(side="Sell", price="96600", orderLinkId="sell"))
    simulator.step({"BTCUSDT": "96150.5", "PEPEUSDT": "0.0000045"}, seconds=333)
    simulator.step({"BTCUSDT": "96700"}, seconds=7)
    before = simulator.state()
    kline = {"category": "spot", "symbol": "BTCUSDT", "interval": "1", "limit": 30}
    rows = client.get_kline(**kline)["result"]
    assert len(before["executions"]) == 3
    simulator.stop()
    simulator.start()
    assert simulator.state() == before
    assert client.get_kline(**kline)["result"] == rows
    assert Decimal(before["wallet"]["USDT"]["free"]) < 34000
