"""Orders that wait for a price before they rest: listed and cancelled kind by kind.

We never make any; a kill that is to leave nothing at all has to see them all the same. Bybit lists
and cancels them by `orderFilter` only (v5, order/realtime and order/cancel on spot).
"""

from collections.abc import Iterator

from integrations.bybit.fields import optional_text, records, text
from integrations.bybit.orders import checked_symbol
from integrations.bybit.session import Session
from market.exchange import Refused, Trigger

KINDS = ("StopOrder", "tpslOrder", "OcoOrder", "BidirectionalTpslOrder")
A_PAGE = 50


def listed(session: Session) -> Iterator[Trigger]:
    """All of them, whosever; none of a kind that the server does not know. Raises ExchangeError."""
    for kind in KINDS:
        try:
            pages = list(
                session.pages("get_open_orders", limit=A_PAGE, openOnly=0, orderFilter=kind)
            )
        except Refused:
            continue
        for answer in pages:
            for row in records(answer.result, "list"):
                yield Trigger(
                    kind, text(row, "symbol"), text(row, "orderId"),
                    optional_text(row, "orderLinkId"),
                )  # fmt: skip


def cancel(session: Session, trigger: Trigger) -> None:
    """Ask once for a cancel, by the exchange's own id. Raises ExchangeError."""
    turn = session.turn(["cancel_order"])
    session.send(
        turn,
        {
            "category": "spot",
            "symbol": checked_symbol(trigger.symbol),
            "orderId": trigger.order_id,
            "orderFilter": trigger.kind,
        },
    )
