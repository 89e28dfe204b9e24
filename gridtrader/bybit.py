"""Which Bybit a mode means: addresses and keys, read from the environment."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from gridtrader import folder
from gridtrader.env import EnvError, Environment, Secret

MODES = ("paper", "demo", "testnet", "live")

# REST, private stream, public stream (Bybit v5, "Integration Guidance" and "Demo Trading Service":
# demo has no public stream of its own).
HOSTS = {
    "live": ("https://api.bybit.com", "wss://stream.bybit.com", "wss://stream.bybit.com"),
    "demo": ("https://api-demo.bybit.com", "wss://stream-demo.bybit.com", "wss://stream.bybit.com"),
    "testnet": (
        "https://api-testnet.bybit.com",
        "wss://stream-testnet.bybit.com",
        "wss://stream-testnet.bybit.com",
    ),
}
BYBIT_DOMAINS = (
    "bybit.com",
    "bytick.com",
    *(f"bybit.{country}" for country in ("nl", "kz", "ae", "eu", "id", "tr")),
)


@dataclass(frozen=True)
class Bybit:
    """Base addresses (paths under them are Bybit's own) and the keys that fit them."""

    mode: str
    rest_url: str
    ws_url: str
    ws_public_url: str
    key: Secret
    secret: Secret
    own_simulator_port: int | None
    """Port on which `up` runs our simulator; None when the exchange is somebody else's."""


def read(env: Environment, home: Path) -> Bybit:
    """Read the exchange of the environment; raises EnvError."""
    mode = env.choice("GRIDTRADER_MODE", MODES, "paper")
    rest = env.url("BYBIT_REST_URL", ("http", "https"))
    stream = env.url("BYBIT_WS_URL", ("ws", "wss"))
    if bool(rest) != bool(stream):
        missing = "BYBIT_WS_URL" if rest else "BYBIT_REST_URL"
        raise EnvError(f"{missing} is not set; accepted: both base URLs of Bybit or neither")
    if mode == "paper" and not rest:
        port = folder.port_of(home, "simulator")
        address = f"127.0.0.1:{port}"
        return Bybit(
            mode, f"http://{address}", f"ws://{address}", f"ws://{address}", *_own_keys(home), port
        )
    for url in (rest, stream):
        _refuse_another_environment(mode, url)
    hosts = (rest, stream, stream) if rest else HOSTS[mode]
    return Bybit(mode, *hosts, *_given_keys(env, mode, home), None)


def _own_keys(home: Path) -> tuple[Secret, Secret]:
    return folder.kept_secret(home / "bybit.key"), folder.kept_secret(home / "bybit.secret")


def _given_keys(env: Environment, mode: str, home: Path) -> tuple[Secret, Secret]:
    key, secret = env.secret("BYBIT_API_KEY"), env.secret("BYBIT_API_SECRET")
    if mode == "paper" and not key and not secret:
        return _own_keys(home)
    for name, given in (("BYBIT_API_KEY", key), ("BYBIT_API_SECRET", secret)):
        if not given:
            raise EnvError(f"{name} is not set; mode {mode} needs it (or {name}_FILE)")
    return key, secret


def _refuse_another_environment(mode: str, url: str) -> None:
    """A key works in one environment of Bybit, and play is never sent to where money is real."""
    host = urlsplit(url).hostname or ""
    if not any(host == domain or host.endswith(f".{domain}") for domain in BYBIT_DOMAINS):
        return  # a simulator, or a proxy of the user's own
    theirs = next((name for name in ("testnet", "demo") if f"-{name}." in host), "live")
    if theirs != mode:
        accepted = "a simulator's address" if mode == "paper" else f"one of mode {mode}"
        raise EnvError(
            f"GRIDTRADER_MODE is '{mode}' but a base URL names Bybit's own host {host}; "
            f"accepted: {accepted}, or mode {theirs}"
        )
