"""What the bots did, hold and earn: one reading for the page, the socket and the API.

Money and prices are plain decimal texts, times ISO 8601 UTC; None where nothing is known.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone

from bots.books import ledger
from bots.grid import accounting
from bots.models import Bot, Capture, Cell, Order
from bots.reports import earned as earned_by
from bots.reports import history, spark
from bots.reports.earned import Earned
from bots.reports.sentence import sentence
from bots.terms import references_of
from market.models import Instrument, Price
from market.types import IN_FLIGHT, ZERO, OrderStatus, Side, plain
from risk.guard import stops_for

LATEST_FILLS = 12

Report = dict[str, Any]


def dashboard() -> Report:
    """The whole dashboard."""
    prices = _prices()
    cards = _cards(_bots(), prices)
    return {
        "mode": settings.BYBIT.mode,
        "market": _market(prices),
        "sentence": sentence(cards),
        "totals": _totals(cards),
        "bots": cards,
        "fills": latest_fills(),
    }


def latest_fills() -> Sequence[Report]:
    """The dashboard's fills, the newest first."""
    return history.latest_fills(LATEST_FILLS)


def card(bot: Bot) -> Report:
    """One bot, as on the dashboard."""
    return _cards([_bots().get(pk=bot.pk)])[0]


def cards(bots: Iterable[Bot] | None = None) -> Sequence[Report]:
    """Those bots, or all in the dashboard's order."""
    return _cards(_bots() if bots is None else bots)


def _bots():  # noqa: ANN202 - a query set
    return Bot.objects.exclude(config=None).select_related("config")


def _prices() -> Mapping[str, Price]:
    """The newest price of each pair."""
    return {price.symbol: price for price in Price.objects.all()}


def _cards(bots: Iterable[Bot], prices: Mapping[str, Price] | None = None) -> list[Report]:
    bots = list(bots)
    prices = _prices() if prices is None else prices
    pairs = {pair.symbol: pair for pair in Instrument.objects.all()}
    earned = earned_by.of(bots, now=_now(prices))
    stops = stops_for([bot.subject for bot in bots])
    sparks = spark.recent_of(prices[bot.symbol] for bot in bots if bot.symbol in prices)
    cells = _by_config(Cell.objects.filter(config__in=[bot.config_id for bot in bots]))
    waiting = Order.objects.filter(bot__in=bots, settled=False).order_by("id")
    orders = _by_config(waiting)
    missed = dict(Capture.objects.filter(bot__in=bots).values_list("bot", "gate"))
    return [
        _card(
            bot,
            price=prices.get(bot.symbol),
            pair=pairs.get(bot.symbol),
            cells=cells[bot.config_id],
            orders=orders[bot.config_id],
            earned=earned[bot.pk],
            gate_missed=missed.get(bot.pk),
            stop=stops[bot.subject],
            day=sparks[bot.symbol],
        )
        for bot in bots
    ]


def _by_config(rows: Iterable[Any]) -> Mapping[int, list[Any]]:
    found: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        found[row.config_id].append(row)
    return found


def _card(
    bot: Bot,
    *,
    price: Price | None,
    pair: Instrument | None,
    cells: Sequence[Cell],
    orders: Sequence[Order],
    earned: Earned,
    gate_missed: Decimal | None,
    stop: str,
    day: tuple[spark.Points, str | None],
) -> Report:
    config = bot.config
    state, text, reason = _state(bot, stop)
    ladder = _ladder(cells, orders)
    last = price.last if price else None
    stands = accounting.standing(cells, last) if last is not None else None
    floating = stands.floating if stands else None
    points, change = day
    return {
        "slug": bot.slug,
        "symbol": bot.symbol,
        "name": bot.name,
        "base": pair.base if pair else None,
        "quote": pair.quote if pair else None,
        "tick": plain(pair.tick) if pair else None,
        "state": state,
        "state_text": text,
        "reason": reason,
        "price": _price(price),
        "change_24h": change,
        "range": {
            "lower": ladder[0]["low"] if ladder else plain(config.lower),
            "upper": ladder[-1]["high"] if ladder else plain(config.upper),
            "grids": config.grids,
            "spacing": config.spacing,
            "stop_loss": _money(config.stop_loss),
        },
        "position": _position(bot, price),
        "capital": plain(config.capital),
        "cells": ladder,
        "resting": _resting(ladder),
        "held": plain(sum((cell.held for cell in cells), ZERO)),
        "today": plain(earned.today),
        "grid_profit": plain(earned.grid_profit),
        "inventory_pnl": plain(earned.inventory_pnl),
        "floating": _money(floating),
        "total": _money(
            earned.grid_profit + earned.inventory_pnl + floating if floating is not None else None
        ),
        "fees": plain(earned.fees),
        "gate_missed": _money(gate_missed) if gate_missed or references_of(config) else None,
        "round_trips": earned.round_trips,
        "fills": earned.fills,
        "fills_24h": earned.fills_24h,
        "spark": points,
    }


def _state(bot: Bot, stop: str) -> tuple[str, str, str]:
    """State, its word, and why; a halt by risk (`stop`) comes before the bot's own state."""
    if stop and bot.state != Bot.State.STOPPED:
        return "halted", "Halted", stop
    return bot.state, bot.get_state_display(), bot.reason


def _position(bot: Bot, price: Price | None) -> Report | None:
    """Where the price stands to the ladder and for how long, on the exchange's clock."""
    if not bot.range_state or bot.range_since is None:
        return None
    seconds = (price.time - bot.range_since).total_seconds() if price else 0
    return {
        "state": bot.range_state,
        "since": iso(bot.range_since),
        "seconds": max(0, round(seconds)),
        "held_down": bot.held_down,
    }


def _price(price: Price | None) -> Report | None:
    if price is None:
        return None
    return {
        "last": plain(price.last),
        "bid": plain(price.bid),
        "ask": plain(price.ask),
        "time": iso(price.time),
        "age_s": round((timezone.now() - price.received_at).total_seconds(), 1),
    }


def _ladder(cells: Sequence[Cell], orders: Sequence[Order]) -> list[Report]:
    resting = {order.cell: order for order in orders if not OrderStatus(order.status).is_closed}
    by_price = sorted(cells, key=lambda cell: cell.low)
    return [_rung(place, cell, resting.get(cell.index)) for place, cell in enumerate(by_price)]


def _rung(place: int, cell: Cell, order: Order | None) -> Report:
    """A cell and its order; without one, what it would want and why it does not.

    `index` is its place from below, `cell` the number in its client ids.
    """
    side, buying = cell.side, cell.side == Side.BUY
    price = cell.low if buying else cell.high
    quantity = cell.quantity - cell.bought if buying else cell.held
    status = "withheld" if cell.reason else "none"
    if order is not None:
        side, price, quantity = order.side, order.price, order.quantity - order.filled
        status = "in flight" if order.status in IN_FLIGHT else "resting"
    return {
        "index": place,
        "cell": cell.index,
        "low": plain(cell.low),
        "high": plain(cell.high),
        "wants": side,
        "price": plain(price),
        "quantity": plain(quantity),
        "status": status,
        "reason": "" if order is not None else cell.reason,
        "held": plain(cell.held),
    }


def _resting(ladder: Sequence[Report]) -> Report:
    def count(status: str, side: str | None = None) -> int:
        return sum(rung["status"] == status and side in (None, rung["wants"]) for rung in ladder)

    return {
        "buys": count("resting", Side.BUY),
        "sells": count("resting", Side.SELL),
        "withheld": count("withheld"),
        "in_flight": count("in flight"),
    }


def _totals(cards: Sequence[Report]) -> Report:
    def total(name: str) -> str | None:
        amounts = [card[name] for card in cards]
        if any(amount is None for amount in amounts):
            return None
        return plain(sum(map(Decimal, amounts), ZERO))

    return {
        **{
            name: total(name)
            for name in (
                "capital", "today", "grid_profit", "inventory_pnl", "floating", "total", "fees",
            )
        },
        **{
            name: sum(card[name] for card in cards)
            for name in ("round_trips", "fills", "fills_24h")
        },
        "equity": _money(ledger.equity()),
    }  # fmt: skip


def _now(prices: Mapping[str, Price]) -> datetime | None:
    """The exchange's clock, as its newest message told it."""
    return max((price.time for price in prices.values()), default=None)


def _market(prices: Mapping[str, Price]) -> Report:
    """The exchange's clock, and on paper which tape plays how fast."""
    newest = _now(prices)
    plays = settings.BYBIT.own_simulator_port is not None
    return {
        "time": iso(newest) if newest else None,
        "tape": _tape() if plays else None,
        "speed": plain(settings.PAPER_SPEED) if plays else None,
    }


def _tape() -> str:
    source = str(settings.PAPER_TAPE)
    if source.startswith("synthetic:"):
        return f"synthetic prices, seed {source.partition(':')[2]}"
    if source == "bybit":
        return "Bybit's public prices"
    path = Path(source)
    return "bundled sample" if path == settings.BASE_DIR / "market" / "tapes" else path.name


def iso(time: datetime) -> str:
    """ISO 8601 UTC, to the millisecond."""
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _money(amount: Decimal | None) -> str | None:
    return None if amount is None else plain(amount)
