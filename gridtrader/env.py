"""Readers of environment variables that turn a wrong value into one clear line."""

import hmac
import os
from collections.abc import Collection, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from urllib.parse import urlsplit

TRUE = frozenset({"1", "true", "yes", "on"})
FALSE = frozenset({"0", "false", "no", "off"})


class EnvError(Exception):
    """A variable is missing or holds a value that cannot be used; the text is one line to show."""


class Secret:
    """A text that shows itself only when asked by name, so that no log or traceback prints it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself."""
        return self._text

    def __repr__(self) -> str:
        return "Secret('***')" if self._text else "Secret('')"

    def __str__(self) -> str:
        return "***" if self._text else ""

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a Secret is never serialised")


class Environment:
    """Variables by name; an empty value counts as unset, as `NAME=` does in a `.env` file."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = {name: text.strip() for name, text in values.items() if text.strip()}

    def __contains__(self, name: str) -> bool:
        return name in self._values or f"{name}_FILE" in self._values

    def text(self, name: str, default: str = "") -> str:
        """Return the value as it stands."""
        return self._values.get(name, default)

    def choice(self, name: str, allowed: Collection[str], default: str) -> str:
        """Return one of the allowed words, written in any case."""
        value = self._values.get(name, default).lower()
        if value not in allowed:
            raise EnvError(f"{name} is {value!r}; accepted: {', '.join(allowed)}")
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        """Return a yes or no."""
        value = self._values.get(name, "").lower()
        if not value:
            return default
        if value not in TRUE | FALSE:
            raise EnvError(f"{name} is {value!r}; accepted: 1, true, yes, on, 0, false, no, off")
        return value in TRUE

    def integer(self, name: str, default: int, *, low: int, high: int) -> int:
        """Return a whole number between low and high, both included."""
        value = self._values.get(name)
        if value is None:
            return default
        if not (value.isascii() and value.lstrip("+-").isdigit() and low <= int(value) <= high):
            raise EnvError(f"{name} is {value!r}; accepted: a whole number from {low} to {high}")
        return int(value)

    def decimal(self, name: str, default: Decimal, *, low: Decimal) -> Decimal:
        """Return a finite decimal number that is not below low."""
        value = self._values.get(name)
        if value is None:
            return default
        try:
            number = Decimal(value)
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite() or number < low:
            raise EnvError(f"{name} is {value!r}; accepted: a number of at least {low}")
        return number

    def url(self, name: str, schemes: Collection[str], default: str = "") -> str:
        """Return a URL without its closing slash; the message never shows it (it may hold keys)."""
        value = self._values.get(name)
        if value is None:
            return default
        accepted = " or ".join(f"{scheme}://" for scheme in schemes)
        try:
            parts = urlsplit(value)
            port_is_number = parts.port is None or parts.port >= 0
        except ValueError:
            raise EnvError(
                f"{name} is no URL that can be read; accepted: {accepted}HOST:PORT"
            ) from None
        if parts.scheme not in schemes:
            raise EnvError(f"{name} has scheme {parts.scheme!r}; accepted: {accepted}HOST...")
        if not (port_is_number and parts.hostname):
            raise EnvError(f"{name} names no host; accepted: {accepted}HOST...")
        return value.rstrip("/")

    def items(self, name: str, default: Collection[str] = ()) -> list[str]:
        """Return the parts of a comma-separated list."""
        value = self._values.get(name)
        if value is None:
            return list(default)
        return [part.strip() for part in value.split(",") if part.strip()]

    def secret(self, name: str) -> Secret:
        """Return a secret given as NAME or, by the path of a file that holds it, as NAME_FILE."""
        given, path = self._values.get(name), self._values.get(f"{name}_FILE")
        if given and path:
            raise EnvError(f"{name} and {name}_FILE are both set; accepted: one of them")
        if path is None:
            return Secret(given or "")
        try:
            text = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            raise EnvError(f"{name}_FILE cannot be read: {path}: {reason}") from None
        if not text:
            raise EnvError(f"{name}_FILE is empty: {path}; accepted: a file that holds the secret")
        return Secret(text)

    def secrets(self, name: str, *, least: int) -> list[Secret]:
        """Return comma-separated secrets, each of at least so many characters."""
        parts = [part.strip() for part in self.secret(name).reveal().split(",") if part.strip()]
        for place, part in enumerate(parts, 1):
            if len(part) < least:
                raise EnvError(
                    f"{name}: secret {place} of {len(parts)} has {len(part)} characters; "
                    f"accepted: at least {least}"
                )
        return [Secret(part) for part in parts]


def parse_dotenv(text: str, source: str = ".env") -> dict[str, str]:
    """Read `NAME=value` lines; `#` starts a comment line, quotes around a value are dropped."""
    values: dict[str, str] = {}
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip().removeprefix("export ").strip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        name, value = name.strip(), value.strip()
        if not equals or not name.isidentifier():
            raise EnvError(f"{source} line {number} cannot be read; accepted: NAME=value")
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        else:
            value = value.split(" #", 1)[0].rstrip()
        values[name] = value
    return values


def load(root: Path, real: Mapping[str, str] | None = None) -> Environment:
    """Read the real environment over `.env` in root (GRIDTRADER_ENV_FILE names another file)."""
    real = os.environ if real is None else real
    path = Path(real.get("GRIDTRADER_ENV_FILE") or root / ".env")
    try:
        below = parse_dotenv(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        below = {}
    except (OSError, UnicodeDecodeError) as error:
        raise EnvError(f"{path} cannot be read: {error}") from None
    return Environment(merge(below, real))


def merge(below: Mapping[str, str], above: Mapping[str, str]) -> dict[str, str]:
    """Lay one set of variables over another; NAME above hides NAME_FILE below and the reverse."""
    hidden = {name.removesuffix("_FILE") for name, text in above.items() if text.strip()}
    kept = {name: text for name, text in below.items() if name.removesuffix("_FILE") not in hidden}
    return kept | dict(above)
