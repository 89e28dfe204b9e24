"""The account that the settings name: its gateway and its two feeds, ready to use."""

import queue
from collections.abc import Iterable

from django.conf import settings

from integrations.bybit.gateway import Gateway
from integrations.bybit.limits import limits_of
from integrations.bybit.session import Told
from integrations.bybit.streams import Event, Feed, private_feed, public_feed


def gateway_from_settings(*, told: Told | None = None, alone: bool = False) -> Gateway:
    """One gateway may serve all threads of a process; it connects at its first call.

    Its rate limits are shared through Redis with every process of the account; `alone` is for what
    must work without Redis. `told` hears the outcome of every request.
    """
    bybit = settings.BYBIT
    redis_url = None if alone else settings.REDIS_URL
    return Gateway(
        bybit.rest_url,
        bybit.key,
        bybit.secret,
        limits=limits_of(bybit.rest_url, bybit.key.reveal(), redis_url),
        told=told,
        batches=bybit.mode != "demo",  # Bybit v5, demo trading: batches for derivatives only
    )


def private_feed_from_settings(out: "queue.Queue[Event]") -> Feed:
    """Orders, executions and wallet of the account, not yet started."""
    return private_feed(settings.BYBIT.ws_url, settings.BYBIT.key, settings.BYBIT.secret, out)


def public_feed_from_settings(symbols: Iterable[str], out: "queue.Queue[Event]") -> Feed:
    """Prices of these pairs, not yet started. Demo trading takes them from the main host."""
    return public_feed(settings.BYBIT.ws_public_url, symbols, out)
