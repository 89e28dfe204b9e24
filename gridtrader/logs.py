"""Log lines: one per record, with secrets taken out."""

import logging
import re
from collections.abc import Iterable

from gridtrader.env import Secret

MASK = "***"
# What a library may print although it is nobody's business: signed headers, tokens, DSN passwords.
PATTERNS = (
    re.compile(
        r"(?i)(\b(?:X-BAPI-[\w-]+|authorization|api_?key|secret|password|token)['\"]?\s*[:=]\s*"
        r"['\"]?(?:token |bearer )?)[^\s'\",&}]+"
    ),
    re.compile(r"(\w://[^:/@\s]*:)[^@/\s]+(?=@)"),
)


def redact(text: str, secrets: Iterable[Secret] = ()) -> str:
    """Mask the given secrets, and whatever looks like one by the name before it."""
    for secret in secrets:
        if secret:
            text = text.replace(secret.reveal(), MASK)
    for pattern in PATTERNS:
        text = pattern.sub(rf"\1{MASK}", text)
    return text


class OneLine(logging.Formatter):
    """Puts a whole record, its traceback included, on one redacted line."""

    def __init__(self, fmt: str, secrets: Iterable[Secret] = ()) -> None:
        super().__init__(fmt, datefmt="%Y-%m-%dT%H:%M:%S")
        self._secrets = tuple(secrets)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        text = redact(super().format(record), self._secrets)
        return " ⏎ ".join(line for line in text.splitlines() if line.strip())
