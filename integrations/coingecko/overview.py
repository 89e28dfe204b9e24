"""The market as CoinGecko told it last: kept word by word in the database, read from there.

A page that is looked at asks nobody: `refresh` runs on schedule, one process at a time, and what it
got stays with its age until something newer comes. Money is USD, shares are percent.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from integrations import outbox
from integrations.coingecko import connection
from integrations.coingecko.connection import Unavailable
from integrations.models import Lane, StoredOverview
from market.types import decimal

LANE = "coingecko"
COINS = {"BTC": "bitcoin", "MNT": "mantle", "DOGE": "dogecoin", "PEPE": "pepe"}
# Two calls each: 8,640 in thirty days, within the 10,000 of a free key, failures included.
PACE = timedelta(minutes=10)
STALE_AFTER = 2 * PACE
_MARKETS = {
    "vs_currency": "usd",
    "ids": ",".join(COINS.values()),
    "sparkline": "true",
    "price_change_percentage": "24h",
    "precision": "full",
}
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Coin:
    """One coin. `week` are its hourly prices of seven days, oldest first."""

    symbol: str
    name: str
    price: Decimal
    change_24h: Decimal | None
    volume_24h: Decimal | None
    market_cap: Decimal | None
    dominance: Decimal | None  # its part of the market cap of all coins
    week: Sequence[Decimal]
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Market:
    """All coins together."""

    market_cap: Decimal
    change_24h: Decimal | None  # of the market cap
    volume_24h: Decimal
    dominance: Mapping[str, Decimal]  # of the largest coins, by symbol
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Overview:
    """What was told at `fetched_at` (machine's clock)."""

    market: Market
    coins: Sequence[Coin]
    fetched_at: datetime

    def age(self, now: datetime) -> timedelta:
        return max(timedelta(), now - self.fetched_at)

    def is_stale(self, now: datetime) -> bool:
        """Whether the last look, and the one before it, brought nothing."""
        return self.age(now) > STALE_AFTER


@dataclass(frozen=True, slots=True)
class State:
    """The overview, if one ever came; when the next look is due, and why the last one failed."""

    overview: Overview | None
    next_at: datetime | None
    trouble: str
    on: bool


def latest() -> State:
    """What is known now. Asks the database only."""
    row = StoredOverview.objects.order_by("-fetched_at").first()
    lane = Lane.objects.filter(name=LANE).first()
    return State(
        overview=_read(row) if row else None,
        next_at=lane.not_before if lane else None,
        trouble=lane.trouble if lane else "",
        on=connection.is_on(),
    )


def _read(row: StoredOverview) -> Overview | None:
    """None for words that an earlier version of ours understood and this one does not."""
    try:
        return parse(row.coins, row.market, row.fetched_at)
    except Unavailable as error:
        log.warning("the stored overview is left out: %s", error)
        return None


def refresh() -> bool:
    """Ask CoinGecko if it is time to; whether something new came.

    The lane's lease keeps others from asking too; no transaction is open meanwhile.
    """
    turn = outbox.take_turn(LANE) if connection.is_on() else None
    if turn is None:
        return False
    wait, trouble = PACE, ""
    try:
        coins = connection.get("/coins/markets", _MARKETS)
        market = connection.get("/global", {})
        now = timezone.now()
        parse(coins, market, now)
    except Unavailable as error:
        wait, trouble = error.wait or PACE, str(error)
        if not Lane.objects.filter(name=LANE, trouble=trouble).exists():  # else it was said already
            log.warning("market overview: %s; again in %.0f s", error, wait.total_seconds())
    else:
        _keep(coins, market, now)
    outbox.end_turn(turn, not_before=timezone.now() + wait, trouble=trouble)
    return not trouble


def _keep(coins: str, market: str, now: datetime) -> None:
    """Only the newest is kept."""
    StoredOverview.objects.update_or_create(
        source=LANE, defaults={"coins": coins, "market": market, "fetched_at": now}
    )


def parse(coins: str, market: str, fetched_at: datetime) -> Overview:
    """Read both answers, decimals to the last digit. Raises Unavailable."""
    try:
        whole = _market(_json(market)["data"])
        rows = {row["id"]: row for row in _json(coins)}
        found = [(symbol, rows[name]) for symbol, name in COINS.items() if name in rows]
        told = [_coin(symbol, row, whole) for symbol, row in found]
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError) as error:
        why = f"{type(error).__name__} {error}"[:100]
        raise Unavailable(f"CoinGecko's answer cannot be read: {why}") from None
    if not told:
        raise Unavailable("CoinGecko tells of none of our coins")
    return Overview(whole, told, fetched_at)


def _json(text: str) -> Any:  # noqa: ANN401 - JSON
    return json.loads(text, parse_float=decimal, parse_int=decimal, parse_constant=decimal)


def _market(data: Mapping[str, Any]) -> Market:
    return Market(
        market_cap=_positive(data["total_market_cap"]["usd"]),
        change_24h=_change(data.get("market_cap_change_percentage_24h_usd")),
        volume_24h=_amount(data["total_volume"]["usd"]),
        dominance={
            name.upper(): _amount(share) for name, share in data["market_cap_percentage"].items()
        },
        updated_at=datetime.fromtimestamp(int(data["updated_at"]), tz=UTC),
    )


def _coin(symbol: str, row: Mapping[str, Any], market: Market) -> Coin:
    cap = _if_told(row["market_cap"])
    computed = None if cap is None else cap / market.market_cap * 100
    week = (row.get("sparkline_in_7d") or {}).get("price") or []
    return Coin(
        symbol=symbol,
        name=str(row["name"])[:60],
        price=_positive(row["current_price"]),
        change_24h=_change(row.get("price_change_percentage_24h")),
        volume_24h=_if_told(row["total_volume"]),
        market_cap=cap,
        dominance=market.dominance.get(symbol, computed),
        week=[_positive(price) for price in week if price is not None],
        updated_at=_time(row["last_updated"]),
    )


def _amount(value: object) -> Decimal:
    if not isinstance(value, Decimal) or value < 0:
        raise ValueError(f"{value!r} is no amount")
    return value


def _if_told(value: object) -> Decimal | None:
    return None if value is None else _amount(value)


def _positive(value: object) -> Decimal:
    if not _amount(value):
        raise ValueError("0 is no price")
    return _amount(value)


def _change(value: object) -> Decimal | None:
    """A change in percent; none is told of a coin younger than a day."""
    if value is not None and not isinstance(value, Decimal):
        raise ValueError(f"{value!r} is no change")
    return value


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"{text} has no zone")
    return time
