"""What the database knows of orders that are ours; nothing at all while it is away."""

import logging
from datetime import timedelta

from django.db import connection
from django.utils import timezone

from bots.models import Bot, Order
from bots.safety.course import DATABASE_AWAY
from market.types import OPEN, OrderStatus

log = logging.getLogger(__name__)

IN_FLIGHT_FOR = timedelta(minutes=1)  # older orders of unknown fate are listed, or are nowhere

Named = tuple[str, str]  # symbol, client id


def tags() -> set[str]:
    """The prefixes of every bot's client ids."""
    try:
        return set(Bot.objects.values_list("tag", flat=True))
    except DATABASE_AWAY:
        connection.close()
        return set()


def in_flight() -> list[Named]:
    """Orders that may be on the wire: too new for the exchange's list to show them."""
    lately = timezone.now() - IN_FLIGHT_FOR
    return _named(status__in=(OrderStatus.SENT, OrderStatus.UNKNOWN), sent_at__gt=lately)


def thought_alive() -> list[Named]:
    """Orders that rest as far as we know, or may."""
    return _named(status__in=(*OPEN, OrderStatus.SENT, OrderStatus.UNKNOWN))


def _named(**which: object) -> list[Named]:
    try:
        found = Order.objects.filter(settled=False, **which).values_list("symbol", "client_id")
        return list(found)
    except DATABASE_AWAY as error:
        log.warning("orders in flight are not known: %s", " ".join(str(error).split()))
        connection.close()
        return []
