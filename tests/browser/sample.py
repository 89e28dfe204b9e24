"""A made-up state shaped as bots.reports.cards.dashboard(): withheld buys, a geometric grid."""

from decimal import Decimal
from typing import Any

from market.types import decimal, plain

TAPE_DAY = "2026-01-12"
PAIRS: tuple[tuple[str, str, str, int, str, str, str], ...] = (
    ("BTC", "95500", "104500", 12, "98412.5", "0.01", "0.0152"),
    ("MNT", "1.05", "1.4", 15, "1.1842", "0.0001", "320.5"),
    ("DOGE", "0.2", "0.28", 18, "0.24183", "0.00001", "1210"),
    ("PEPE", "0.0000034", "0.0000052", 24, "0.000004162", "0.000000001", "79312345"),
)


def wave(last: Decimal, step: Decimal, points: int = 96) -> list[list[str]]:
    """A path that ends near `last`: a sawtooth of a few steps, always the same."""
    path = []
    for i in range(points):
        offset = (i * 7 % 23 - 11) * step / 12 + (i * 5 % 7 - 3) * step / 9
        at = f"{TAPE_DAY}T{i // 4:02d}:{i % 4 * 15:02d}:00Z"
        path.append([at, plain((last + offset).quantize(Decimal("1e-9")))])
    return path


def cells_of(
    ends: tuple[str, str], grids: int, last: Decimal, tick: Decimal, size: str, *, held: bool
) -> list[dict[str, Any]]:
    lower, upper = map(decimal, ends)
    step = (upper - lower) / grids
    levels = [(lower + i * step).quantize(tick) for i in range(grids + 1)]
    cells = []
    for i in range(grids):
        low, high = levels[i], levels[i + 1]
        buys = low < last
        status, reason = "resting", ""
        if buys and held:
            status, reason = "withheld", "BTC fell 2.4 % in the last hour; the filter holds at 2 %"
        elif low < last < high:
            status, reason = "in flight", "sent, no answer yet"
        cells.append(
            {
                "index": i,
                "low": plain(low),
                "high": plain(high),
                "wants": "Buy" if buys else "Sell",
                "price": plain(low if buys else high),
                "quantity": size,
                "status": status,
                "reason": reason,
                "held": "0" if buys else size,
            }
        )
    return cells


def count(cells: list[dict[str, Any]], **wanted: str) -> int:
    return sum(all(cell[name] == value for name, value in wanted.items()) for cell in cells)


def card(row: tuple[str, str, str, int, str, str, str]) -> dict[str, Any]:
    base, lower, upper, grids, last, tick, size = row
    low, high, price = decimal(lower), decimal(upper), decimal(last)
    held = base == "PEPE"
    cells = cells_of((lower, upper), grids, price, decimal(tick), size, held=held)
    return {
        "slug": f"{base.lower()}-usdt",
        "symbol": f"{base}USDT",
        "name": f"{base}/USDT",
        "base": base,
        "quote": "USDT",
        "tick": tick,
        "state": "running",
        "state_text": "Running",
        "reason": "Buys are withheld: BTC fell 2.4 % in the last hour." if held else "",
        "price": {
            "last": last,
            "bid": last,
            "ask": plain(price + decimal(tick)),
            "time": f"{TAPE_DAY}T14:03:00Z",
            "age_s": 0.4,
        },
        "change_24h": "-3.41" if held else "1.24",
        "range": {
            "lower": lower,
            "upper": upper,
            "grids": grids,
            "spacing": "geometric" if held else "arithmetic",
            "stop_loss": plain(low * decimal("0.99")),
        },
        "capital": "25000",
        "cells": cells,
        "resting": {
            "buys": count(cells, wants="Buy", status="resting"),
            "sells": count(cells, wants="Sell", status="resting"),
            "withheld": count(cells, status="withheld"),
            "in_flight": count(cells, status="in flight"),
        },
        "held": plain(decimal(size) * 5),
        "today": "12.5",
        "grid_profit": "148.32",
        "inventory_pnl": "-3.5",
        "floating": "-41.1",
        "total": "103.72",
        "fees": "12.0441",
        "round_trips": 41,
        "fills": 90,
        "fills_24h": 9,
        "spark": wave(price, (high - low) / grids),
    }


def fill(number: int) -> dict[str, Any]:
    base, _, _, _, last, _, size = PAIRS[number % 4]
    sells = number % 3 == 0
    return {
        "id": f"exec-{number}",
        "time": f"{TAPE_DAY}T13:{number:02d}:07Z",
        "bot": f"{base.lower()}-usdt",
        "symbol": f"{base}USDT",
        "name": f"{base}/USDT",
        "side": "Sell" if sells else "Buy",
        "price": last,
        "quantity": size,
        "fee": "1.49587" if sells else plain(decimal(size) / 1000),
        "fee_coin": "USDT" if sells else base,
        "profit": "0.61" if sells else None,
        "cell": number % 12,
    }


def dashboard() -> dict[str, Any]:
    """The whole state: four bots, PEPE holding its buys, twelve fills."""
    return {
        "mode": "paper",
        "market": {
            "time": f"{TAPE_DAY}T14:03:00Z",
            "tape": "seven days of January",
            "speed": "60",
            "loops": {"BTCUSDT": 0},
        },
        "sentence": {
            "level": "warn",
            "lead": "All four grids run.",
            "text": "PEPE places no new buys: BTC fell 2.4 % in the last hour and the filter holds "
            "at 2 %. Resting sells stay on the book.",
        },
        "totals": {
            "capital": "34000",
            "equity": "34316.36",
            "today": "41.07",
            "grid_profit": "412.9",
            "inventory_pnl": "0",
            "floating": "-96.54",
            "total": "316.36",
            "fees": "55.24",
            "round_trips": 690,
            "fills": 1404,
            "fills_24h": 46,
        },
        "bots": [card(row) for row in PAIRS],
        "fills": [fill(number) for number in range(40, 28, -1)],
    }
