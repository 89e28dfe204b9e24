"""Bybit v5's words: envelopes, error codes, and the rows of orders, executions and wallets."""

import time
from typing import Any

Json = dict[str, Any]


class ApiError(Exception):
    """A request that Bybit answers with a retCode other than 0."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def machine_ms() -> int:
    """The machine's clock: the one that signatures and envelopes run on."""
    return time.time_ns() // 1_000_000


def envelope(result: Json, code: int = 0, message: str = "OK") -> Json:
    """The outer shape of every REST answer."""
    return {
        "retCode": code,
        "retMsg": message,
        "result": result,
        "retExtInfo": {},
        "time": machine_ms(),
    }
