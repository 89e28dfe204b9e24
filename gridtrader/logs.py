"""Log lines: one per record, as words or as JSON, with secrets taken out."""

import json
import logging
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from urllib.parse import quote

from gridtrader.env import Secret
from market.about import facts

MASK = "***"
# What a library may print although it is nobody's business: signed headers, tokens, DSN passwords.
PATTERNS = (
    re.compile(
        r"(?i)(\b(?:X-BAPI-[\w-]+|authorization|api_?key|secret|password|token|sessionid|csrftoken)"
        r"['\"]?\s*[:=]\s*"
        r"['\"]?(?:token |bearer )?)[^\s'\",&}]+"
    ),
    re.compile(r"(\w://[^:/@\s]*:)[^@/\s]+(?=@)"),
)


def redact(text: str, secrets: Iterable[Secret] = ()) -> str:
    """Mask the given secrets, and whatever looks like one by the name before it."""
    for secret in secrets:
        if secret:
            for form in forms(secret.reveal()):
                text = text.replace(form, MASK)
    for pattern in PATTERNS:
        text = pattern.sub(rf"\1{MASK}", text)
    return text


def forms(secret: str) -> set[str]:
    """A secret as it may stand in a text: itself, in an address, in JSON."""
    return {secret, quote(secret, safe=""), quote(secret), json.dumps(secret)[1:-1]}


class OneLine(logging.Formatter):
    """Puts a whole record, its traceback included, on one redacted line."""

    def __init__(self, fmt: str, secrets: Iterable[Secret] = ()) -> None:
        super().__init__(fmt, datefmt="%Y-%m-%dT%H:%M:%S")
        self._secrets = tuple(secrets)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        text = redact(super().format(record), self._secrets)
        line = " ⏎ ".join(line for line in text.splitlines() if line.strip())
        named = " ".join(f"{name}={fact}" for name, fact in facts().items())
        return f"{line} [{named}]" if named else line


class OneObject(logging.Formatter):
    """Puts a record on one line of JSON: time, level, logger, message, what it is about, error."""

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        super().__init__()
        self._secrets = tuple(secrets)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        told = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": redact(record.getMessage(), self._secrets),
            "process": record.process,
            **facts(),
        }
        if record.exc_info:
            told["error"] = redact(self.formatException(record.exc_info), self._secrets)
        return json.dumps(told, ensure_ascii=False)
