"""Faults of requests: what happens on the way to the exchange, and on the way back."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from integrations.bybit.simulator.deeds import Deeds
from integrations.bybit.simulator.facts import Event, Filled, Opened, Order
from integrations.bybit.simulator.faults import Faults, Switch, changed
from integrations.bybit.simulator.later import Later
from integrations.bybit.simulator.market import Market, Trade
from integrations.bybit.simulator.rows import order_frame
from integrations.bybit.simulator.wire import Json, envelope, machine_ms

HOUR = 3_600_000
RESET = "X-Bapi-Limit-Reset-Timestamp"
PAGE = "<html><body><h1>502 Bad Gateway</h1></body></html>"


@dataclass(frozen=True, slots=True)
class Bent:
    """What a request meets that is not as usual."""

    skew: int = 0  # ms that the exchange's clock is ahead
    passed: int | None = None  # of a batch, how many pass


Answer = tuple[Json, dict[str, str]]  # envelope, headers
Work = Callable[[Bent], Answer]


@dataclass(slots=True)
class Wire:
    """Between the clients and the REST endpoints."""

    faults: Faults
    deeds: Deeds
    later: Later
    _born: dict[str, int] = field(default_factory=dict)  # order or execution -> machine ms

    def on_account(self, events: Iterable[Event], _coins: Iterable[str]) -> None:
        """Remember when orders and executions came to be."""
        for event in events:
            if isinstance(event, Opened):
                self._born[event.order_id] = machine_ms()
            elif isinstance(event, Filled):
                self._born[event.exec_id] = machine_ms()

    def on_trades(self, market: Market, trades: Iterable[Trade]) -> None:
        """Public trades are never late."""

    async def carry(self, request: web.Request, params: Json, work: Work) -> web.StreamResponse:
        """Answer a request by its work, unless something comes between."""
        faults, path = self.faults, request.path
        await self.later.catch_up()
        if faults.drawn("unreachable", path) or faults.drawn("drop_request", path):
            return _cut(request)
        if switch := faults.drawn("http", path):
            return web.Response(status=int(switch["status"]), text="access too frequent")
        if switch := faults.drawn("too_many", path):
            return _too_many(switch, self.deeds.venue.now)
        if switch := faults.drawn("late", path):
            await self.later.pause(int(switch["ms"]))
        if switch := faults.drawn("code", path):
            if faults.chance(float(switch["effect"])):
                work(Bent())
                self.deeds.venue.keep()
            now, code = self.deeds.venue.now, int(switch["code"])
            return web.json_response(envelope({}, now, code, "said by a fault switch"))
        answer, headers = self._done(path, params, work)
        return await self._send_back(request, answer, headers)

    def _done(self, path: str, params: Json, work: Work) -> Answer:
        """The work, under what bends it."""
        faults = self.faults
        clock, cut = faults.drawn("clock", path), faults.drawn("cut_batch", path)
        named = list(self._named(params))
        raced = [order for order in named if faults.drawn("fill_first", path)]
        for order in raced:
            self.deeds.fill(order, order.leaves)
        skew = int(clock["ms"]) if clock else 0
        answer, headers = work(Bent(skew, int(cut["passed"]) if cut else None))
        for order in raced:
            # Bybit may tell a fill that a cancel came too late for a second time, like this.
            late = {"cancelType": "CancelByUser", "rejectReason": "EC_OrigClOrdIDDoesNotExist"}
            for topic in ("order", "order.spot"):
                self.deeds.say(topic, [{**order_frame(order), **late}])
        for order in self._named(params):
            new = order.tif == "PostOnly" and order not in named
            if new and faults.drawn("post_only_race", path):
                self.deeds.end(order, "UNKNOWN", "EC_PostOnlyWillTakeLiquidity")
        self.deeds.venue.keep()
        if skew:
            answer = _shifted(answer, skew)
        return self._doctored(path, answer), headers

    def _named(self, params: Json) -> Iterable[Order]:
        """The open orders that a request is about."""
        account, batch = self.deeds.venue.account, params.get("request")
        for item in batch if isinstance(batch, list) else [params]:
            if isinstance(item, Mapping):
                order = account.orders.get(str(item.get("orderId"))) or account.by_link.get(
                    str(item.get("orderLinkId"))
                )
                if order is not None and not order.is_closed:
                    yield order

    def _doctored(self, path: str, answer: Json) -> Json:
        """The answer with rows that are too young left out, and odd ones."""
        rows = answer["result"].get("list")
        if not isinstance(rows, list):
            odd = self.faults.drawn("odd_row", path) if answer["result"] else None
            result = answer["result"]
            return {**answer, "result": _odd(result, odd) if odd else result}
        if lag := self.faults.drawn("history_lag", path) if rows else None:
            since = machine_ms() - int(lag["ms"])
            rows = [row for row in rows if self._birth(row) <= since]
        if rows and (odd := self.faults.drawn("odd_row", path)):
            rows = [_odd(row, odd) for row in rows]
        return {**answer, "result": {**answer["result"], "list": rows}}

    def _birth(self, row: Mapping[str, Any]) -> int:
        return self._born.get(str(row.get("execId") or row.get("orderId")), 0)

    async def _send_back(
        self, request: web.Request, answer: Json, headers: dict[str, str]
    ) -> web.StreamResponse:
        faults, path = self.faults, request.path
        if switch := faults.drawn("slow_answer", path):
            await self.later.pause(int(switch["ms"]))
        if switch := faults.drawn("lost_answer", path):
            return await _half(request, answer) if switch["half"] else _cut(request)
        if faults.drawn("not_json", path):
            return web.Response(text=PAGE, content_type="text/html")
        return web.json_response(answer, headers=headers)


def _odd(row: object, switch: Switch) -> object:
    return changed(row, str(switch["field"]), switch["value"])


def _cut(request: web.Request) -> web.Response:
    """End the connection without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _half(request: web.Request, answer: Json) -> web.StreamResponse:
    """End the connection in the midst of the answer."""
    body = json.dumps(answer).encode()
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.content_length = len(body)
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response


def _too_many(switch: Switch, market_now: int) -> web.Response:
    now = machine_ms()
    resets = {"past": now - 3_000, "soon": now + 300, "far": now + HOUR}
    code, reset = int(switch["code"]), str(switch["reset"])
    headers = {"X-Bapi-Limit": "20", "X-Bapi-Limit-Status": "0"}
    if reset in resets:
        headers[RESET] = str(resets[reset])
    said = envelope({}, market_now, code, "Too many visits. Exceeded the API Rate Limit.")
    return web.json_response(said, headers=headers if reset != "missing" else {})


def _shifted(answer: Json, skew: int) -> Json:
    """An answer by a clock that is ahead; market/time tells it in two more fields."""
    result = dict(answer["result"])
    if "timeNano" in result:
        nano = int(result["timeNano"]) + skew * 1_000_000
        result |= {"timeNano": str(nano), "timeSecond": str(nano // 10**9)}
    return {**answer, "result": result, "time": answer["time"] + skew}
