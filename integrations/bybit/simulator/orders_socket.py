"""Order entry over WebSocket (Bybit v5, /v5/trade): the same orders as by REST, in other words."""

from collections.abc import Mapping
from typing import Any

from integrations.bybit.simulator.auth import Keys
from integrations.bybit.simulator.budget import Budgets
from integrations.bybit.simulator.heard import Heard
from integrations.bybit.simulator.rest import Endpoint
from integrations.bybit.simulator.sockets import Connection
from integrations.bybit.simulator.venue import Venue
from integrations.bybit.simulator.wire import ApiError, Json, Outcome, machine_ms

OPERATIONS = {
    f"order.{name}": f"/v5/order/{name}"
    for name in ("create", "amend", "cancel", "create-batch", "amend-batch", "cancel-batch")
}


class OrderEntry:
    """Answers the messages of the trade channel; whoever owns the hub plugs it in.

    Each operation is an endpoint of REST, with which it shares its budget.
    """

    def __init__(
        self,
        venue: Venue,
        keys: Keys,
        endpoints: Mapping[str, Endpoint],
        budgets: Budgets,
        heard: Heard,
    ) -> None:
        self._venue = venue
        self._keys = keys
        self._endpoints = endpoints
        self._budgets = budgets
        self._heard = heard

    def answer(self, connection: Connection, message: Json) -> Json:
        """The frame that answers one message."""
        op = str(message.get("op", ""))
        frame = {"retCode": 0, "retMsg": "OK", "op": op, "connId": connection.conn_id}
        named = {"reqId": message["reqId"]} if "reqId" in message else {}
        try:
            return {**named, **frame, **self._do(connection, op, message)}
        except ApiError as error:
            failed = {"retCode": error.code, "retMsg": error.message, "data": {}, "retExtInfo": {}}
            return {**named, **frame, **failed}

    def _do(self, connection: Connection, op: str, message: Json) -> Json:
        if op == "auth":
            if connection.authenticated:
                raise ApiError(20001, "Repeated auth")
            self._keys.check_socket(message.get("args"))
            connection.authenticated = True
            return {}
        if op not in OPERATIONS:
            raise ApiError(10404, f"op type {op!r} is not found")
        if not connection.authenticated:
            raise ApiError(10003, "Please log in first")
        header, args = message.get("header"), message.get("args")
        if not (isinstance(header, Mapping) and isinstance(args, list) and len(args) == 1):
            raise ApiError(10001, "params error: header and args with one order are required")
        self._heard.note(OPERATIONS[op], _word(header, "TIMESTAMP"), machine_ms())
        self._keys.check_clock(_word(header, "TIMESTAMP"), _word(header, "RECV-WINDOW"))
        if not isinstance(args[0], dict):
            raise ApiError(10001, "params error: the order must be an object")
        return self._order(OPERATIONS[op], args[0])

    def _order(self, path: str, params: Json) -> Json:
        endpoint, now = self._endpoints[path], machine_ms()
        cost = endpoint.cost(params)
        passed, headers = self._budgets.take(path, endpoint.per_second, cost, now)
        answer = endpoint.work(self._venue, params, passed)
        self._venue.keep()
        whole = answer if isinstance(answer, Outcome) else Outcome(answer)
        header = {**headers, "Timenow": str(now)}
        return {"data": whole.result, "retExtInfo": whole.ext, "header": header}


def _word(header: Mapping[str, Any], name: str) -> str:
    """A header value; pybit sends numbers where the docs say text."""
    return str(header.get(f"X-BAPI-{name}", ""))
