"""What a run may meet: each fault with its numbers drawn by the run's own dice."""

from collections.abc import Callable
from random import Random
from typing import Any

Row = dict[str, Any]
ORDERS, PLACE, CANCEL = "/v5/order/*", "/v5/order/create*", "/v5/order/cancel*"
LOOKUPS = ("/v5/order/realtime", "/v5/order/history", "/v5/execution/list")


def _when(dice: Random, longest: int) -> Row:
    """A while within the five minutes; often from the first request on."""
    after = dice.choice((0, dice.randrange(0, 240)))
    return {"after": after, "seconds": dice.randrange(15, max(16, longest))}


def _unlikely(dice: Random, longest: int = 120) -> Row:
    return {"probability": dice.uniform(0.1, 0.5), **_when(dice, longest)}


def _few(dice: Random) -> Row:
    after = dice.choice((0, dice.randrange(0, 200)))
    return {"count": dice.randrange(1, 4), "after": after}


def _pick(dice: Random, *among: Any) -> Any:
    return dice.choice(among)


#: By kind: a switch of it. Those that a client waits for on a real clock are rare.
SWITCHES: dict[str, Callable[[Random], Row]] = {
    "unreachable": lambda dice: _when(dice, 40),
    "drop_request": lambda dice: {"at": _pick(dice, PLACE, CANCEL, ORDERS), **_unlikely(dice)},
    "lost_answer": lambda dice: {
        "at": _pick(dice, PLACE, CANCEL, ORDERS),
        "half": dice.random() < 0.3,
        **_unlikely(dice),
    },
    "slow_answer": lambda dice: {"at": PLACE, "ms": dice.randrange(5_000, 9_000), "count": 1},
    "late": lambda dice: {"at": PLACE, "ms": _pick(dice, 500, 4_000, 6_000), **_few(dice)},
    "code": lambda dice: {
        "at": _pick(dice, PLACE, CANCEL, ORDERS),
        "code": _pick(dice, 10000, 10016, 10019, 170001, 170007, 170032, 170146, 170149, 99999),
        "effect": 0.5,
        **_unlikely(dice),
    },
    "too_many": lambda dice: {
        "code": _pick(dice, 10006, 170222),
        "reset": _pick(dice, "past", "soon", "far", "missing"),
        **_unlikely(dice, 40),
    },
    "http": lambda dice: {"status": _pick(dice, 403, 429, 500, 502, 504), **_few(dice)},
    "not_json": _unlikely,
    "clock": lambda dice: {"ms": _pick(dice, -1_500, 6_000), **_when(dice, 60)},
    "cut_batch": lambda dice: {"passed": dice.randrange(0, 4), **_unlikely(dice)},
    "fill_first": lambda dice: {"probability": 0.5},
    "post_only_race": lambda dice: {"probability": dice.uniform(0.1, 0.4)},
    "history_lag": lambda dice: {
        "at": _pick(dice, *LOOKUPS),
        "ms": dice.randrange(1_000, 8_000),
        **_when(dice, 200),
    },
    "odd_row": lambda dice: {
        "at": _pick(dice, "/v5/order/realtime", "/v5/execution/list"),
        **_pick(
            dice,
            {"field": "orderStatus", "value": "Hibernating"},
            {"field": "cumExecQty", "value": ""},
            {"field": "execPrice", "value": "NaN"},
            {"field": "side", "value": "Hold"},
            {"field": "orderId", "value": 7},
            {"field": "updatedTime", "value": None},
            {"field": "news", "value": {"of": "2027"}},
        ),
        **_few(dice),
    },
    "drop_message": lambda dice: {
        "at": _pick(dice, "order", "execution", "*", "tickers.*", "orderbook.*"),
        **_unlikely(dice, 240),
    },
    "copy_message": lambda dice: {"times": _pick(dice, 2, 3, 30), **_unlikely(dice)},
    "delay_message": lambda dice: {
        "at": _pick(dice, "order", "execution", "*"),
        "ms": dice.randrange(500, 40_000),
        **_unlikely(dice),
    },
    "swap_message": lambda dice: {"at": _pick(dice, "order", "execution", "*"), **_unlikely(dice)},
    "odd_message": lambda dice: {
        **_pick(
            dice,
            {"at": "order", "field": "orderStatus", "value": "Hibernating"},
            {"at": "order", "field": "cumExecQty", "value": ""},
            {"at": "execution", "field": "execQty", "value": "NaN"},
            {"at": "execution", "field": "execFee", "value": None},
            {"at": "tickers.*", "field": "lastPrice", "value": "NaN"},
            {"at": "tickers.*", "field": "lastPrice", "value": "0"},
            {"at": "orderbook.*", "field": "b.0.0", "value": "-1"},
            {"at": "orderbook.*", "field": "a", "value": []},
        ),
        **_unlikely(dice),
    },
    "outlier": lambda dice: {"share": _pick(dice, "0.3", "-0.3"), **_few(dice)},
    "auth_refused": _few,
    "subscribe_refused": _few,
    "subscribe_unanswered": lambda dice: {"count": 1},
    "mute": lambda dice: {"count": 1, "after": dice.randrange(0, 200)},
    "hang_up": lambda dice: {"clean": dice.random() < 0.5, **_few(dice)},
    "cancel": lambda dice: {
        "type": _pick(dice, "CancelByAdmin", "CancelBySmp", "CancelByUser", "UNKNOWN"),
        **_few(dice),
    },
    "part_fill": lambda dice: {
        "share": _pick(dice, "0.05", "0.37", "0.9", "1"),
        "cancel": dice.random() < 0.5,
        **_few(dice),
    },
    "withdraw": lambda dice: {
        "coin": _pick(dice, "USDT", "USDT", "BTC", "DOGE"),
        "share": _pick(dice, "0.1", "0.9", "1"),
        **_few(dice),
    },
    "deposit": lambda dice: {
        "coin": _pick(dice, "USDT", "BTC", "MNT"),
        "amount": "3",
        **_few(dice),
    },
    "foreign_order": lambda dice: {"side": _pick(dice, "Buy", "Sell"), **_few(dice)},
    "foreign_trade": lambda dice: {"side": _pick(dice, "Buy", "Sell"), **_few(dice)},
    "fees": lambda dice: {
        **_pick(
            dice,
            {"maker": "0.001"},
            {"maker": "-0.0001"},
            {"maker": "0.0005", "coin": "MNT"},
            {"maker": "0.003", "taker": "0.004"},
        ),
        **_few(dice),
    },
    "open_orders_cap": lambda dice: {"most": _pick(dice, 8, 20), **_few(dice)},
    "jump": lambda dice: {
        "symbol": _pick(dice, "BTCUSDT", "DOGEUSDT"),
        "share": _pick(dice, "-0.15", "-0.04", "0.04", "0.15"),
        **_few(dice),
    },
}
RARE = frozenset({"slow_answer", "subscribe_unanswered", "mute", "unreachable"})
WEIGHTS = {kind: 1 if kind in RARE else 2 for kind in SWITCHES}


def drawn(dice: Random) -> list[Row]:
    """The switches of one run: a few kinds of all there are."""
    kinds = list(SWITCHES)
    wanted = dice.randrange(5, 12)
    chosen = set(dice.choices(kinds, [WEIGHTS[kind] for kind in kinds], k=wanted))
    return [{"kind": kind, **SWITCHES[kind](dice)} for kind in kinds if kind in chosen]
