"""What was asked of the exchange lately: which request, when it was signed, when it came."""

from collections import deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase

from integrations.bybit.simulator.wire import Json

MOST = 10_000  # requests that are remembered


@dataclass(frozen=True, slots=True)
class Request:
    """One request that named a time; both times by the machine's clock, ms."""

    path: str
    signed: int  # as its own header says
    came: int


class Heard:
    """Every signed request, whatever became of it: answered, refused, or met by a fault."""

    def __init__(self) -> None:
        self._requests: deque[Request] = deque(maxlen=MOST)

    def note(self, path: str, stamp: str, came: int) -> None:
        """Remember a request that has just come; what names no time is public."""
        if stamp.isascii() and stamp.isdecimal():
            self._requests.append(Request(path, int(stamp), came))

    def show(self, at: str, since: int) -> Json:
        """Those whose path fits the pattern, signed at or after `since`; the oldest first."""
        return {"requests": [asdict(each) for each in self._fitting(at, since)]}

    def _fitting(self, at: str, since: int) -> Iterable[Request]:
        return (
            each for each in self._requests if each.signed >= since and fnmatchcase(each.path, at)
        )
