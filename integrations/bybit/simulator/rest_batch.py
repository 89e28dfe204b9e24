"""Bybit v5's batches of orders: each item has its own outcome, the whole is always a success."""

from collections.abc import Callable

from integrations.bybit.simulator import checks, rest_trade
from integrations.bybit.simulator.checks import Params
from integrations.bybit.simulator.venue import Venue
from integrations.bybit.simulator.wire import ApiError, Json, Outcome

ITEMS = 10  # Bybit v5, spot
TOO_MANY = (10006, "Too many visits. Exceeded the API Rate Limit.")


def items(params: Params) -> list[Json]:
    """The orders of a batch. Raises ApiError 10001 when it is not one."""
    checks.spot(params)
    wanted = params.get("request")
    if not isinstance(wanted, list) or not all(isinstance(item, dict) for item in wanted):
        raise ApiError(10001, "params error: request must be a list of orders")
    if not 0 < len(wanted) <= ITEMS:
        raise ApiError(10001, f"params error: a batch holds 1 to {ITEMS} orders")
    return wanted


def each(
    venue: Venue, params: Params, single: Callable[[Venue, Params], Json], passed: int = ITEMS
) -> Outcome:
    """Do the items in order; those beyond `passed` are over the rate limit."""
    rows: list[Json] = []
    codes: list[Json] = []
    for number, item in enumerate(items(params)):
        row = {
            "category": "spot",
            "symbol": checks.text(item, "symbol"),
            "orderId": "",
            "orderLinkId": checks.text(item, "orderLinkId"),
        }
        code, said = TOO_MANY if number >= passed else (0, "OK")
        try:
            row |= single(venue, {**item, "category": "spot"}) if not code else {}
        except ApiError as error:
            code, said = error.code, error.message
        if single is rest_trade.create:
            row["createAt"] = "" if code else str(venue.now)
        rows.append(row)
        codes.append({"code": code, "msg": said})
    return Outcome({"list": rows}, {"list": codes})
