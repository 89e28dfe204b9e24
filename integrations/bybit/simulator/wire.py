"""Bybit v5's words: envelopes, error codes, and the rows of orders, executions and wallets."""

import time
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


class ApiError(Exception):
    """A request that Bybit answers with a retCode other than 0."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an endpoint answers where there is more to say than a result."""

    result: Json
    ext: Json = field(default_factory=dict)  # retExtInfo


def machine_ms() -> int:
    """The machine's clock: the one that signatures, deadlines and rate limits run on."""
    return time.time_ns() // 1_000_000


def envelope(result: Json | Outcome, time: int, code: int = 0, message: str = "OK") -> Json:
    """The outer shape of every REST answer. `time` is the clock of the facts in it, ms."""
    whole = result if isinstance(result, Outcome) else Outcome(result)
    return {
        "retCode": code,
        "retMsg": message,
        "result": whole.result,
        "retExtInfo": whole.ext,
        "time": time,
    }
