"""A strict double of CoinGecko's API v3 over a socket: it refuses whatever CoinGecko refuses.

Two calls are known: coins/markets and global. Prices are written as CoinGecko writes them: numbers,
small ones with an exponent. Faults are scripted, each taken by the next request.
"""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

PATH = "/api/v3"
MARKETS = {
    "vs_currency", "ids", "names", "symbols", "include_tokens", "category", "order", "per_page",
    "page", "sparkline", "price_change_percentage", "locale", "precision",
}  # fmt: skip
CURRENCIES = {"usd", "eur", "btc"}
#: id: symbol, name, price, 24 h change in percent, volume, market cap; all as on the wire.
COINS: dict[str, tuple[str, str, str, str, str, str]] = {
    "bitcoin": ("btc", "Bitcoin", "98412.51234567891", "1.52387", "41234567890", "1950123456789"),
    "mantle": ("mnt", "Mantle", "1.184213", "-2.30518", "212345678.5", "3983111222"),
    "dogecoin": ("doge", "Dogecoin", "0.24183", "0.0", "1934000111", "35700000000"),
    "pepe": ("pepe", "Pepe", "4.162e-06", "-7.5", "633000000", "1750900000"),
}
HOURS = 168
RATE_LIMIT = "You've exceeded the Rate Limit."
Answer = tuple[int, dict[str, str], bytes]


class FakeCoinGecko:
    """The service. `key`: what demo requests must carry, "" for the keyless service."""

    def __init__(self, key: str = "") -> None:
        self.key = key
        self.coins = {name: list(facts) for name, facts in COINS.items()}
        self.requests: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.faults: list[Answer | None] = []  # None: the line is cut without an answer
        self.change: Callable[[bytes], bytes] = lambda body: body
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}{PATH}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def limit(self, retry_after: str | None = "60") -> None:
        """The next request is one too many; at the edge the answer is a page, not JSON."""
        headers = {"Content-Type": "application/json"}
        if retry_after is None:
            headers = {"Content-Type": "text/html"}
            self.faults.append((429, headers, b"<html>error code: 1015</html>"))
            return
        body = {"status": {"error_code": 429, "error_message": RATE_LIMIT}}
        self.faults.append((429, headers | {"Retry-After": retry_after}, json.dumps(body).encode()))

    def fail(self, status: int, body: str = "{}", **headers: str) -> None:
        """The next request fails so."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.faults.append((status, named, body.encode()))

    def cut(self) -> None:
        """The next request gets no answer."""
        self.faults.append(None)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                service.requests.append(self.path)
                service.headers.append({name.lower(): text for name, text in self.headers.items()})
                answer = (
                    service.faults.pop(0) if service.faults else service._answer(self.path, self)
                )
                if answer is None:
                    self.close_connection = True
                    return
                status, headers, body = answer
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler

    def _answer(self, address: str, request: BaseHTTPRequestHandler) -> Answer:
        parts = urlsplit(address)
        query = dict(
            parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        )
        if refusal := self._refused(request):
            return refusal
        if parts.path == f"{PATH}/global":
            return _json(200, self._global()) if not query else _json(400, {"error": "no query"})
        if parts.path == f"{PATH}/coins/markets":
            return self._markets(query)
        return _json(404, {"error": "Incorrect path. Please check https://docs.coingecko.com"})

    def _refused(self, request: BaseHTTPRequestHandler) -> Answer | None:
        given = request.headers.get("x-cg-demo-api-key")
        if request.headers.get("x-cg-pro-api-key"):
            told = "If you are using Pro API key, please change your root URL to pro-api"
            return _json(400, _status(10010, told))
        if given is not None and given != self.key:
            return _json(401, _status(10002, "API Key Missing"))
        return None

    def _markets(self, query: dict[str, str]) -> Answer:
        currency = query.get("vs_currency")
        if currency is None:
            return _json(422, {"error": "Missing parameter vs_currency"})
        if currency not in CURRENCIES:
            return _json(422, {"error": "invalid vs_currency"})
        if unknown := set(query) - MARKETS:
            raise AssertionError(f"CoinGecko has no parameter {unknown}")  # it would ignore it
        assert query.get("sparkline", "false") in {"true", "false"}
        assert query.get("precision", "full") in {"full", *map(str, range(19))}
        wanted = query["ids"].split(",") if query.get("ids") else list(self.coins)
        rows = [self._row(name, query) for name in wanted if name in self.coins]
        body = "[" + ",".join(rows) + "]"
        return 200, {"Content-Type": "application/json; charset=utf-8"}, self.change(body.encode())

    def _row(self, name: str, query: dict[str, str]) -> str:
        symbol, title, price, change, volume, cap = self.coins[name]
        row: dict[str, Any] = {
            "id": name, "symbol": symbol, "name": title, "image": f"https://x.test/{name}.png",
            "current_price": _Raw(price), "market_cap": _Raw(cap), "market_cap_rank": 1,
            "fully_diluted_valuation": _Raw(cap), "total_volume": _Raw(volume),
            "high_24h": _Raw(price), "low_24h": _Raw(price), "price_change_24h": _Raw("0.5"),
            "price_change_percentage_24h": _Raw(change), "circulating_supply": _Raw("19876543.0"),
            "max_supply": None, "roi": None, "last_updated": "2026-01-12T14:03:07.512Z",
        }  # fmt: skip
        if query.get("sparkline") == "true":
            week = [_Raw(f"{float(price) * (1 + hour % 12 / 1000)!r}") for hour in range(HOURS)]
            row["sparkline_in_7d"] = {"price": week}
        if "24h" in query.get("price_change_percentage", "").split(","):
            row["price_change_percentage_24h_in_currency"] = _Raw(change)
        return _dump(row)

    def _global(self) -> str:
        return _dump(
            {
                "data": {
                    "active_cryptocurrencies": 17_512, "upcoming_icos": 0, "ongoing_icos": 49,
                    "ended_icos": 3_376, "markets": 1_287,
                    "total_market_cap": {"usd": _Raw("3431234567890.12"), "btc": _Raw("35012345")},
                    "total_volume": {"btc": _Raw("1234567.8"), "usd": _Raw("121234567890.5")},
                    "market_cap_percentage": {"btc": _Raw("56.83471"), "eth": _Raw("11.70926")},
                    "market_cap_change_percentage_24h_usd": _Raw("-1.20456"),
                    "updated_at": 1_768_226_587,
                }
            }
        )  # fmt: skip


class _Raw(str):
    """A number as it stands on the wire."""

    __slots__ = ()


def _dump(value: object) -> str:
    if isinstance(value, _Raw):
        return value
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{_dump(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_dump, value)) + "]"
    return json.dumps(value)


def _json(status: int, body: object) -> Answer:
    text = body if isinstance(body, str) else json.dumps(body)
    return status, {"Content-Type": "application/json; charset=utf-8"}, text.encode()


def _status(code: int, message: str) -> dict[str, object]:
    return {"status": {"error_code": code, "error_message": message}}
