"""The market page's facts: the whole market by CoinGecko, and what we record of our own pairs.

Money and prices are plain decimal texts, times ISO 8601 UTC; None where nothing is known.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from django.conf import settings
from django.utils import timezone

from bots.reports import health
from bots.reports.history import iso
from integrations.coingecko import overview
from integrations.coingecko.overview import Coin, Market, State
from market.models import Instrument
from market.types import ONE, plain

Report = dict[str, Any]
_LARGEST = 2  # coins whose dominance is told of the whole market
_HUNDREDTH = Decimal("0.01")


def report() -> Report:
    """Everything on the page; `coins` by symbol, `pairs` by the exchange's name."""
    now, state = timezone.now(), overview.latest()
    told = state.overview
    candles = health.candles()
    pairs = {pair.symbol: pair for pair in Instrument.objects.all()}
    ticks = {pair.base: pair.tick for pair in pairs.values() if pair.quote == "USDT"}
    return {
        "note": _note(state, now),
        "fetched_at": iso(told.fetched_at) if told else None,
        "next_at": iso(state.next_at) if state.on and state.next_at else None,
        "market": _market(told.market) if told else None,
        "coins": {coin.symbol: _coin(coin, ticks.get(coin.symbol)) for coin in told.coins}
        if told
        else {},
        "elsewhere": settings.MODE == "paper" and settings.PAPER_TAPE != "bybit",
        "pairs": _pairs(candles["pairs"], pairs),
        "reason": candles.get("reason", ""),
    }


def _note(state: State, now: datetime) -> dict[str, str]:
    """How far what stands on the page can be trusted: level (ok or warn), lead and particulars."""
    trouble = f"{state.trouble}." if state.trouble else ""
    if state.overview is None:
        lead = "CoinGecko has told nothing yet." if state.on else "CoinGecko is not asked."
        return {"level": "warn", "lead": lead, "text": trouble if state.on else _OFF}
    lead = f"CoinGecko's figures are {spoken(state.overview.age(now))} old."
    if not state.on:
        return {"level": "warn", "lead": lead, "text": _OFF}
    stale = state.overview.is_stale(now) or bool(trouble)
    return {"level": "warn" if stale else "ok", "lead": lead, "text": trouble}


_OFF = "COINGECKO_BASE_URL is off."


def spoken(age: timedelta) -> str:
    """An age in one unit, rounded down: "45 seconds", "3 minutes", "2 days"."""
    seconds = int(age.total_seconds())
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        if count := seconds // size:
            return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
    return "0 seconds"


def _market(market: Market) -> Report:
    largest = sorted(market.dominance.items(), key=lambda each: -each[1])[:_LARGEST]
    return {
        "market_cap": plain(market.market_cap),
        "change_24h": _percent(market.change_24h),
        "volume_24h": plain(market.volume_24h),
        "dominance": [(symbol, _percent(share)) for symbol, share in largest],
    }


def _coin(coin: Coin, tick: Decimal | None) -> Report:
    """Its price has the decimals of the exchange's pair, six digits where there is none."""
    return {
        "tick": plain(tick or ONE.scaleb(coin.price.adjusted() - 5)),
        "symbol": coin.symbol,
        "name": coin.name,
        "price": plain(coin.price),
        "change_24h": _percent(coin.change_24h),
        "volume_24h": _text(coin.volume_24h),
        "market_cap": _text(coin.market_cap),
        "dominance": _percent(coin.dominance),
        "week": [plain(price) for price in coin.week],
        "updated_at": iso(coin.updated_at),
    }


def _pairs(candles: Mapping[str, Report], pairs: Mapping[str, Instrument]) -> Mapping[str, Report]:
    return {
        symbol: {
            **facts,
            "base": pairs[symbol].base,
            "last_bar": iso(facts["last_bar"]) if facts["last_bar"] else None,
            "refused": sum(facts["refused"].values()),
        }
        for symbol, facts in candles.items()
    }


def _text(number: Decimal | None) -> str | None:
    return None if number is None else plain(number)


def _percent(number: Decimal | None) -> str | None:
    return None if number is None else plain(number.quantize(_HUNDREDTH, ROUND_HALF_EVEN))
