"""What may go wrong here: fault switches, drawn by one seeded dice, counted when they happen."""

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import count
from typing import Any

from integrations.bybit.simulator.wire import ApiError, Json, machine_ms

NEEDED = object()  # an option without a default


@dataclass(frozen=True, slots=True)
class Kind:
    """A way to fail: where it strikes unless told otherwise, and its options with defaults."""

    words: str
    at: str = "*"
    options: Mapping[str, object] = field(default_factory=dict)


def _kind(words: str, at: str = "*", **options: object) -> Kind:
    return Kind(words, at, options)


ORDERS = "/v5/order/*"
#: Requests by REST; `at` is a pattern of paths.
REQUESTS = {
    "unreachable": _kind("the connection ends at once; sockets cannot connect either"),
    "drop_request": _kind("the connection ends and nothing was done", ORDERS),
    "lost_answer": _kind(
        "done, but the connection ends before the answer, or in the midst of it", ORDERS, half=False
    ),
    "slow_answer": _kind("done, answered `ms` later", ORDERS, ms=NEEDED),
    "late": _kind("done only `ms` later, if the signature still holds then", ORDERS, ms=NEEDED),
    "code": _kind(
        "answered with a retCode; done nonetheless with the probability `effect`",
        ORDERS,
        code=NEEDED,
        effect=0.0,
    ),
    "too_many": _kind(
        "not done, over the rate limit; `reset` is past, soon, far or missing",
        code=10006,
        reset="soon",
    ),
    "http": _kind("not done, another HTTP status than 200", status=403),
    "not_json": _kind("done, answered by a page instead of JSON", ORDERS),
    "clock": _kind("the exchange's clock is `ms` ahead of ours", ms=NEEDED),
    "cut_batch": _kind("only the first `passed` of a batch pass", "/v5/order/*-batch", passed=1),
    "fill_first": _kind("the order is filled just before its cancel", "/v5/order/cancel*"),
    "post_only_race": _kind("a new post-only order meets a price that moved", "/v5/order/create*"),
    "history_lag": _kind("orders and executions are listed `ms` after they came to be", ms=NEEDED),
    "odd_row": _kind(
        "a field of every row, or of an answer without rows, has another value, or is gone",
        field=NEEDED,
        value=None,
    ),
}
#: Frames of sockets; `at` is a pattern of topics.
MESSAGES = {
    "drop_message": _kind("never sent"),
    "copy_message": _kind("sent `times` times", times=2),
    "delay_message": _kind("sent `ms` later", ms=NEEDED),
    "swap_message": _kind("sent after the next frame of any topic"),
    "odd_message": _kind("a field has another value, or is gone", field=NEEDED, value=None),
    "outlier": _kind("prices are off by `share` in this one frame", "tickers.*", share="0.3"),
}
#: Sockets; `at` is a pattern of paths, /v5/private or /v5/public/spot.
SOCKETS = {
    "auth_refused": _kind("the login is answered by success false"),
    "subscribe_refused": _kind("a subscription is answered by success false"),
    "subscribe_unanswered": _kind("a subscription is never answered, nor done"),
}
#: Sockets that are open; drawn for each at every look.
PARTINGS = {
    "mute": _kind("open, but nothing is sent any more: no frame and no pong"),
    "hang_up": _kind("ended, abruptly or (`clean`) with code 1001", clean=False),
}
#: What the exchange or somebody else does by itself; drawn at every look (a step, or a second).
DEEDS = {
    "cancel": _kind(
        "one of the orders is cancelled by the exchange", type="CancelByAdmin", link=""
    ),
    "part_fill": _kind(
        "`share` of an open order is filled; the rest may be cancelled",
        share="0.37",
        cancel=False,
        link="",
    ),
    "withdraw": _kind(
        "`share` of a coin's free balance leaves the account", coin="USDT", share="0.1"
    ),
    "deposit": _kind("coins come in", coin="USDT", amount="100"),
    "foreign_order": _kind(
        "somebody rests an order on the account", symbol="", side="Buy", away="0.05"
    ),
    "foreign_trade": _kind(
        "somebody buys or sells at the market", symbol="", side="Buy", value="20"
    ),
    "fees": _kind(
        "rates of later fills; fees are paid in `coin` if one is named",
        maker="0.001",
        taker="0.001",
        coin="",
    ),
    "open_orders_cap": _kind("how many orders may be open", most=500),
    "jump": _kind("price moves by `share` at once (with --speed 0 only)", symbol="", share="-0.15"),
}
KINDS: Mapping[str, Kind] = {
    **REQUESTS,
    **MESSAGES,
    **SOCKETS,
    **PARTINGS,
    **DEEDS,
}


@dataclass(slots=True)
class Switch:
    """A fault that is on. Times are the machine's, ms."""

    number: int
    kind: str
    at: str
    probability: float
    left: int | None  # how often it may still happen; None is for ever
    begins: int
    ends: int | None
    options: Mapping[str, Any]
    happened: int = 0

    def covers(self, at: str, now: int) -> bool:
        return (
            self.left != 0
            and now >= self.begins
            and (self.ends is None or now < self.ends)
            and self.matches(at)
        )

    def matches(self, at: str) -> bool:
        return fnmatchcase(at, self.at)

    def __getitem__(self, option: str) -> Any:  # noqa: ANN401 - as the table of kinds has them
        return self.options[option]


@dataclass(slots=True)
class Faults:
    """All switches and one dice: the same seed and the same requests bring the same faults."""

    seed: int = 0
    now: Callable[[], int] = machine_ms
    happened: Counter[str] = field(default_factory=Counter)
    _dice: random.Random = field(init=False)
    _switches: list[Switch] = field(default_factory=list)
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)  # noqa: S311 - must be repeatable

    def drawn(self, kind: str, at: str = "") -> Switch | None:
        """The switch of this kind by which it goes wrong here and now; it is counted."""
        for switch in self._switches:
            if switch.kind == kind and switch.covers(at, self.now()) and self.strikes(switch):
                return self._count(switch)
        return None

    def strikes(self, switch: Switch) -> bool:
        return switch.probability >= 1 or self._dice.random() < switch.probability

    def chance(self, probability: float) -> bool:
        return self._dice.random() < probability

    def choice(self, among: "list[Any]") -> Any:  # noqa: ANN401 - one of what was given
        return self._dice.choice(among)

    def _count(self, switch: Switch) -> Switch:
        switch.happened += 1
        switch.left = None if switch.left is None else switch.left - 1
        self.happened[switch.kind] += 1
        return switch

    # Settings

    def set(self, body: Json) -> list[Switch]:
        """Turn switches on and off as `body` says; what is to be done once, now, is returned.

        `{"seed": 7, "off": "all" or [kinds], "on": [switches], "do": [deeds]}`, each of them
        optional. Raises ApiError (an HTTP status) and changes nothing when it is not understood.
        """
        if unknown := body.keys() - {"seed", "off", "on", "do"}:
            raise ApiError(400, f"unknown: {', '.join(sorted(unknown))}; there are seed off on do")
        on = [self._read(row) for row in _rows(body, "on")]
        do = [self._read(row) for row in _rows(body, "do")]
        if odd := [switch.kind for switch in do if switch.kind not in {*DEEDS, *PARTINGS}]:
            raise ApiError(
                400, f"{odd[0]} is no deed; there are {', '.join({**DEEDS, **PARTINGS})}"
            )
        off = body.get("off", [])
        if off != "all" and not (isinstance(off, list) and set(off) <= KINDS.keys()):
            raise ApiError(400, 'off must be "all" or a list of kinds')
        if "seed" in body:
            self.seed = _whole(body, "seed")
            self._dice.seed(self.seed)
        kept = [] if off == "all" else [one for one in self._switches if one.kind not in off]
        self._switches = [*kept, *on]
        return [self._count(switch) for switch in do]

    def show(self) -> Json:
        """What is on, and how often each kind has happened so far."""
        return {
            "seed": self.seed,
            "on": [
                {
                    "number": switch.number,
                    "kind": switch.kind,
                    "at": switch.at,
                    "probability": switch.probability,
                    "left": switch.left,
                    "happened": switch.happened,
                    **switch.options,
                }
                for switch in self._switches
            ],
            "happened": dict(sorted(self.happened.items())),
            "kinds": {name: kind.words for name, kind in KINDS.items()},
        }

    def _read(self, row: object) -> Switch:
        if not isinstance(row, dict) or row.get("kind") not in KINDS:
            raise ApiError(400, f"a switch needs a kind, one of {', '.join(KINDS)}")
        name = str(row["kind"])
        kind = KINDS[name]
        common = {"kind", "at", "probability", "count", "after", "seconds"}
        if unknown := row.keys() - common - kind.options.keys():
            accepted = ", ".join(sorted({*common, *kind.options}))
            raise ApiError(400, f"{name} has no {min(unknown)}; there are {accepted}")
        options = {**kind.options, **{key: row[key] for key in row.keys() & kind.options.keys()}}
        if missing := [key for key, value in options.items() if value is NEEDED]:
            raise ApiError(400, f"{name} needs {', '.join(missing)}")
        begins = self.now() + round(1000 * _number(row, "after", 0))
        seconds = _number(row, "seconds", 0)
        return Switch(
            number=next(self._numbers),
            kind=name,
            at=str(row.get("at", kind.at)),
            probability=_number(row, "probability", 1),
            left=_whole(row, "count") if "count" in row else None,
            begins=begins,
            ends=begins + round(1000 * seconds) if seconds else None,
            options=options,
        )


def changed(row: object, field_path: str, value: object) -> object:
    """A copy of JSON with the field at `a.0.b` replaced, or left out for None, if it is there."""
    name, _, rest = field_path.partition(".")
    if isinstance(row, dict) and name in row:
        if not rest and value is None:
            return {key: kept for key, kept in row.items() if key != name}
        return {**row, name: changed(row[name], rest, value) if rest else value}
    if isinstance(row, list) and name.isdecimal() and int(name) < len(row):
        at = int(name)
        return [*row[:at], changed(row[at], rest, value) if rest else value, *row[at + 1 :]]
    return row


def _rows(body: Json, name: str) -> list[object]:
    rows = body.get(name, [])
    if not isinstance(rows, list):
        raise ApiError(400, f"{name} must be a list")
    return rows


def _number(row: Json, name: str, default: float) -> float:
    value = row.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise ApiError(400, f"{name} must be a number, not negative")
    return float(value)


def _whole(row: Json, name: str) -> int:
    value = row[name]
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ApiError(400, f"{name} must be a whole number, not negative")
    return value
