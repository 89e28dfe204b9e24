"""Who may speak: Bybit v5's signatures on REST requests and private sockets."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field

from integrations.bybit.simulator.wire import ApiError, machine_ms

DEFAULT_WINDOW = 5_000  # ms
AHEAD = 1_000  # ms that a client's clock may run ahead of ours


@dataclass(frozen=True, slots=True)
class Keys:
    """The one API key the simulator knows; the secret stays out of every repr."""

    key: str
    secret: str = field(repr=False)

    def sign(self, text: str) -> str:
        """HMAC-SHA256 in lower-case hex (Bybit v5, authentication)."""
        return hmac.new(self.secret.encode(), text.encode(), hashlib.sha256).hexdigest()

    def check_request(self, headers: Mapping[str, str], payload: str, skew: int = 0) -> None:
        """Check a signed REST request. `payload` is the raw query or the raw body, as received.

        `skew` is how many ms our clock is ahead.

        Raises ApiError 10003 (key), 10002 (clock) or 10004 (signature).
        """
        if not hmac.compare_digest(headers.get("X-BAPI-API-KEY", "").encode(), self.key.encode()):
            raise ApiError(10003, "API key is invalid.")
        stamp, window = headers.get("X-BAPI-TIMESTAMP", ""), headers.get("X-BAPI-RECV-WINDOW", "")
        self.check_clock(stamp, window, skew)
        expected = self.sign(f"{stamp}{self.key}{window}{payload}")
        if not hmac.compare_digest(headers.get("X-BAPI-SIGN", "").encode(), expected.encode()):
            raise ApiError(
                10004,
                "error sign! please check your signature generation algorithm."
                f" origin_string[{stamp}{self.key}{window}{payload}]",
            )

    @staticmethod
    def check_clock(stamp: str, window: str, skew: int = 0) -> None:
        """Bybit's rule: server - recv_window <= timestamp < server + 1000. Raises ApiError."""
        if not (stamp.isdecimal() and (window.isdecimal() or not window)):
            raise ApiError(10001, "X-BAPI-TIMESTAMP and X-BAPI-RECV-WINDOW must be milliseconds.")
        now, allowed = machine_ms() + skew, int(window or DEFAULT_WINDOW)
        if not now - allowed <= int(stamp) < now + AHEAD:
            raise ApiError(
                10002,
                "invalid request, please check your server timestamp or recv_window param."
                f" req_timestamp[{stamp}],server_timestamp[{now}],recv_window[{allowed}]",
            )

    def check_socket(self, args: object) -> None:
        """Check the arguments of a socket's `auth`: key, expiry in ms, signature.

        Raises ApiError 10001, 10003 or 10004.
        """
        match args:
            case [str(key), str() | int() as expires, str(signature)]:
                pass
            case _:
                raise ApiError(10001, "Params Error: args must be [key, expires, signature]")
        if not hmac.compare_digest(key.encode(), self.key.encode()):
            raise ApiError(10003, "API key is invalid.")
        if not (str(expires).isdecimal() and int(expires) > machine_ms()):
            raise ApiError(10004, "Params Error: expires must lie in the future")
        expected = self.sign(f"GET/realtime{expires}")
        if not hmac.compare_digest(signature.encode(), expected.encode()):
            raise ApiError(10004, "Params Error: invalid signature")
